"""/fields: fields of postings that are declared, so that filters by them are quick."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from pricematch.api.bodies import described
from pricematch.api.content import JSON, read_json
from pricematch.api.dependencies import ADMIN, READ, ReadyService
from pricematch.api.problems import responses
from pricematch.api.schemas.filters import FieldIn, FieldOut, FieldsOut
from pricematch.catalogue.evidence import evidence_field
from pricematch.catalogue.fields import Field
from pricematch.catalogue.filters import field_path
from pricematch.serving.results import FieldCounts

router = APIRouter(tags=["fields"])
_Name = Annotated[str, Path(description="Path of a field: names with dots between.", examples=["seller"])]


@router.get("/fields", operation_id="listFields", dependencies=[READ], responses=responses(503))
async def fields(service: ReadyService) -> FieldsOut:
    """The fields that are declared; filters by others look into postings one by one, and into so many at most."""
    found = service.fields()
    return FieldsOut(catalogue_version=found.snapshot.version, fields=[_field_out(it) for it in found.fields])


@router.put(
    "/fields/{name}",
    operation_id="declareField",
    dependencies=[ADMIN],
    openapi_extra=described({JSON: FieldIn.model_json_schema()}),
    responses=responses(400, 413, 415, 422, 429, 500, 503, 507)
    | {201: {"model": FieldOut, "description": "It is new."}},
)
async def declare(name: _Name, request: Request, service: ReadyService, response: Response) -> FieldOut:
    """Declare a field; filters by it are quick from then on; evidence is compared once all is scored anew."""
    wanted = await read_json(request, FieldIn)
    field = evidence_field(Field(field_path(name, "field"), wanted.type, wanted.evidence))
    found = await service.declare(field)
    response.status_code = 201 if found.new else 200
    return _field_out(found.counts)


@router.delete(
    "/fields/{name}",
    operation_id="withdrawField",
    status_code=204,
    dependencies=[ADMIN],
    responses=responses(404, 422, 500, 503, 507),
)
async def withdraw(name: _Name, service: ReadyService) -> None:
    """Let a field be as any other again: filters by it look into postings, and a matcher does not compare by it."""
    await service.undeclare(name)


def _field_out(counts: FieldCounts) -> FieldOut:
    it = counts.field
    return FieldOut(name=it.name, type=it.type, evidence=it.evidence, numbers=counts.numbers, texts=counts.texts)
