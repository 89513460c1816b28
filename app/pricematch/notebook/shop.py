"""A shop in a notebook: what can be asked of a catalogue that is loaded."""

import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pricematch.catalogue.evidence import read_evidence_field
from pricematch.catalogue.metadata import NO_METADATA, parse_metadata
from pricematch.catalogue.postings import MAX_IMAGES, as_posting_id
from pricematch.errors import NotReady, SettingsError
from pricematch.formats.posting_rows import metadata_limits
from pricematch.matching.matcher import Matcher
from pricematch.matching.probability_clusters import LEAST_MEAN
from pricematch.notebook.background import BackgroundService, in_thread
from pricematch.notebook.kept import Kept
from pricematch.notebook.late_progress import late_progress
from pricematch.notebook.questions import Filter, check_probability, chosen_signals, query_options, read_condition
from pricematch.notebook.sources import Image, image_bytes
from pricematch.notebook.tables import ShopMatches, ShopPairs, ShopProducts
from pricematch.serving.offline_store import with_store_of_catalogue
from pricematch.serving.results import Matched
from pricematch.serving.service import Service
from pricematch.settings import Settings

if TYPE_CHECKING:
    from pricematch.notebook.shop_evaluation import ShopEvaluation, ShopTraining

T = TypeVar("T")


class Shop:
    """A catalogue, and what can be asked of it. Made by `loading.load`.

    The first question computes the features of all postings and scores them, in worker processes that run until the
    shop is closed: by `close`, at the end of a `with` block, or when nobody holds it any more. Methods raise
    PricematchError, whose text says what was expected and what came.

    Attributes:
        folder: that models, features and trained matchers are kept in.
    """

    def __init__(self, settings: Settings, kept: Kept, postings: int) -> None:
        self._settings, self._kept, self._postings = settings, kept, postings
        self.folder = kept.folder
        self._finalizer = weakref.finalize(self, kept.abandon)

    def __len__(self) -> int:
        return self._postings

    def __repr__(self) -> str:
        state = "closed" if self._kept.closed else f"kept in {self.folder}"
        return f"<Shop: {len(self):,} postings, matcher {self.matcher}, {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes; a folder that `load` was not given is removed."""
        if self._finalizer.detach() is not None:
            self._kept.close()

    @property
    def matcher(self) -> str:
        """Which matcher decides: a trained version, `default`, or `auto` for the newest trained one or else default."""
        return self._settings.matcher

    def match(
        self,
        title: str = "",
        image: "Image | list[Image] | None" = None,
        *,
        limit: int = 10,
        min_probability: float | None = None,
        target: str | None = None,
        filter: Filter | None = None,  # noqa: A002
        metadata: Mapping[str, Any] | None = None,
    ) -> ShopMatches:
        """The postings that are the same product as a title, an image, or both.

        Args:
            title: of a posting.
            image: a path, the bytes of a file, an image of Pillow, or pixels: uint8, [height, width, 3]; or a list of
                these, the images of one posting.
            limit: matches, at most.
            min_probability: of a match; 0 gives every candidate. None for the threshold of the target.
            target: what the threshold was picked for: `f1`, or a precision such as `precision:0.95`. None for F1.
            filter: what holds of every match: `seller=acme;price=10..20`, or a mapping as JSON has it.
            metadata: the query's own, of which a matcher that was taught so compares what is evidence.
        """
        images = image if isinstance(image, list) else [] if image is None else [image]
        if not title and not images:
            raise SettingsError("expected a title, an image, or both, got none")
        if len(images) > MAX_IMAGES:
            raise SettingsError(f"expected at most {MAX_IMAGES} images of a posting, got {len(images)}")
        content = [image_bytes(it, self._settings.max_image_bytes) for it in images]
        options = query_options(self._settings, limit, min_probability, target, filter)
        own = NO_METADATA if metadata is None else parse_metadata(dict(metadata), metadata_limits(self._settings))
        return self._matches(lambda service: service.match(content, title, options, own))

    def matches(
        self,
        posting_id: str,
        *,
        limit: int = 10,
        min_probability: float | None = None,
        target: str | None = None,
        filter: Filter | None = None,  # noqa: A002
    ) -> ShopMatches:
        """The matches of a posting of the catalogue, itself excluded; the options are those of `match`."""
        options, wanted = (
            query_options(self._settings, limit, min_probability, target, filter),
            as_posting_id(posting_id),
        )
        return self._matches(lambda service: service.matches_of(wanted, options))

    def pairs(self, min_probability: float = 0.5, *, filter: Filter | None = None) -> ShopPairs:  # noqa: A002
        """The candidate pairs of a probability, at least, of both of whose postings the filter holds."""
        check_probability(min_probability)
        condition = read_condition(self._settings, filter)

        def found(matcher: Matcher) -> ShopPairs:
            search = matcher.trained("pairs")
            return ShopPairs(search.catalogue, search.pairs, min_probability, matcher.allowed(condition))

        return self._computed(found)

    def clusters(
        self,
        *,
        min_probability: float | None = None,
        target: str | None = None,
        filter: Filter | None = None,  # noqa: A002
    ) -> ShopProducts:
        """The product of every posting: clusters by average probability, at the threshold of the target or another.

        Of those that the filter holds of, as if there were no others.
        """
        options = query_options(self._settings, 1, min_probability, target, filter)

        def found(matcher: Matcher) -> ShopProducts:
            search = matcher.trained("clusters")
            threshold = max(search.rule(options.target, options.min_probability).thresholds.match, LEAST_MEAN)
            rows, allowed = search.catalogue.by_id, matcher.allowed(options.filter)
            if allowed is None:
                return ShopProducts(search.catalogue, rows, search.clusters.all(threshold))
            rows = rows[allowed[rows]]
            return ShopProducts(search.catalogue, rows, search.clusters.among(rows, threshold))

        return self._computed(found)

    def evaluate(
        self, *, signals: str | None = None, folds: int = 5, seed: int = 0, matcher: str | None = None
    ) -> "ShopEvaluation":
        """Measure on the label groups how well the matcher and each signal find postings of the same product.

        A trained matcher is measured on label groups that it was not trained on; every posting needs a label group.

        Args:
            signals: hash, title, image, with commas between them; those that the postings have something for if None.
            folds: parts of the label groups; the signals are scored at thresholds picked on the others.
            seed: of everything drawn.
            matcher: a version, `default` or `auto`; None for the one that decides.
        """
        from pricematch.evaluation.catalogue_evaluation import EvaluateOptions, evaluate
        from pricematch.notebook.shop_evaluation import ShopEvaluation

        settings = self._open()
        options = EvaluateOptions(chosen_signals(settings, signals), None, folds, seed, matcher or self.matcher)
        with late_progress() as late:
            found = in_thread(lambda progress: evaluate(settings, options, progress), late)
        if found.matched is None:
            raise SettingsError("expected a matcher to evaluate, got none")
        return ShopEvaluation(settings, found, found.matched)

    def train(
        self,
        *,
        signals: str | None = None,
        share: float = 1.0,
        seed: int = 0,
        force: bool = False,
        evidence: str | Sequence[str] = (),
    ) -> "ShopTraining":
        """Teach a matcher by the label groups; the shop decides by it then, if it is better than the default one.

        It is kept below `folder`, in `models/matcher/<version>`, where `pricematch serve --models` takes it. Minutes
        for 17,000 postings.

        Args:
            signals: as for `evaluate`.
            share: of the label groups to learn from; `evaluate` measures on the others.
            seed: of everything drawn.
            force: keep it also where it is no better than the default matcher.
            evidence: fields of metadata to compare by as well, with their types: `price:number`, `brand.name:text`.
        """
        from pricematch.learning.train_matcher import TrainMatcherOptions, train_matcher
        from pricematch.notebook.shop_evaluation import ShopTraining

        if not 0 < share <= 1:
            raise SettingsError(f"expected a share of the label groups above 0 and up to 1, got {share!r}")
        settings = self._open()
        fields = tuple(map(read_evidence_field, [evidence] if isinstance(evidence, str) else evidence))
        chosen = chosen_signals(settings, signals)
        options = TrainMatcherOptions(chosen, share, seed, None, force=force, evidence=fields)
        with late_progress() as late:
            trained = in_thread(lambda progress: train_matcher(settings, options, progress), late)
        if trained.path is not None:
            with self._kept.lock:
                self._kept.stop()  # the next question starts with the new matcher
                self._settings = settings.model_copy(update={"matcher": trained.path.name})
        return ShopTraining(trained)

    def _matches(self, ask: Callable[[Service], Awaitable[Matched]]) -> ShopMatches:
        found = self._call(ask)
        catalogue = found.snapshot.matcher.catalogue
        return ShopMatches([catalogue.posting(it.posting_id) for it in found.result.matches], found.result)

    def _computed(self, compute: Callable[[Matcher], T]) -> T:
        """What is computed of the whole catalogue, here."""

        async def matcher(service: Service) -> Matcher:
            return service.snapshot.matcher

        return compute(self._call(matcher))

    def _call(self, work: Callable[[Service], Awaitable[T]]) -> T:
        """What the service answers, which is started if it does not run."""
        with late_progress() as progress:
            with self._kept.lock:
                settings = self._open()
                if (service := self._kept.service) is None:
                    service = BackgroundService(with_store_of_catalogue(settings), progress)
                    self._kept.service = service
            return service.call(work)

    def _open(self) -> Settings:
        """The settings; raises NotReady once the shop is closed."""
        if self._kept.closed:
            raise NotReady("the shop is closed; load it again")
        return self._settings
