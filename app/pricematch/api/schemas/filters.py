"""Filters and exclusions as requests have them, and declared fields."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from pricematch.api.schemas.fields import CatalogueVersion
from pricematch.catalogue.fields import FieldType
from pricematch.catalogue.filter_text import read_filter
from pricematch.catalogue.filters import Filter
from pricematch.catalogue.metadata import NO_METADATA, Metadata, parse_metadata
from pricematch.formats.posting_rows import metadata_limits
from pricematch.matching.queries import Options
from pricematch.serving.exclusions import read_exclusions, unlike_metadata
from pricematch.settings import Settings

_EXAMPLE = "seller=acme|lg;price=10..20;!returned"
_TEXT: Any = Field(
    description="What must hold of a posting: JSON, where it begins with `{`, or in short: conditions with `;` "
    "between, such as `seller=acme`, `seller!=acme`, `brand=a|b`, `price=10..20`, `colour` (it is there), "
    "`!colour` (it is not).",
    examples=[_EXAMPLE],
)
FilterText = Annotated[str | None, _TEXT]
NeededFilterText = Annotated[str, _TEXT]
FilterJson = Annotated[
    str | dict[str, Any] | None,
    Field(
        description='What must hold of a posting: an object such as `{"price": {"gte": 10, "lt": 20}}`, or a '
        "text as the parameter `filter` has it.",
        examples=[{"seller": {"in": ["acme", "lg"]}, "price": {"gte": 10, "lt": 20}}],
    ),
]
ExcludeText = Annotated[
    str | None,
    Field(
        description="With commas between them: fields of which a match may share no value with the query, and "
        "`product`, which excludes the other postings of a stored one's product.",
        examples=["seller,product"],
    ),
]


class NarrowedRequest(BaseModel):
    """What narrows the matches of a query that is sent."""

    model_config = ConfigDict(extra="forbid")

    filter: FilterJson = None
    exclude: ExcludeText = None
    metadata: dict[str, Any] | None = Field(
        default=None,
        description="The query's own, of which `exclude` takes values, and a matcher what is evidence; in a form as "
        "text of JSON.",
    )

    def own(self, settings: Settings) -> Metadata:
        """The query's metadata; raises FieldInvalid."""
        return NO_METADATA if self.metadata is None else parse_metadata(self.metadata, metadata_limits(settings))


def filter_in(given: str | dict[str, Any] | None, settings: Settings) -> Filter | None:
    """The filter of a request; raises FilterInvalid."""
    return None if given is None else read_filter(given, settings.max_filter_bytes)


def narrowed(options: Options, address: dict[str, str | None], body: NarrowedRequest, settings: Settings) -> Options:
    """Options with filter and exclusions, each of which stands in the address or in the body.

    Raises:
        RequestValidationError: one stands in both.
        FilterInvalid, FieldInvalid: something cannot be read.
    """
    for name, value in address.items():
        if value is not None and getattr(body, name) is not None:
            message = "expected it in the address or in the body, got both"
            raise RequestValidationError([{"type": "value_error", "loc": ("query", name), "msg": message}])
    given = address["filter"] if body.filter is None else body.filter
    exclude = address["exclude"] if body.exclude is None else body.exclude
    condition, names = filter_in(given, settings), () if exclude is None else read_exclusions(exclude)
    return replace(options, filter=unlike_metadata(condition, names, body.own(settings)))


class FieldIn(BaseModel):
    """A field of postings to declare."""

    model_config = ConfigDict(extra="forbid")

    type: FieldType = Field(description="Of its values; others are found too.")
    evidence: bool = Field(
        default=False, description="Whether postings are compared by it, too, where a trained matcher has learned to."
    )


class FieldOut(BaseModel):
    """A declared field, by which filters are quick."""

    name: str = Field(description="Its path: names with dots between.", examples=["brand.name"])
    type: FieldType
    evidence: bool = Field(description="Whether postings are compared by it, where a trained matcher has learned to.")
    numbers: int = Field(ge=0, description="How many postings have a number there.")
    texts: int = Field(ge=0, description="How many have a text there.")


class FieldsOut(BaseModel):
    """The declared fields, by their names."""

    catalogue_version: CatalogueVersion
    fields: list[FieldOut]
