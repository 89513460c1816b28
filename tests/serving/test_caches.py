"""What is kept for requests that come again."""

import asyncio
import gc
import tracemalloc
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.features import ImageFeatures, Seconds, Wanted
from pricematch.catalogue.filter_json import filter_of_json
from pricematch.catalogue.metadata import Metadata
from pricematch.errors import ImageCorrupt, ImageError, Overloaded
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Decision, Match, Matches, Options, Query, Result
from pricematch.serving.caches import BoundedCache, FeatureCache, ResultCache
from tests.support.applications import judged_matcher

BY_ONE, BY_BOTH = Wanted(frozenset({"one"}), phash=True), Wanted(frozenset({"one", "other"}))
DIMENSION = 64
BAD = b"bad"


def features_of(image: bytes, wanted: Wanted) -> ImageFeatures:
    """Features that differ with the image and with what is wanted, in parts of a larger array."""
    digest = sha256(image).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    rows = rng.random((len(wanted.encoders) + 9, DIMENSION)).astype(np.float32)
    form = image if wanted.stored_form else b""
    embeddings = dict(zip(sorted(wanted.encoders), rows, strict=False))
    return ImageFeatures(digest, digest.hex()[:16] if wanted.phash else None, embeddings, Seconds(1, 2, 3), form)


class Computing:
    """Computes features, and remembers of what.

    Attributes:
        asked: the images of each call, in order.
        gate: lets calls go on.
        error: what they raise.
    """

    def __init__(self) -> None:
        self.asked: list[list[bytes]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def __call__(self, images: Sequence[bytes], wanted: Wanted) -> list[ImageFeatures | ImageError]:
        self.asked.append([*images])
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return [ImageCorrupt("bad") if image == BAD else features_of(image, wanted) for image in images]


def assert_same(found: Any, image: bytes, wanted: Wanted) -> None:
    """Features are those that would be computed, whatever time they took."""
    expected = features_of(image, wanted)
    assert (found.digest, found.phash) == (expected.digest, expected.phash)
    assert found.embeddings.keys() == expected.embeddings.keys()
    for key, row in expected.embeddings.items():
        np.testing.assert_array_equal(found.embeddings[key], row)


def test_the_same_bytes_are_computed_once() -> None:
    """In one request or in several; another image, or more that is wanted, is computed."""

    async def run() -> None:
        cache, computing = FeatureCache(10**6), Computing()
        for _ in range(2):
            found = await cache.features([b"a", b"b", b"a"], BY_ONE, computing)
            for features, image in zip(found, (b"a", b"b", b"a"), strict=True):
                assert_same(features, image, BY_ONE)
        assert computing.asked == [[b"a", b"b"]]
        assert (cache.hits, cache.misses, len(cache)) == (4, 2, 2)
        [both] = await cache.features([b"a"], BY_BOTH, computing)
        assert_same(both, b"a", BY_BOTH)
        assert computing.asked[1:] == [[b"a"]]

    asyncio.run(run())


def test_what_is_kept_took_no_time() -> None:
    """Stages of a request are those it went through."""

    async def run() -> None:
        cache = FeatureCache(10**6)
        [first], [second] = [await cache.features([b"a"], BY_ONE, Computing()) for _ in range(2)]
        assert isinstance(first, ImageFeatures)
        assert isinstance(second, ImageFeatures)
        assert (first.seconds, second.seconds) == (Seconds(1, 2, 3), Seconds())

    asyncio.run(run())


def test_bad_images_and_stored_forms_are_not_kept() -> None:
    async def run() -> None:
        cache, computing = FeatureCache(10**6), Computing()
        for _ in range(2):
            [found] = await cache.features([BAD], BY_ONE, computing)
            assert isinstance(found, ImageCorrupt)
            [form] = await cache.features([b"a"], Wanted(stored_form=True), computing)
            assert isinstance(form, ImageFeatures)
            assert form.stored_form == b"a"
        assert computing.asked == [[BAD], [b"a"]] * 2
        assert (len(cache), cache.size) == (0, 0)

    asyncio.run(run())


def test_nothing_is_kept_in_no_bytes() -> None:
    async def run() -> None:
        cache, computing = FeatureCache(0), Computing()
        for _ in range(2):
            await cache.features([b"a", b"a"], BY_ONE, computing)
        assert computing.asked == [[b"a", b"a"]] * 2

    asyncio.run(run())


def test_two_requests_at_once_share_the_work() -> None:
    """The one that came later waits, and computes what only it has."""

    async def run() -> None:
        cache, computing = FeatureCache(10**6), Computing()
        computing.gate.clear()
        wanting = [asyncio.create_task(cache.features(each, BY_ONE, computing)) for each in ([b"a"], [b"a", b"b"])]
        await asyncio.sleep(0)
        computing.gate.set()
        [one], [same, other] = await asyncio.gather(*wanting)
        assert computing.asked == [[b"a"], [b"b"]]
        assert_same(one, b"a", BY_ONE)
        assert_same(same, b"a", BY_ONE)
        assert_same(other, b"b", BY_ONE)

    asyncio.run(run())


@pytest.mark.parametrize("leaves", [True, False])
def test_whoever_waits_for_another_is_not_left_with_its_end(leaves: bool) -> None:
    """Its client goes, or it is refused: the other one computes, and gets what comes of that."""

    async def run() -> None:
        cache, computing = FeatureCache(10**6), Computing()
        computing.gate.clear()
        first = asyncio.create_task(cache.features([b"a"], BY_ONE, computing))
        await asyncio.sleep(0)
        second = asyncio.create_task(cache.features([b"a"], BY_ONE, computing))
        await asyncio.sleep(0)
        assert computing.asked == [[b"a"]]
        if leaves:
            first.cancel()
        else:
            computing.error = Overloaded("too many")
            computing.gate.set()
        with pytest.raises(asyncio.CancelledError if leaves else Overloaded):
            await first
        computing.error = None
        computing.gate.set()
        [found] = await second
        assert_same(found, b"a", BY_ONE)
        assert computing.asked == [[b"a"], [b"a"]]

    asyncio.run(run())


def test_a_request_that_stops_waiting_takes_nothing_from_others() -> None:
    async def run() -> None:
        cache, computing = FeatureCache(10**6), Computing()
        computing.gate.clear()
        first, second = [asyncio.create_task(cache.features([b"a"], BY_ONE, computing)) for _ in range(2)]
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        computing.gate.set()
        [found] = await first
        assert_same(found, b"a", BY_ONE)

    asyncio.run(run())


def test_the_least_recently_used_goes_first() -> None:
    """Against a list in the order of use."""
    rng, cache, used = np.random.default_rng(0), BoundedCache[str](100), list[tuple[int, int]]()
    for _ in range(3000):
        key, size = int(rng.integers(30)), int(rng.integers(1, 40))
        kept = [(other, its) for other, its in used if other == key]
        assert (cache.get(key) is None) == (not kept)
        used = [it for it in used if it[0] != key] + kept
        if rng.random() < 0.5:
            cache.put(key, str(key), size)
            used = [it for it in used if it[0] != key] + [(key, size)]
            while sum(size for _, size in used) > 100:
                used.pop(0)
        assert (cache.size, len(cache)) == (sum(size for _, size in used), len(used))
    cache.put("large", "large", 101)
    assert cache.get("large") is None


@pytest.mark.parametrize("wanted", [BY_ONE, BY_BOTH, Wanted(phash=True)])
def test_features_take_no_more_memory_than_they_count_as(wanted: Wanted) -> None:
    """Nor do they hold on to the answer of the process that they came in."""

    async def run() -> tuple[int, int]:
        cache, computing = FeatureCache(10**8), Computing()
        await cache.features([b"first"], wanted, computing)
        counted = cache.size
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1000):
            names = frozenset([*wanted.encoders])
            await cache.features([b"%d" % number], Wanted(names, phash=wanted.phash), computing)
        computing.asked.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before, cache.size - counted

    tracemalloc.start()
    try:
        taken, counted = asyncio.run(run())
    finally:
        tracemalloc.stop()
    assert taken <= counted


class Asked:
    """Runs work in place, as `Workers.match` does in a thread.

    Attributes:
        times: how often.
    """

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self, work: Any, *args: Any) -> Any:
        self.times += 1
        await asyncio.sleep(0)
        return work(*args)


def test_a_filter_asks_again_once_metadata_have_changed() -> None:
    """Another filter is another question, and another type of value another filter; without one nothing has changed."""

    async def run() -> None:
        matcher, cache, asked = judged_matcher(), ResultCache(10**6), Asked()
        every, one, true = (
            Options(min_probability=0, filter=it)
            for it in (None, filter_of_json({"new": 1}), filter_of_json({"new": True}))
        )
        row = matcher.catalogue.row("twin")
        moved = [matcher.with_metadata({row: Metadata({"new": value})}) for value in (1, True)]
        for options in (one, true):
            assert not len((await cache.match_posting(matcher, "scene", options, asked)).matches)
        for now, options, other in ((moved[0], one, true), (moved[1], true, one)):
            for _ in range(2):
                found = await cache.match_posting(now, "scene", options, asked)
                assert [match.posting_id for match in found.matches] == ["twin"]
                assert not len((await cache.match_posting(now, "scene", other, asked)).matches)
                await cache.match_posting(now, "scene", every, asked)
        assert (asked.times, cache.misses) == (7, 7)

    asyncio.run(run())


def test_the_same_question_is_answered_once() -> None:
    """Another title, image, option, or posting is another question."""

    async def run() -> None:
        matcher, cache, asked = judged_matcher(), ResultCache(10**6), Asked()
        image = ImageFeatures(b"a" * 32, "0" * 16, {})
        other = ImageFeatures(b"b" * 32, "f" * 16, {})
        queries = [Query("scene"), Query("kopi susu"), Query("kopi susu", image), Query("", image), Query("", other)]
        for times in (1, 2):
            for options in (Options(), Options(limit=1), Options(min_probability=0)):
                for query in queries:
                    found = await cache.match(matcher, query, options, asked)
                    assert [*found.matches] == [*matcher.match(query, options).matches]
                found = await cache.match_posting(matcher, "scene", options, asked)
                assert [*found.matches] == [*matcher.match_posting("scene", options).matches]
            assert (asked.times, cache.hits, cache.misses) == (18, 18 * (times - 1), 18)

    asyncio.run(run())


def test_another_matcher_gives_its_own_answers() -> None:
    """One with a posting less, and the one of before again."""

    async def run() -> None:
        before, cache, asked = judged_matcher(), ResultCache(10**6), Asked()
        after = before.changed([], ["twin"], [])
        for matcher, best in ((before, "twin"), (after, "worded"), (before, "twin")):
            for _ in range(2):
                found = await cache.match_posting(matcher, "scene", Options(), asked)
                assert [match.posting_id for match in found.matches] == [best]
        assert asked.times == 3

    asyncio.run(run())


def test_an_answer_that_comes_late_is_not_kept_for_the_next_matcher() -> None:
    """The catalogue changes while the old one still answers."""

    async def run() -> None:
        before, cache, asked = judged_matcher(), ResultCache(10**6), Asked()
        after = before.changed([], ["twin"], [])
        changed = asyncio.Event()

        async def slowly(work: Any, *args: Any) -> Any:
            await changed.wait()
            return work(*args)

        late = asyncio.create_task(cache.match_posting(before, "scene", Options(), slowly))
        await asyncio.sleep(0)
        found = await cache.match_posting(after, "scene", Options(), asked)
        changed.set()
        assert [it.matches[0].posting_id for it in (found, await late)] == ["worded", "twin"]
        again = await cache.match_posting(after, "scene", Options(), asked)
        assert again.matches[0].posting_id == "worded"

    asyncio.run(run())


def test_a_matcher_is_not_held_by_what_it_answered() -> None:
    async def run() -> None:
        matcher, cache, asked = judged_matcher(), ResultCache(10**6), Asked()
        await cache.match_posting(matcher, "scene", Options(), asked)
        gone = asyncio.Event()
        tracked = _Tracked(gone)
        object.__setattr__(matcher, "tracked", tracked)
        del matcher, tracked
        gc.collect()
        assert gone.is_set()
        assert len(cache) == 1

    asyncio.run(run())


class _Tracked:
    """Says when it is gone."""

    def __init__(self, gone: asyncio.Event) -> None:
        self._gone = gone

    def __del__(self) -> None:
        self._gone.set()


def test_results_count_by_their_matches_and_titles() -> None:
    """What takes more memory counts as more."""

    class Answers(Matcher):
        def match(self, query: Query, options: Options) -> Result:
            decision = Decision("similarity", None, 0, 0, {})
            return Result(Matches([Match(str(row), 0.5) for row in range(options.limit)]), decision)

    async def run() -> None:
        matcher, sizes = Answers(**vars(judged_matcher())), list[int]()
        for title, limit in (("kopi", 1), ("kopi", 9), ("kopi" * 200, 1)):
            cache = ResultCache(10**6)
            await cache.match(matcher, Query(title), Options(limit=limit), Asked())
            sizes.append(cache.size)
        assert sizes[1] > 4 * sizes[0] > 0
        assert sizes[2] >= sizes[0] + 796 * 4

    asyncio.run(run())
