"""Problems, of whole requests and of single images."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with a request."""

    location: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """RFC 9457 problem details; docs/http.md lists the types. `start_at` comes with `history-lost`."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[Fault, ...] | None = None
    start_at: int | None = None
