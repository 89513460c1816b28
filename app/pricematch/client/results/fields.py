"""Fields that are declared, so that filters by them are quick."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

FieldType: TypeAlias = Literal["number", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A declared field, whether it is evidence, and how many postings have a number or a text there."""

    name: str
    type: FieldType
    evidence: bool
    numbers: int
    texts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The declared fields, by their names."""

    catalogue_version: int
    fields: tuple[Field, ...]
