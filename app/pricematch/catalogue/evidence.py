"""Evidence fields: declared fields of metadata whose values postings are compared by, as arrays."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.fields import FIELD_TYPES, Field
from pricematch.catalogue.filters import OWN_FIELDS, Value, field_path, values_at
from pricematch.catalogue.metadata import Metadata
from pricematch.errors import FilterInvalid

MAX_TEXTS = 8
"""Texts of one field that a posting is compared by: those of the lowest digests, where it has more."""
_Compared: TypeAlias = tuple[float | None, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class EvidenceValues:
    """What n postings have in k fields.

    Attributes:
        fields: k.
        numbers: float64 [n, k], of several the lowest; NaN where there is none, or the field is one of texts.
        texts: uint64 [n, k, `MAX_TEXTS`], digests, ascending but for zeros behind; zeros where the field is of numbers.
    """

    fields: tuple[Field, ...]
    numbers: NDArray[np.float64]
    texts: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def none(cls, fields: Sequence[Field], count: int) -> "EvidenceValues":
        """Those of postings that have nothing there."""
        shape = count, len(fields)
        return cls(tuple(fields), np.full(shape, np.nan), np.zeros((*shape, MAX_TEXTS), np.uint64))

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where a posting has something, bool [n, k]."""
        return np.asarray(~np.isnan(self.numbers) | (self.texts[:, :, 0] != 0), np.bool_)

    def select(self, rows: NDArray[np.integer]) -> "EvidenceValues":
        """Those of some postings, in the order given."""
        return EvidenceValues(self.fields, self.numbers[rows], self.texts[rows])

    def joined(self, more: "EvidenceValues") -> "EvidenceValues":
        """These, and more of the same fields behind them."""
        numbers, texts = np.concatenate([self.numbers, more.numbers]), np.concatenate([self.texts, more.texts])
        return EvidenceValues(self.fields, numbers, texts)

    def without(self, rows: NDArray[np.integer]) -> "EvidenceValues":
        """The same with nothing at some rows."""
        numbers, texts = self.numbers.copy(), self.texts.copy()
        numbers[rows], texts[rows] = np.nan, 0
        return EvidenceValues(self.fields, numbers, texts)

    def of(self, fields: Sequence[Field]) -> "EvidenceValues":
        """Those of some fields, in the order given; nothing where there is no such field."""
        if tuple(fields) == self.fields:
            return self
        found = EvidenceValues.none(fields, len(self))
        for place, field in enumerate(fields):
            if field in self.fields:
                own = self.fields.index(field)
                found.numbers[:, place], found.texts[:, place] = self.numbers[:, own], self.texts[:, own]
        return found


@dataclass(frozen=True)
class EvidenceFields:
    """Which fields of metadata are compared.

    Attributes:
        fields: those that a pair model takes.
        read: those of them that are read; no posting has anything in the others.
    """

    fields: tuple[Field, ...] = ()
    read: frozenset[Field] = frozenset()

    @classmethod
    def declared(cls, fields: Iterable[Field], declared: Iterable[Field]) -> "EvidenceFields":
        """The fields that a pair model takes, those read that are declared as evidence."""
        wanted = tuple(fields)
        return cls(wanted, frozenset(wanted) & {it for it in declared if it.evidence})

    @classmethod
    def every(cls, fields: Iterable[Field]) -> "EvidenceFields":
        """All of some fields are read."""
        wanted = tuple(fields)
        return cls(wanted, frozenset(wanted))

    def values(self, metadata: Sequence[Metadata]) -> EvidenceValues | None:
        """The values of postings with some metadata; None where there are no fields to compare."""
        if not self.fields:
            return None
        found = EvidenceValues.none(self.fields, len(metadata))
        for row, one in enumerate(metadata):
            for place, (number, texts) in enumerate(self.compared(one)):
                if number is not None:
                    found.numbers[row, place] = number
                found.texts[row, place, : len(texts)] = texts
        return found

    def compared(self, metadata: Metadata) -> Sequence[_Compared]:
        """All that is compared of some metadata: a number or None, and digests of texts, by field."""
        return [_compared(it, metadata) if it in self.read else (None, ()) for it in self.fields]

    def same(self, one: Metadata, other: Metadata) -> bool:
        """Whether the fields have the same values in both."""
        return one is other or self.compared(one) == self.compared(other)


NO_EVIDENCE = EvidenceFields()
"""No fields are compared."""


def evidence_field(field: Field) -> Field:
    """A field as it was given; raises FilterInvalid where it is to be evidence and is none of metadata."""
    if field.evidence and field.name in OWN_FIELDS:
        raise FilterInvalid(f"evidence: expected a field of metadata, got {field.name}")
    return field


def read_evidence_field(text: str) -> Field:
    """The field of `NAME:number` or `NAME:text`; raises FilterInvalid."""
    name, _, kind = text.rpartition(":")
    types = {it: it for it in FIELD_TYPES}
    if kind not in types:
        raise FilterInvalid(f"evidence: expected NAME:number or NAME:text, got {text[:80]!r}")
    return evidence_field(Field(field_path(name, "evidence"), types[kind], evidence=True))


def in_order(fields: Iterable[Field]) -> tuple[Field, ...]:
    """Fields by their names; raises FilterInvalid where two have one name."""
    found = tuple(sorted(fields, key=lambda field: field.name))
    for one, other in pairwise(found):
        if one.name == other.name:
            raise FilterInvalid(f"evidence: expected each field once, got {one.name} twice")
    return found


def evidence_features(
    one: EvidenceValues, other: EvidenceValues, left: NDArray[np.integer], right: NDArray[np.integer]
) -> NDArray[np.float32]:
    """The features of m pairs, float32 [m, f], named as `evidence_names`; NaN where an end has nothing.

    Args:
        one: values of the left ends,
        other: and of the right ones, in the same fields.
        left: [m], positions in the first,
        right: [m], and in the second.
    """
    columns = list[NDArray[np.float64]]()
    for place, field in enumerate(one.fields):
        if field.type == "number":
            a, b = one.numbers[left, place], other.numbers[right, place]
            positive = (a > 0) & (b > 0)
            ratio = np.full(len(left), np.nan)
            ratio[positive] = np.abs(np.log(a[positive]) - np.log(b[positive]))
            columns += [ratio, np.where(np.isnan(a) | np.isnan(b), np.nan, a == b)]
        else:
            columns.append(_shared(one.texts[left, place], other.texts[right, place]))
    return np.column_stack(columns).astype(np.float32)


def evidence_names(fields: Sequence[Field]) -> tuple[str, ...]:
    """Names of the features of fields by their numbers, since trees do not take every name.

    `field_0_ratio`, of numbers: how many times the larger is the smaller, as a logarithm, where both are above 0.
    `field_0_equal`, of numbers: 1 where they are equal. `field_0_shared`, of texts: how many both have, as a share of
    those that either has.

    >>> evidence_names([Field("price", "number"), Field("brand", "text")])
    ('field_0_ratio', 'field_0_equal', 'field_1_shared')
    """
    of = {"number": ("ratio", "equal"), "text": ("shared",)}
    return tuple(f"{_PREFIX}{place}_{what}" for place, field in enumerate(fields) for what in of[field.type])


def evidence_families(fields: Sequence[Field]) -> tuple[str, ...]:
    """What the names of the features of each field begin with."""
    return tuple(f"{_PREFIX}{place}" for place in range(len(fields)))


def is_evidence(feature: str) -> bool:
    """Whether a feature is one of an evidence field."""
    return feature.startswith(_PREFIX)


def direction(feature: str) -> int:
    """1 where more of a feature can only make a pair surer, −1 where only less sure, 0 where anything.

    >>> direction("field_0_ratio"), direction("field_0_equal"), direction("field_1_shared"), direction("hash_repeats")
    (-1, 1, 1, 0)
    """
    if not is_evidence(feature):
        return 0
    return -1 if feature.endswith("_ratio") else 1


_PREFIX = "field_"


def _compared(field: Field, metadata: Metadata) -> _Compared:
    values = [*values_at(metadata.fields, field.name.split("."))]
    if field.type == "number":
        return min((float(it.value) for it in values if it.type == "number"), default=None), ()
    digests = {_digest(text) for it in values if (text := folded(it))}
    return None, tuple(sorted(digests)[:MAX_TEXTS])


def folded(value: Value) -> str:
    """A value as texts are compared: whatever its case, forms of letters and blanks; "" where there is nothing.

    >>> [folded(Value("text", " ACME  Ｃo")), folded(Value("number", 501.0)), folded(Value("boolean", True))]
    ['acme co', '501', 'true']
    """
    if value.type == "object":
        return ""
    text = f"{value.value:.15g}" if value.type == "number" else str(value.value)
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") | 1


def _shared(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Of m pairs of sets, as rows of digests: how many are in both, as a share of those in either; NaN of none."""
    a, b = (it[:, : max(1, int((it != 0).any(axis=0).sum()))] for it in (one, other))
    sizes, others = (a != 0).sum(axis=1), (b != 0).sum(axis=1)
    both = ((a[:, :, np.newaxis] == b[:, np.newaxis, :]) & (a != 0)[:, :, np.newaxis]).sum(axis=(1, 2))
    shares = both / np.maximum(1, sizes + others - both)
    return np.where((sizes > 0) & (others > 0), shares, np.nan)
