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
    """How the service is: `ok` (it answers), `ready` (it can be asked), or `not-ready` with the reason."""

    status: str
    reason: str | None = None
