"""Models that cannot be used, and what a service lacks to answer."""

from pricematch.errors.base import PricematchError


class RequestUnanswerable(PricematchError):
    """The service holds nothing to answer this with."""


class MatcherNeeded(RequestUnanswerable):
    """Only a matcher could answer this, and the service was started without one."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} takes a matcher, and this service was started without one (setting matcher: none)")


class EncoderNeeded(RequestUnanswerable):
    """Only an encoder of images could answer this, and the service holds none."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} takes an encoder of images, and this service was started without one")


class EncoderUnknown(RequestUnanswerable):
    """It names an encoder that the service does not hold."""


class LabelsNeeded(RequestUnanswerable):
    """There are too few label groups, and too little feedback, to train a matcher."""


class SignalNeeded(RequestUnanswerable):
    """It lacks what the matcher compares."""


class TargetUnknown(RequestUnanswerable):
    """The matcher has no thresholds for this target."""


class ArtefactError(PricematchError):
    """An exported model is missing, damaged, or does not fit the others."""


class RuntimeMissing(ArtefactError):
    """An exported model is whole, but what could run it is not installed."""


class ArtefactExists(PricematchError):
    """Writing would overwrite a version or an output that exists."""


class ModelOutputError(PricematchError):
    """A model answered with something that is no embedding (wrong shape, NaN, infinite, zero)."""
