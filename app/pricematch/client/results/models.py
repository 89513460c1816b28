"""Models, and how the service is."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What runs a network."""

    name: str
    precision: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that is loaded."""

    name: str
    version: str
    manifest: dict[str, Any]
    runtime: Runtime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The models that answer, the one that decides first."""

    catalogue_version: int
    matcher: str | None
    encoder: str | None
    models: tuple[Model, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activated:
    """A version that serves once all is embedded and scored with it."""

    name: str
    version: str
    before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the process is: `ok`."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """How the service is: `ready` (it can be asked), or `not-ready` with the reason.

    Attributes:
        status: which of them.
        reason: why it is not ready.
        unready: other namespaces than the default one that cannot answer, though the service does.
        reasons: why, by their names; None where the key is not for all namespaces.
    """

    status: str
    reason: str | None = None
    unready: int = 0
    reasons: dict[str, str] | None = None
