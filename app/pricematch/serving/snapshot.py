"""A snapshot: a catalogue in memory at one version of its store, and when all of it should be scored anew."""

from collections.abc import Sequence
from dataclasses import dataclass

from pricematch.catalogue.products import product_id
from pricematch.errors import ProductsUnknown
from pricematch.matching.matcher import Matcher
from pricematch.serving.changes import Held
from pricematch.serving.products import Products

STALE = 0.25
"""Part of the postings that may have come or gone before all are scored together again,"""
FEW = 256
"""but so many at least."""


@dataclass(frozen=True)
class Snapshot:
    """A catalogue at one version. Immutable.

    Attributes:
        version: grows with every snapshot that may answer otherwise.
        matcher: answers from it.
        anew: whether it may answer otherwise than what was served of the same version before.
        has: which changes of the store; None: all up to the version.
        products: of the catalogue; None where no matcher decides, or nobody keeps them.
    """

    version: int
    matcher: Matcher
    anew: bool = False
    has: Held | None = None
    products: Products | None = None

    @property
    def held(self) -> Held:
        """Which changes of the store it has."""
        return self.has or Held(self.version, self.version)

    def product_of(self, posting_id: str) -> str | None:
        """The id of a posting's product; None where it has none that is known."""
        if self.products is None or self.products.state is None:
            return None
        row = self.matcher.catalogue.located([posting_id]).get(posting_id)
        return None if row is None else product_id(int(self.products.partition.numbers[row]))

    def with_product_of(self, row: int) -> Sequence[str]:
        """The ids of all postings of the product that the posting of a row is of.

        Raises:
            MatcherNeeded: no matcher decides, so there are no products.
            ProductsUnknown: they could not be kept.
        """
        self.matcher.trained("a product")
        if self.products is None or self.products.state is None:
            raise ProductsUnknown
        partition = self.products.partition
        return self.matcher.catalogue.ids_of(partition.rows_of([int(partition.numbers[row])]))

    @property
    def stale(self) -> bool:
        """Whether so much has changed that all should be scored, or at least packed, anew."""
        catalogue, trained = self.matcher.catalogue, self.matcher.probability
        changes = catalogue.span - len(catalogue) if trained is None else trained.changes
        return changes > max(FEW, STALE * len(catalogue))

    def young(self, few: int) -> bool:
        """Whether so few postings are there, and so many of them new, that their words are hardly known yet."""
        size, trained = len(self.matcher.catalogue), self.matcher.probability
        return trained is not None and size <= few and trained.changes > STALE * size

    @property
    def changed(self) -> bool:
        """Whether anything has come or gone, or been decided, that scoring all together would take into account."""
        trained = self.matcher.probability
        return trained is not None and (trained.changes > 0 or trained.untaught)
