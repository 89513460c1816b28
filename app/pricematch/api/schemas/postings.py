"""Schemas of postings, and fields that several schemas share."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from pricematch.pairs.thresholds import Target


def _target(value: Any) -> Any:
    """A target by its name."""
    return Target.parse(value) if isinstance(value, str) else value


MinProbability = Annotated[
    float,
    Field(allow_inf_nan=False, description="With a trained matcher: the threshold of the probability, 0…1."),
]
TargetName = Annotated[
    Target,
    BeforeValidator(_target),
    WithJsonSchema({"type": "string", "pattern": r"^(f1|precision:0?\.[0-9]+)$"}),
    Field(
        description="With a trained matcher: take the threshold it picked for `f1`, or for a precision such as "
        "`precision:0.95`, in a catalogue as large as this one.",
    ),
]
EncoderName = Annotated[
    str, Field(max_length=64, description="The encoder whose similarity is meant; the default one if absent.")
]


def absent(value: object) -> bool:
    """Whether a field is left out of an answer."""
    return value is None


def check_one_threshold(min_probability: float | None, target: Target | None) -> None:
    """Raise ValueError where both are given."""
    if min_probability is not None and target is not None:
        raise ValueError("expected either min_probability or target, got both")


CatalogueVersion = Annotated[
    int, Field(ge=0, description="The catalogue's version that this is from; grows with every change.")
]


class PostingOut(BaseModel):
    """A stored posting."""

    posting_id: str
    title: str
    image_phash: str | None = Field(description="16 hexadecimal digits, if the catalogue has them.")
    label_group: str | None = Field(description="The known product, if the catalogue has it.")
    image_url: str | None = Field(description="Null where the posting has no image.")


class StoredPostingOut(PostingOut):
    """A stored posting, and the catalogue it is in."""

    catalogue_version: CatalogueVersion


class PostingsOut(BaseModel):
    """A page of the stored postings, in the order of their ids."""

    catalogue_version: CatalogueVersion
    total: int = Field(ge=0, description="Postings of all pages.")
    postings: list[PostingOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


class RemovedOut(BaseModel):
    """What became of a posting that was to be removed: it is not there."""

    catalogue_version: CatalogueVersion
    posting_id: str
    removed: bool = Field(description="Whether it was there.")


class HealthOut(BaseModel):
    """How the service is."""

    status: Literal["ok", "ready"]
