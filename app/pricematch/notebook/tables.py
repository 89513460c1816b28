"""Results as tables: records that a data frame takes, and HTML that a notebook shows."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.clustering.average_linkage import CohesiveClusters
from pricematch.matching.queries import Decision, Match, Result
from pricematch.pairs.model import ScoredPairs
from pricematch.serving.match_records import match_fields

_SHOWN = 50
"""Rows of a table that a notebook shows."""


class Table(ABC):
    """Rows that a data frame takes: `pandas.DataFrame(table.records())`."""

    columns: Sequence[str] = ()
    """What a notebook shows of each row."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def rows(self) -> Iterator[Mapping[str, Any]]:
        """The rows, one after the other."""

    def records(self) -> list[dict[str, Any]]:
        """All rows, as mappings by column."""
        return [dict(row) for row in self.rows()]

    def caption(self) -> str:
        """What the table holds, in one line."""
        return f"{len(self):,} rows"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.caption()}>"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(_shown(row.get(name)))}</td>' for name in self.columns)}</tr>"
            for row in islice(self.rows(), _SHOWN)
        )
        more = f", the first {_SHOWN} shown" if len(self) > _SHOWN else ""
        caption = f"<caption>{escape(self.caption())}{more}</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True, slots=True)
class ShopMatch:
    """A match of a query.

    Attributes:
        posting: what was found.
        match: how alike, how probable, and why.
    """

    posting: Posting
    match: Match

    @property
    def posting_id(self) -> str:
        """Which posting it is."""
        return self.posting.posting_id

    @property
    def title(self) -> str:
        """Its title."""
        return self.posting.title

    @property
    def probability(self) -> float | None:
        """That both are the same product, 0…1; None where similarity decides."""
        return self.match.probability

    @property
    def similarity(self) -> float | None:
        """Cosine of the images' embeddings, −1…1; None where one of the two has none."""
        return self.match.similarity

    @property
    def level(self) -> str | None:
        """The match type: `identical`, `near` or `same_product`; None where similarity decides."""
        return self.match.match_type

    @property
    def evidence(self) -> Sequence[str]:
        """What weighed most, the weightiest first, each with the log odds that it adds."""
        evidence = self.match.evidence
        return [] if evidence is None else [f"{it.weight:+.1f} {it.text}" for it in evidence.reasons]

    def record(self) -> dict[str, Any]:
        """The match as the service answers it, with the reasons as text in `evidence`."""
        fields = match_fields(self.match) | {"evidence": "; ".join(self.evidence)}
        return {"posting_id": self.posting_id, "title": self.title, **fields}


class ShopMatches(Table, Sequence[ShopMatch]):
    """Matches of a query, the most probable first.

    Attributes:
        decision: the rule that chose them: thresholds, target, models.
    """

    columns = ("posting_id", "title", "probability", "level", "evidence")

    def __init__(self, postings: Sequence[Posting], result: Result) -> None:
        self._matches = [ShopMatch(*pair) for pair in zip(postings, result.matches, strict=True)]
        self.decision: Decision = result.decision

    def __len__(self) -> int:
        return len(self._matches)

    def __getitem__(self, place: Any) -> Any:
        return self._matches[place]

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """The matches as records."""
        return (match.record() for match in self._matches)

    def caption(self) -> str:
        """How many there are, and what decided."""
        models = ", ".join(f"{name}/{version}" for name, version in self.decision.models.items())
        return f"{len(self)} matches by {self.decision.by} of at least {self.decision.threshold:.4g} ({models})"


class ShopPairs(Table):
    """Candidate pairs, the most probable first.

    Args:
        catalogue: that they are of.
        pairs: by its rows.
        min_probability: of a pair, at least.
        allowed: bool [span], rows of which both ends are; None for any.

    Attributes:
        left, right: rows of the catalogue, int32 [m], by posting_id left < right.
        probabilities: float64 [m], that both are the same product.
    """

    columns = ("left", "right", "probability")

    def __init__(
        self,
        catalogue: Catalogue,
        pairs: ScoredPairs,
        min_probability: float,
        allowed: NDArray[np.bool_] | None = None,
    ) -> None:
        kept = pairs.probabilities >= min_probability
        if allowed is not None:
            kept &= allowed[pairs.left] & allowed[pairs.right]
        left, right = pairs.left[kept], pairs.right[kept]
        place = np.empty(catalogue.span, np.intp)
        place[catalogue.by_id] = np.arange(len(catalogue.by_id))
        swapped = place[left] > place[right]
        left, right = np.where(swapped, right, left), np.where(swapped, left, right)
        order = np.lexsort((place[right], place[left], -pairs.probabilities[kept]))
        self._catalogue, self._least = catalogue, min_probability
        self.left: NDArray[np.int32] = left[order]
        self.right: NDArray[np.int32] = right[order]
        self.probabilities: NDArray[np.float64] = pairs.probabilities[kept][order]

    def __len__(self) -> int:
        return len(self.left)

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """The pairs as records: `left`, `right`, `probability`."""
        for first in range(0, len(self), _SHOWN):
            piece = slice(first, first + _SHOWN)
            ends = (self._catalogue.ids_of(rows[piece]) for rows in (self.left, self.right))
            for left, right, probability in zip(*ends, self.probabilities[piece].tolist(), strict=True):
                yield {"left": left, "right": right, "probability": probability}

    def caption(self) -> str:
        """How many there are."""
        return f"{len(self):,} pairs of a probability of at least {self._least:g}"


class ShopProducts(Table):
    """The product that each posting is of, in the order of the ids; every posting is of one.

    Args:
        catalogue: that they are of.
        rows: of the postings, in the order of their ids.
        found: their clusters, in the same order.
    """

    columns = ("posting_id", "title", "product", "postings", "cohesion")

    def __init__(self, catalogue: Catalogue, rows: NDArray[np.integer], found: CohesiveClusters) -> None:
        self._postings = list(catalogue.select(rows))
        labels = found.assignment.labels
        alone = labels < 0
        numbers = np.where(alone, len(found.cohesion) + np.cumsum(alone), labels)
        _, first, self.products = np.unique(numbers, return_index=True, return_inverse=True)
        self.products = np.argsort(np.argsort(first))[self.products]
        self._counts = np.bincount(self.products)
        self._cohesion = np.where(alone, 1.0, np.append(found.cohesion, 1.0)[labels])

    def __len__(self) -> int:
        return len(self._postings)

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """The postings as records: `posting_id`, `title`, `product`, its `postings`, its `cohesion`, `label_group`."""
        columns = self._postings, self.products.tolist(), self._cohesion.tolist()
        for posting, product, cohesion in zip(*columns, strict=True):
            yield {
                "posting_id": posting.posting_id,
                "title": posting.title,
                "product": product,
                "postings": int(self._counts[product]),
                "cohesion": cohesion,
                "label_group": posting.label_group,
            }

    def caption(self) -> str:
        """How many postings are of how many products."""
        return f"{len(self):,} postings of {len(self._counts):,} products"


def _shown(cell: object) -> str:
    """A cell as a table shows it."""
    if cell is None:
        return ""
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
