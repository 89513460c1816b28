"""/namespaces: catalogues that one service has beside each other."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from pricematch.api.dependencies import ADMIN_OF_ALL, NamespacesDep
from pricematch.api.problems import responses
from pricematch.settings import NAMESPACE_PATTERN, NAMESPACE_RULE

router = APIRouter(tags=["namespaces"])
_CREATED = 201
Namespace = Annotated[
    str, Path(pattern=f"^{NAMESPACE_PATTERN}$", description=f"{NAMESPACE_RULE}.", examples=["shop-a"])
]


class NamespaceOut(BaseModel):
    """A catalogue with all that belongs to it."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["shop-a"])
    ready: bool = Field(description="Whether it answers.")
    reason: str | None = Field(description="Why it does not; null where it does.")
    postings: int | None = Field(description="Of its catalogue; null while that is not loaded.")
    catalogue_version: int | None = Field(description="Of its catalogue; null while that is not loaded.")


class NamespacesOut(BaseModel):
    """The namespaces of a service."""

    namespaces: list[NamespaceOut] = Field(description="By name.")


@router.get("/namespaces", operation_id="listNamespaces", dependencies=[ADMIN_OF_ALL])
async def list_namespaces(namespaces: NamespacesDep) -> NamespacesOut:
    """The namespaces there are, for whoever has a key for all of them."""
    return NamespacesOut(namespaces=[NamespaceOut.model_validate(it) for it in namespaces.states()])


@router.put(
    "/namespaces/{namespace}",
    operation_id="makeNamespace",
    dependencies=[ADMIN_OF_ALL],
    responses=responses(409, 422, 500, 503, 507)
    | {201: {"model": NamespaceOut, "description": "It is made, and empty."}, 200: {"description": "It was there."}},
)
async def make_namespace(namespace: Namespace, response: Response, namespaces: NamespacesDep) -> NamespaceOut:
    """Make a namespace, which answers at once; one that could not be started is started again.

    What is in it is at `/namespaces/{namespace}/v1/…`. It is deleted by whoever runs the service.
    """
    found, is_new = await namespaces.make(namespace)
    if is_new:
        response.status_code = _CREATED
    return NamespaceOut.model_validate(found)
