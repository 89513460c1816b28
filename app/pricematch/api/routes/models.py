"""GET /models: what the service answers with."""

from typing import Any, Literal, TypeAlias

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from pricematch.api.bodies import described
from pricematch.api.content import JSON, read_json
from pricematch.api.dependencies import ADMIN, READ, ReadyService
from pricematch.api.problems import responses
from pricematch.api.schemas.fields import CatalogueVersion
from pricematch.settings import EncoderName

router = APIRouter(tags=["models"])
ModelName: TypeAlias = EncoderName | Literal["matcher"]


class RuntimeOut(BaseModel):
    """What runs a network."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="With its version.", examples=["OpenVINO 2026.4.1"])
    precision: Literal["float32", "bfloat16"] = Field(description="What the processor is used for.")
    reason: str | None = Field(description="Why it is TensorFlow; null where it is OpenVINO.")


class ModelOut(BaseModel):
    """A model that is loaded."""

    name: str = Field(examples=["matcher"])
    version: str = Field(examples=["3"])
    manifest: dict[str, Any] = Field(
        description="What it is, where it comes from and what it was measured to, as it was exported; of the label "
        "groups it was trained on their number."
    )
    runtime: RuntimeOut | None = Field(description="What runs it; null of the matcher, which is no network.")


class ModelsOut(BaseModel):
    """The models that answer, the one that decides first."""

    catalogue_version: CatalogueVersion
    matcher: str | None = Field(description="`matcher/default`, or a trained one; null where similarity decides.")
    encoder: str | None = Field(description="The encoder whose similarity is meant where none is named.")
    models: list[ModelOut]


class ActivateIn(BaseModel):
    """Which version is to serve."""

    model_config = ConfigDict(extra="forbid")

    version: str = Field(pattern=r"^([0-9]{1,9}|default)$", examples=["2"])


class ActivatedOut(BaseModel):
    """A version that serves once the catalogue is embedded and scored with it; until then the one of before does."""

    name: str
    version: str
    before: str | None = Field(description="What was activated before; null: the newest served.")


@router.put(
    "/models/{name}",
    operation_id="activateModel",
    dependencies=[ADMIN],
    status_code=202,
    openapi_extra=described({JSON: ActivateIn.model_json_schema()}),
    responses=responses(400, 413, 415, 422, 429, 500, 503, 507),
)
async def activate(name: ModelName, request: Request, service: ReadyService) -> ActivatedOut:
    """Let a version of a model serve, newer or older; GET /models tells when it does."""
    wanted = await read_json(request, ActivateIn)
    before = await service.activate(name, wanted.version)
    return ActivatedOut(name=name, version=wanted.version, before=before)


@router.get("/models", operation_id="listModels", dependencies=[READ], responses=responses(503))
async def models(service: ReadyService) -> ModelsOut:
    """The models that are loaded, with their manifests."""
    snapshot = service.snapshot
    trained, runtimes = snapshot.matcher.probability, service.runtimes()
    return ModelsOut(
        catalogue_version=snapshot.version,
        matcher=None if trained is None else trained.label,
        encoder=next(iter(snapshot.matcher.named), None),
        models=[
            ModelOut(
                name=it["name"],
                version=it["version"],
                manifest=dict(it),
                runtime=runtimes.get(f"{it['name']}/{it['version']}"),
            )
            for it in service.manifests()
        ],
    )
