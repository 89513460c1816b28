"""The root of all errors, and those of settings and files that anybody may raise."""

SHOWN_PROBLEMS = 20


class PricematchError(Exception):
    """Root of every error a caller may want to catch; its text is one sentence for a person."""


class SettingsError(PricematchError):
    """An option or environment variable does not make sense."""


class LimitExceeded(PricematchError):
    """A request holds more items than the limit."""


class OutgoingError(PricematchError):
    """Another host gave no answer that can be used: none in time, too large, or in a form that was not asked for."""


class AddressRefused(OutgoingError):
    """Another host is not to be asked: it is none that may be, or at an address that is not public."""


class TrainingInterrupted(PricematchError):
    """The user interrupted a training; the same command resumes it."""
