"""Fields that are declared: columns of their values, so that a filter by them need not look into postings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.filters import (
    LABEL_GROUP,
    POSTING_ID,
    Either,
    Every,
    Filter,
    Has,
    Not,
    OneOf,
    Range,
    Test,
    Value,
    fields_of,
    value_of,
    values_at,
)
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.errors import FieldNotDeclared

FieldType: TypeAlias = Literal["number", "text"]
FIELD_TYPES: tuple[FieldType, ...] = get_args(FieldType)
_Mask: TypeAlias = NDArray[np.bool_]
MAX_SCANNED = 100_000
"""Postings that one condition on a field that is not declared may look into, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that filters name often.

    Attributes:
        name: its path, see `filters`.
        type: of its values; others are kept and found too, and counted.
        evidence: whether postings are compared by it, where a trained matcher has learned to.
    """

    name: str
    type: FieldType
    evidence: bool = False


class _Codes:
    """Numbers of values that are no numbers. They only grow, so columns that share them may be older."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._numbers: dict[Value, int] = {}

    def of(self, value: Value) -> int:
        """The number of a value, a new one where it has none."""
        if (known := self._numbers.get(value)) is None:
            self.values.append(value)
            known = self._numbers[value] = len(self.values) - 1
        return known

    def passing(self, test: Test) -> NDArray[np.int32]:
        """The numbers of the values that pass a test."""
        if isinstance(test, OneOf):
            known = [self._numbers[value] for value in test.values if value in self._numbers]
        else:
            known = [number for number, value in enumerate(tuple(self.values)) if test(value)]
        return np.array(known, np.int32)


@dataclass(frozen=True, eq=False)
class FieldColumn:
    """The values of one field in the rows of a catalogue; a row may have none or several. Immutable.

    Attributes:
        number_rows: int32 [p], the row of each number.
        numbers: float64 [p].
        code_rows: int32 [q], the row of each other value.
        codes: int32 [q], which value it is.
    """

    number_rows: NDArray[np.int32]
    numbers: NDArray[np.float64]
    code_rows: NDArray[np.int32]
    codes: NDArray[np.int32]
    known: _Codes = field(default_factory=_Codes)

    @classmethod
    def none(cls) -> "FieldColumn":
        """A column without values."""
        nowhere = np.empty(0, np.int32)
        return cls(nowhere, np.empty(0), nowhere, nowhere)

    def with_rows(self, rows: NDArray[np.integer], values: Callable[[int], Sequence[Value]]) -> "FieldColumn":
        """The column once some rows have other values, or are new."""
        number_rows, numbers, code_rows, codes = list[int](), list[float](), list[int](), list[int]()
        for row in rows.tolist():
            for value in values(row):
                if value.type == "number":
                    number_rows.append(row)
                    numbers.append(float(value.value))
                else:
                    code_rows.append(row)
                    codes.append(self.known.of(value))
        numeric, other = ~np.isin(self.number_rows, rows), ~np.isin(self.code_rows, rows)
        return replace(
            self,
            number_rows=np.concatenate([self.number_rows[numeric], np.array(number_rows, np.int32)]),
            numbers=np.concatenate([self.numbers[numeric], np.array(numbers, np.float64)]),
            code_rows=np.concatenate([self.code_rows[other], np.array(code_rows, np.int32)]),
            codes=np.concatenate([self.codes[other], np.array(codes, np.int32)]),
        )

    def mask(self, test: Test, span: int) -> _Mask:
        """Which rows have a value that passes a test, bool [span]."""
        found = np.zeros(span, np.bool_)
        if isinstance(test, OneOf):
            numbers = [value.value for value in test.values if value.type == "number"]
            found[self.number_rows[np.isin(self.numbers, np.array(numbers, np.float64))]] = True
        elif isinstance(test, Range):
            if test.type == "number":
                found[self.number_rows[test.holds(self.numbers)]] = True
        else:
            found[self.number_rows] = True
        numbers_passing = self.known.passing(test)  # first: others may add values meanwhile
        passing = np.zeros(len(self.known.values), np.bool_)
        passing[numbers_passing] = True
        found[self.code_rows[passing[self.codes]]] = True
        return found

    def counts(self, alive: _Mask) -> tuple[int, int]:
        """How many of the rows that are alive have a number, and how many a text."""
        texts = np.array([value.type == "text" for value in tuple(self.known.values)], np.bool_)
        with_text = self.code_rows[texts[self.codes]]
        return tuple(len(np.unique(rows[alive[rows]])) for rows in (self.number_rows, with_text))  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Fields:
    """The declared fields of a catalogue, with their columns. Immutable, safe to use from several threads.

    Attributes:
        declared: by name.
        columns: of these, by name.
        max_scanned: postings that one condition on another field may look into.
    """

    declared: Mapping[str, Field] = field(default_factory=dict)
    columns: Mapping[str, FieldColumn] = field(default_factory=dict)
    max_scanned: int = MAX_SCANNED

    def declaring(self, declared: Sequence[Field], catalogue: Catalogue) -> "Fields":
        """The same with other declared fields, of the postings of a catalogue."""
        columns = {
            it.name: self.columns.get(it.name)
            or FieldColumn.none().with_rows(catalogue.rows, _by_row(catalogue, it.name))
            for it in declared
        }
        return replace(self, declared={it.name: it for it in declared}, columns=columns)

    def declaring_as(self, built: "Fields", before: Catalogue, catalogue: Catalogue) -> "Fields | None":
        """The same with the declared fields of others, which were built for an earlier catalogue.

        None where the catalogue does not descend from that one, so that they have to be built anew.
        """
        if (rows := catalogue.changed_since(before)) is None:
            return None
        columns = {
            name: self.columns.get(name) or column.with_rows(rows, _by_row(catalogue, name))
            for name, column in built.columns.items()
        }
        return replace(self, declared=built.declared, columns=columns)

    def changed(self, rows: NDArray[np.integer], catalogue: Catalogue) -> "Fields":
        """The same once some rows of a catalogue have other values, or are new."""
        columns = {name: column.with_rows(rows, _by_row(catalogue, name)) for name, column in self.columns.items()}
        return replace(self, columns=columns)

    def mask(self, condition: Filter, catalogue: Catalogue) -> _Mask:
        """Which of a catalogue's postings a filter holds of, bool [span].

        What is declared is compared first; only what that leaves is looked into for other fields.

        Raises:
            FieldNotDeclared: these are more postings than may be.
        """
        return self._among(condition, catalogue.alive, catalogue)

    def _among(self, condition: Filter, rows: _Mask, catalogue: Catalogue) -> _Mask:
        """Which of some rows a filter holds of."""
        match condition:
            case Has(name, test) if name in self.columns:
                return rows & self.columns[name].mask(test, len(rows))
            case Has(name, OneOf(values)) if name == POSTING_ID:
                found = np.zeros(len(rows), np.bool_)
                found[[*catalogue.located([str(it.value) for it in values if it.type == "text"]).values()]] = True
                return rows & found
            case Has(name, test):
                return self._scanned(name, test, rows, catalogue)
            case Every(parts):
                for part in self._ordered(parts):
                    rows = self._among(part, rows, catalogue)
                return rows
            case Either(parts):
                left = rows
                for part in self._ordered(parts):
                    left = left & ~self._among(part, left, catalogue)
                return rows & ~left
            case Not(part):
                return rows & ~self._among(part, rows, catalogue)

    def _ordered(self, parts: Sequence[Filter]) -> Iterator[Filter]:
        """Parts by declared fields first."""
        fast = [all(name in self.columns for name in fields_of(part)) for part in parts]
        yield from (part for part, it in zip(parts, fast, strict=True) if it)
        yield from (part for part, it in zip(parts, fast, strict=True) if not it)

    def _scanned(self, name: str, test: Test, rows: _Mask, catalogue: Catalogue) -> _Mask:
        some = np.flatnonzero(rows)
        if len(some) > self.max_scanned:
            raise FieldNotDeclared(
                f"field {name!r} is not declared, and {len(some)} postings would have to be looked into for it, where "
                f"{self.max_scanned} may be: declare it (PUT /fields/{name}, or pricematch fields declare {name}), or "
                f"filter by a declared one besides"
            )
        values, found = _by_row(catalogue, name), np.zeros(len(rows), np.bool_)
        found[[row for row in some.tolist() if any(map(test, values(row)))]] = True
        return found


def field_values(posting: Posting, name: str) -> Sequence[Value]:
    """The values of a field of a posting, by the field's path."""
    return _of(name)(posting)


def _by_row(catalogue: Catalogue, name: str) -> Callable[[int], Sequence[Value]]:
    """Gives the values of a field by row."""
    values = _of(name)
    return lambda row: values(catalogue[row])


def _of(name: str) -> Callable[[Posting], Sequence[Value]]:
    """Gives the values of a field by posting."""
    path = name.split(".")
    if name == POSTING_ID:
        return lambda posting: (value_of(posting.posting_id),)
    if name == LABEL_GROUP:
        return lambda posting: () if posting.label_group is None else (value_of(posting.label_group),)

    def values(posting: Posting) -> Sequence[Value]:
        top = posting.metadata.fields.get(path[0])
        if top is None:
            return ()
        if len(path) == 1 and isinstance(top, str | int | float):  # which most are, and it is quicker
            return (value_of(top),)
        return tuple(values_at(top, path[1:]))

    return values
