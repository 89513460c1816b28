"""Schemas of many changes of postings in one request."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pricematch.api.dependencies import read_posting_id
from pricematch.api.posting_bodies import PatchJson, PostingJson
from pricematch.api.problems import Fault, Problem, invalid_request, problem_of
from pricematch.api.schemas.fields import CatalogueVersion, absent
from pricematch.catalogue.records import Kept, Removed
from pricematch.errors import FieldInvalid
from pricematch.store.ports import ChangeOutcome

_Id = Annotated[str, AfterValidator(read_posting_id), Field(description="Id of the posting.")]
_IfMatch = Annotated[
    str | None,
    Field(max_length=2000, description="`ETag` that the stored posting must have, or `*`: it must be there."),
]
_IfNoneMatch = Annotated[str | None, Field(max_length=2000, description="`*`: it must not be there.")]


class PutChange(PostingJson):
    """Store a posting, all of it, in place of the one with its id."""

    op: Literal["put"]
    posting_id: _Id
    if_match: _IfMatch = None
    if_none_match: _IfNoneMatch = None


class PatchChange(PatchJson):
    """Change some of a stored posting."""

    op: Literal["patch"]
    posting_id: _Id
    if_match: _IfMatch = None


class DeleteChange(BaseModel):
    """Remove a posting; one that is not there is no error."""

    model_config = ConfigDict(extra="forbid")

    op: Literal["delete"]
    posting_id: _Id
    if_match: _IfMatch = None


KINDS: Mapping[str, type[PutChange] | type[PatchChange] | type[DeleteChange]] = MappingProxyType(
    {"put": PutChange, "patch": PatchChange, "delete": DeleteChange}
)


class ChangesIn(BaseModel):
    """Changes, made one after the other; each is checked by itself."""

    model_config = ConfigDict(extra="forbid")

    items: list[Any] = Field(min_length=1, description="What is to be done.")


class ChangedOut(BaseModel):
    """What became of one change."""

    index: int = Field(ge=0, description="Position among the items sent, from 0.")
    posting_id: str | None = Field(description="Null where none could be read.")
    outcome: Literal["created", "replaced", "unchanged", "removed", "absent", "failed"] = Field(
        description="`absent`: it was to be removed and was not there; `failed`: nothing was changed, see `problem`."
    )
    revision: int | None = Field(
        default=None, exclude_if=absent, description="Of the stored posting, for `if_match`; absent of others."
    )
    problem: Problem | None = Field(
        default=None, exclude_if=absent, description="Why nothing was changed; else absent."
    )


class ChangedEachOut(BaseModel):
    """What became of each change, in the order of the items."""

    catalogue_version: CatalogueVersion
    failed: int = Field(ge=0, description="Items that were not done.")
    items: list[ChangedOut]


_SCHEMAS = {kind.__name__: kind.model_json_schema() for kind in KINDS.values()}
_EACH = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in _SCHEMAS]}
BODY = {
    **ChangesIn.model_json_schema(),
    "properties": {"items": {"type": "array", "minItems": 1, "items": _EACH}},
    "$defs": _SCHEMAS,
}
"""`ChangesIn` with the kinds of items, as OpenAPI has it."""


def item_place(index: int, field: str) -> str:
    """Where a field of an item stands in the request."""
    return f"body.items.{index}.{field}".rstrip(".")


def changed_out(index: int, posting_id: str | None, outcome: ChangeOutcome | Problem) -> ChangedOut:
    """What became of one change, or why it could not be read."""
    if isinstance(outcome, Kept):
        return ChangedOut(index=index, posting_id=posting_id, outcome=outcome.outcome, revision=outcome.revision)
    if isinstance(outcome, Removed):
        return ChangedOut(index=index, posting_id=posting_id, outcome="removed" if outcome.there else "absent")
    if isinstance(outcome, FieldInvalid):
        outcome = invalid_request([Fault(location=item_place(index, outcome.field), message=outcome.reason)])
    problem = outcome if isinstance(outcome, Problem) else problem_of(outcome)
    return ChangedOut(index=index, posting_id=posting_id, outcome="failed", problem=problem)
