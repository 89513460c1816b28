"""The cache of a scored catalogue: a start from it answers as one without it; any other file is ignored."""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.layers import Layered
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.errors import SettingsError
from pricematch.evaluation.several_images import layered_embeddings
from pricematch.formats.matcher_files import read_matcher
from pricematch.matching.matcher import Matcher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.queries import Options, Query
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.serving import scored_catalogue
from pricematch.serving.models import LoadedModels
from pricematch.serving.scored_catalogue import FILE, fingerprint, load_scored, save_scored
from pricematch.settings import Settings
from tests.support.catalogues import drawn
from tests.support.matchers import THRESHOLDS, export_matcher, tiny_model
from tests.support.served import Told, served, served_matcher, titles_and_hashes
from tests.support.several_images import drawn_several

COUNT = 60
FEATURES = drawn(COUNT)
POSTINGS = [Posting(f"p\udc80{row}", None, FEATURES.titles[row]) for row in range(COUNT)]


def answers(matcher: Matcher) -> list[Any]:
    """The matches of every posting, and of a title that is not stored."""
    options = Options(min_probability=0.0)
    every = [matcher.match_posting(it.posting_id, options).matches for it in matcher.catalogue]
    return [list(matches) for matches in (*every, matcher.match(Query("kopi susu manis"), options).matches)]


def scores(settings: Settings) -> bool:
    """Whether a start scores the catalogue."""
    told = Told()
    with served(settings, told):
        return "Scoring pairs" in told.what


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> LoadedModels:
    """Models with a matcher of hashes and titles."""
    return models_of(tmp_path_factory.mktemp("models"), "hash", "title")


def models_of(folder: Path, *signals: str) -> LoadedModels:
    """Models with a matcher of some signals."""
    export_matcher(folder, signals)
    return LoadedModels(read_matcher(folder, "1", 1), {}, {}, [])


def saved(folder: Path, models: LoadedModels) -> ProbabilitySearch:
    """A search of `POSTINGS`, kept in a folder."""
    assert models.matcher is not None
    search = ProbabilitySearch.build("matcher/1", Catalogue(POSTINGS), FEATURES, models.matcher.model, THRESHOLDS)
    save_scored(folder, models, POSTINGS, FEATURES, Layered(np.zeros(COUNT, np.bool_)), search)
    return search


def test_start_from_file_answers_as_fresh_start(tmp_path: Path) -> None:
    """A service that was started from the file gives the matches, probabilities and reasons of one without it."""
    settings = titles_and_hashes(tmp_path)
    fresh = answers(served_matcher(settings))
    assert not scores(settings)
    assert answers(served_matcher(settings)) == fresh


@pytest.mark.parametrize("signals", [("hash",), ("title",), ("hash", "title")])
def test_index_from_file_equals_index_built_afresh(
    tmp_path: Path, models: LoadedModels, signals: tuple[str, ...]
) -> None:
    """Its pairs, its profiles and the pairs of queries are those of the index that was written."""
    assert models.matcher is not None
    models = replace(models, matcher=replace(models.matcher, model=tiny_model(signals)))
    search = saved(tmp_path, models)
    kept = load_scored(tmp_path, models)
    assert kept is not None
    features, index = (
        kept.features({name: Layered(vectors) for name, vectors in FEATURES.embeddings.items()}),
        search.index,
    )
    again = ProbabilitySearch.build(
        "matcher/1", search.catalogue, features, index.model, THRESHOLDS, scored=kept.scored
    ).index
    assert list(kept.fingerprints) == [posting.posting_id for posting in POSTINGS]
    np.testing.assert_array_equal(again.base.probabilities, index.base.probabilities)
    ends = index.extractor.candidates
    np.testing.assert_array_equal(again.extractor.candidates, ends)
    profiles = index.extractor.own, again.extractor.own
    found = [it.extractor.features(own, *ends) for it, own in zip((index, again), profiles, strict=True)]
    np.testing.assert_array_equal(found[0], found[1])
    queries = [it.query(drawn(8, seed=1)) for it in (index, again)]
    np.testing.assert_array_equal(queries[0].features.values, queries[1].features.values)
    np.testing.assert_array_equal(queries[0].pairs.probabilities, queries[1].pairs.probabilities)


def test_several_images_of_postings_are_kept(tmp_path: Path, models: LoadedModels) -> None:
    """Layer by layer; embeddings come from elsewhere, and there may be none of some, or of more postings."""
    features = drawn_several(COUNT, lacking=0.1).without_unseen()
    marked = features.image_keys.made(lambda keys: keys % 3 == 1)
    features = features.without_marked(marked)
    assert models.matcher is not None
    model = models.matcher.model
    search = ProbabilitySearch.build("matcher/1", Catalogue(POSTINGS), features, model, THRESHOLDS)
    save_scored(tmp_path, models, POSTINGS, features, marked, search)
    kept = load_scored(tmp_path, models)
    assert kept is not None
    again = kept.features({name: of.joined(of) for name, of in layered_embeddings(features).items()})
    assert len(again.more) == len(features.more) == 7
    for one, other in zip(features.every.layers, again.every.layers, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.values.images, other.values.images)
        np.testing.assert_array_equal(one.values.hashes.values, other.values.hashes.values)
        np.testing.assert_array_equal(one.values.hashes.known, other.values.hashes.known)
        for name in one.values.embeddings:
            np.testing.assert_array_equal(one.values.embeddings[name], other.values.embeddings[name])
    for mask, before in zip(kept.stock.layers, marked.layers, strict=True):
        np.testing.assert_array_equal(mask.values, before.values)
    lacking = kept.features({"image": Layered(features.embeddings["image"])})
    assert not any(layer.values.embeddings["image"].any() for layer in lacking.more)


def test_a_fingerprint_covers_all_images() -> None:
    """In their order; that of a posting with one is what earlier versions wrote."""
    one = Posting("a", "1.png", "kopi", "f" * 16)
    several = [(), ("2.png",), ("2.png", "3.png"), ("3.png", "2.png"), ("kopi",)]
    assert len({fingerprint(replace(one, more_images=more)) for more in several}) == 5
    assert fingerprint(one) == 0x13B100D0A417976D


def test_search_results_of_images_rebuild_the_same_features() -> None:
    """The retrievers of embeddings search nothing either where the results are given."""
    extractor = PairFeatureExtractor(FEATURES, ("hash", "title", "image"))
    again = PairFeatureExtractor(FEATURES, extractor.signals, extractor.found)
    ends = extractor.candidates
    np.testing.assert_array_equal(again.features(again.own, *ends), extractor.features(extractor.own, *ends))


@pytest.mark.parametrize("content", [b"PK\x03\x04 damaged", b"", b"\x93NUMPY"])
def test_damaged_file_is_ignored_and_written_anew(tmp_path: Path, content: bytes) -> None:
    """A file that is no archive costs the time to score, once."""
    settings = titles_and_hashes(tmp_path)
    fresh = answers(served_matcher(settings))
    (settings.data / FILE).write_bytes(content)
    assert answers(served_matcher(settings)) == fresh
    assert not scores(settings)


def test_file_of_an_earlier_version_is_ignored_and_written_anew(tmp_path: Path) -> None:
    """Earlier versions wrote a JSON tree of objects with numbered arrays."""
    settings = titles_and_hashes(tmp_path)
    assert scores(settings)
    tree = np.frombuffer(b'{"key": "0", "thing": {"object": ["JudgedBase", {}]}}', np.uint8)
    np.savez(settings.data / FILE, **{"tree": tree, "0": np.arange(3)})  # type: ignore[arg-type]
    assert scores(settings)
    assert not scores(settings)


def test_file_of_another_format_is_ignored_and_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A raised format version invalidates what was written before."""
    settings = titles_and_hashes(tmp_path)
    assert scores(settings)
    monkeypatch.setattr(scored_catalogue, "FORMAT", scored_catalogue.FORMAT + 1)
    assert scores(settings)
    assert not scores(settings)


def test_file_of_another_matcher_is_foreign(tmp_path: Path, models: LoadedModels) -> None:
    """The matcher's manifest is part of the key."""
    saved(tmp_path, models)
    assert load_scored(tmp_path, models_of(tmp_path / "others", "title")) is None
    assert load_scored(tmp_path, LoadedModels(None, {}, {}, [])) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("titles", np.array([object], object)),
        ("more_rows", np.array([3])),
        ("more_ends", np.array([1])),
        ("left", np.array([COUNT], np.int32)),
        ("probabilities", np.zeros(1)),
        ("first", np.zeros((1, 1))),
        ("id_ends", np.zeros(3, np.int64)),
        ("hashes", np.zeros(COUNT, np.float32)),
        ("similarities", np.zeros((3, 1, 100))),
        ("share_ends", np.full(COUNT, 10**6)),
        ("ids", np.full(10**4, 0xFF, np.uint8)),
    ],
)
def test_arrays_that_do_not_fit_are_ignored(tmp_path: Path, models: LoadedModels, name: str, value: Any) -> None:
    """Also where the key is right: wrong dtypes, shapes, rows, and pickles, which are never read."""
    saved(tmp_path, models)
    with np.load(tmp_path / FILE) as file:
        arrays = dict(file)
    np.savez(tmp_path / FILE, **{**arrays, name: value})
    assert load_scored(tmp_path, models) is None


def test_every_truncated_or_changed_file_is_read_without_an_error(tmp_path: Path, models: LoadedModels) -> None:
    """A cut file is ignored; a flipped byte is ignored or says nothing."""
    saved(tmp_path, models)
    whole = (tmp_path / FILE).read_bytes()
    for size in range(0, len(whole), len(whole) // 40):
        (tmp_path / FILE).write_bytes(whole[:size])
        assert load_scored(tmp_path, models) is None
    for at in range(30, len(whole), len(whole) // 80):
        (tmp_path / FILE).write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        load_scored(tmp_path, models)
    (tmp_path / FILE).write_bytes(whole)
    assert zipfile.is_zipfile(tmp_path / FILE)
    assert load_scored(tmp_path, models) is not None


def test_unwritable_folder_raises(tmp_path: Path, models: LoadedModels) -> None:
    """The caller warns and goes on."""
    index = saved(tmp_path, models)
    with pytest.raises(SettingsError):
        save_scored(tmp_path / FILE, models, POSTINGS, FEATURES, Layered(np.zeros(COUNT, np.bool_)), index)


def test_pair_features_of_this_format() -> None:
    """Who changes pair features or candidates changes these figures, and has to raise `FORMAT`."""
    extractor = PairFeatureExtractor(FEATURES, ("hash", "title", "image"))
    left, right = extractor.candidates
    means = np.nan_to_num(extractor.features(extractor.own, left, right)).astype(np.float64).mean(axis=0)
    assert scored_catalogue.FORMAT == 7
    assert (len(left), len(means)) == (1713, 79)
    assert float(means @ np.arange(1, 80)) == pytest.approx(6341.39, rel=1e-4)
