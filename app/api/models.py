"""GET /models: what the service answers with."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.access import READ
from app.api.dependencies import ReadyDep
from app.api.problems import responses
from app.api.schemas import CatalogueVersion

router = APIRouter(tags=["models"])


class ModelOut(BaseModel):
    """A model that is loaded."""

    name: str = Field(examples=["matcher"])
    version: str = Field(examples=["3"])
    manifest: dict[str, Any] = Field(
        description="What it is, where it comes from and what it was measured to, as it was exported; of the label "
        "groups it was trained on their number."
    )


class ModelsOut(BaseModel):
    """The models that answer, the one that decides first."""

    catalogue_version: CatalogueVersion
    matcher: str | None = Field(description="The trained matcher; null where similarity decides.")
    encoder: str | None = Field(description="The encoder whose similarity is meant where none is named.")
    models: list[ModelOut]


@router.get("/models", dependencies=[READ], responses=responses(503))
async def models(ready: ReadyDep) -> ModelsOut:
    """The models that are loaded, with their manifests."""
    judge = ready.matcher.judge
    return ModelsOut(
        catalogue_version=ready.version,
        matcher=None if judge is None else judge.label,
        encoder=next(iter(ready.matcher.encoders), None),
        models=[ModelOut(name=it["name"], version=it["version"], manifest=dict(it)) for it in ready.manifests],
    )
