"""A shop in a notebook: a catalogue, and what can be asked of it."""

import weakref
from collections.abc import Awaitable, Callable
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from pricematch.catalogue.postings import as_posting_id
from pricematch.encoding.catalogue_files import read_catalogue, read_to_learn
from pricematch.errors import NotReady, SettingsError
from pricematch.matching.matcher import Matcher
from pricematch.matching.probability_clusters import LEAST_MEAN
from pricematch.matching.queries import Options
from pricematch.notebook.background import BackgroundService, in_thread
from pricematch.notebook.kept import Kept, kept_in
from pricematch.notebook.late_progress import late_progress
from pricematch.notebook.sources import CatalogueSource, Image, catalogue_file, image_bytes
from pricematch.notebook.tables import ShopMatches, ShopPairs, ShopProducts
from pricematch.pairs.thresholds import Target
from pricematch.serving.offline_store import with_store_of_catalogue
from pricematch.serving.results import Matched
from pricematch.serving.service import Service
from pricematch.settings import Settings, load_settings

if TYPE_CHECKING:
    from pricematch.notebook.shop_evaluation import ShopEvaluation, ShopTraining

T = TypeVar("T")
_PATIENT = {"request_seconds": 3600.0, "follow_seconds": 3600.0}
"""Nobody else waits for an answer, and nobody else changes what is searched."""


class Shop:
    """A catalogue, and what can be asked of it. Made by `load`.

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
        image: "Image | None" = None,
        *,
        limit: int = 10,
        min_probability: float | None = None,
        target: str | None = None,
    ) -> ShopMatches:
        """The postings that are the same product as a title, an image, or both.

        Args:
            title: of a posting.
            image: a path, the bytes of a file, an image of Pillow, or pixels: uint8, [height, width, 3].
            limit: matches, at most.
            min_probability: of a match; 0 gives every candidate. None for the threshold of the target.
            target: what the threshold was picked for: `f1`, or a precision such as `precision:0.95`. None for F1.
        """
        if not title and image is None:
            raise SettingsError("expected a title, an image, or both, got none")
        content = None if image is None else image_bytes(image, self._settings.max_image_bytes)
        options = _options(limit, min_probability, target)
        return self._matches(lambda service: service.match(content, title, options))

    def matches(
        self, posting_id: str, *, limit: int = 10, min_probability: float | None = None, target: str | None = None
    ) -> ShopMatches:
        """The matches of a posting of the catalogue, itself excluded; the options are those of `match`."""
        options, wanted = _options(limit, min_probability, target), as_posting_id(posting_id)
        return self._matches(lambda service: service.matches_of(wanted, options))

    def pairs(self, min_probability: float = 0.5) -> ShopPairs:
        """The candidate pairs of a probability, at least, in the whole catalogue."""
        _check_probability(min_probability)

        def found(matcher: Matcher) -> ShopPairs:
            search = matcher.trained("pairs")
            return ShopPairs(search.catalogue, search.pairs, min_probability)

        return self._computed(found)

    def clusters(self, *, min_probability: float | None = None, target: str | None = None) -> ShopProducts:
        """The product of every posting: clusters by average probability, at the threshold of the target or another."""
        options = _options(1, min_probability, target)

        def found(matcher: Matcher) -> ShopProducts:
            search = matcher.trained("clusters")
            threshold = search.rule(options.target, options.min_probability).thresholds.match
            return ShopProducts(search.catalogue, search.clusters.all(max(threshold, LEAST_MEAN)))

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
        options = EvaluateOptions(_signals(settings, signals), None, folds, seed, matcher or self.matcher)
        with late_progress() as late:
            found = in_thread(lambda progress: evaluate(settings, options, progress), late)
        if found.matched is None:
            raise SettingsError("expected a matcher to evaluate, got none")
        return ShopEvaluation(settings, found, found.matched)

    def train(
        self, *, signals: str | None = None, share: float = 1.0, seed: int = 0, force: bool = False
    ) -> "ShopTraining":
        """Teach a matcher by the label groups; the shop decides by it then, if it is better than the default one.

        It is kept below `folder`, in `models/matcher/<version>`, where `pricematch serve --models` takes it. Minutes
        for 17,000 postings.

        Args:
            signals: as for `evaluate`.
            share: of the label groups to learn from; `evaluate` measures on the others.
            seed: of everything drawn.
            force: keep it also where it is no better than the default matcher.
        """
        from pricematch.learning.train_matcher import TrainMatcherOptions, train_matcher
        from pricematch.notebook.shop_evaluation import ShopTraining

        if not 0 < share <= 1:
            raise SettingsError(f"expected a share of the label groups above 0 and up to 1, got {share!r}")
        settings = self._open()
        options = TrainMatcherOptions(_signals(settings, signals), share, seed, None, force=force)
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


def load(
    source: CatalogueSource,
    images: "str | PathLike[str] | None" = None,
    *,
    folder: "str | PathLike[str] | None" = None,
    matcher: str = "auto",
    skip_bad_images: bool = False,
    workers: int | None = None,
) -> Shop:
    """Load a catalogue.

    Args:
        source: the path of a CSV or NDJSON file, a data frame (pandas, polars), columns by name, or records; with
            posting_id and perhaps image, title, image_phash, label_group.
        images: the folder that holds the images the postings name; None where there are none.
        folder: to keep models, features and trained matchers in, for the next time; None for a temporary one.
        matcher: `auto` for the newest that was trained in this folder, else the default one; `default`; a version.
        skip_bad_images: go on without missing or unreadable images, and say how many.
        workers: processes that decode and encode; those of the setting if None.

    Raises:
        CatalogueError: the catalogue cannot be used; names the bad rows.
        SettingsError: a folder is missing or cannot be written to.
    """
    kept = kept_in(folder)
    try:
        settings = load_settings(
            catalogue=catalogue_file(source, lambda: kept.folder),
            images=None if images is None else Path(images),
            models=kept.folder / "models",
            data=kept.folder / "data",
            matcher=matcher,
            skip_bad_images=skip_bad_images or None,
            workers=workers,
            **_PATIENT,
        )
        content = read_catalogue(settings)
        content.refuse(content.problems)
        _check_images(images)
        return Shop(settings, kept, len(content.postings))
    except BaseException:
        kept.close()
        raise


def _check_images(images: "str | PathLike[str] | None") -> None:
    if images is not None and not Path(images).is_dir():
        raise SettingsError(f"expected a folder of images, got {images}, which is not a folder")


def _signals(settings: Settings, given: str | None) -> tuple[str, ...]:
    """The names that are given, or of all signals that the postings have something for."""
    from pricematch.evaluation.load_features import parse_signals, signals_there

    return signals_there(settings, read_to_learn(settings)) if given is None else parse_signals(given)


def _options(limit: int, min_probability: float | None, target: str | None) -> Options:
    """The options of a query; raises SettingsError."""
    if limit < 1:
        raise SettingsError(f"expected a limit of 1 match or more, got {limit}")
    if min_probability is not None and target is not None:
        raise SettingsError("expected either min_probability or a target, got both")
    if min_probability is not None:
        _check_probability(min_probability)
    try:
        return Options(limit, min_probability=min_probability, target=None if target is None else Target.parse(target))
    except ValueError as error:
        raise SettingsError(f"target: {error}") from error


def _check_probability(probability: float) -> None:
    if not 0 <= probability <= 1:
        raise SettingsError(f"expected a probability, 0 to 1, got {probability!r}")
