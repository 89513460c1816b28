"""Catalogues that one service has beside each other."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A catalogue with all that belongs to it.

    Attributes:
        name: of it.
        ready: whether it answers.
        reason: why it does not.
        postings: of its catalogue; None while that is not loaded.
        catalogue_version: of its catalogue; None while that is not loaded.
    """

    name: str
    ready: bool
    reason: str | None
    postings: int | None
    catalogue_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """The namespaces of a service, by name."""

    namespaces: tuple[Namespace, ...]
