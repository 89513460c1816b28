"""A catalogue in memory that follows its store, and changes that are stored first."""

import random
import threading

import pytest

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Condition
from pricematch.errors import ConditionFailed, ImageError, ImageUnavailable, ModelOutputError
from pricematch.matching.queries import Options
from pricematch.matching.similarity import SimilaritySearch
from pricematch.serving.intake import Offered
from tests.support.fakes import COLOURS
from tests.support.served import put
from tests.support.shop import NoNumbers, Shop, found, told


def test_each_change_is_seen_by_the_next_query() -> None:
    shop = Shop()
    version = shop.put("a", "#ff0000")
    assert shop.snapshots.current.version == version == 1
    assert found(shop.snapshots.current.matcher, "#ff0000") == ["a"]
    shop.put("b", "#00ff00")
    shop.put("a", "#0000ff")
    assert found(shop.snapshots.current.matcher, "#00ff00")[0] == "b"
    assert found(shop.snapshots.current.matcher, "#0000ff")[0] == "a"
    assert shop.intake.remove("b") == (True, 4)
    assert shop.intake.remove("b") == (False, 4)
    assert found(shop.snapshots.current.matcher, "#00ff00") == ["a"]
    assert shop.built == 1


@pytest.mark.parametrize("seed", range(5))
def test_after_changes_answers_are_those_of_a_fresh_start(seed: int) -> None:
    draw, shop = random.Random(seed), Shop()
    for _ in range(60):
        posting_id = f"p{draw.randrange(8)}"
        if draw.random() < 0.3:
            shop.intake.remove(posting_id)
        else:
            shop.put(posting_id, draw.choice([*COLOURS, None]))
        assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)


def test_the_same_again_makes_no_new_version() -> None:
    shop = Shop()
    shop.put("a", "#ff0000")
    assert shop.put("a", "#ff0000") == 1
    assert shop.put("a", "#ff0000", "another title") == 2


def test_a_snapshot_that_somebody_holds_never_changes_while_others_write() -> None:
    shop = Shop()
    for row, colour in enumerate(COLOURS):
        shop.put(f"p{row}", colour)
    held = shop.snapshots.current
    before = told(held.matcher)
    writing, seen = threading.Event(), list[dict[str, list[tuple[str, float | None]]]]()

    def read() -> None:
        while not writing.is_set():
            seen.append(told(held.matcher))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(40):
        shop.put(f"p{number % 12}", COLOURS[number % 5])
        shop.intake.remove(f"p{(number + 5) % 12}")
    writing.set()
    for reader in readers:
        reader.join()
    assert seen
    assert all(answer == before for answer in seen)
    assert held.version < shop.snapshots.current.version


def test_fault_42_concurrent_writers_each_see_their_change() -> None:
    shop, missing = Shop(), list[str]()

    def write(writer: int) -> None:
        for number in range(15):
            posting_id = f"{writer}-{number}"
            shop.put(posting_id, COLOURS[number % len(COLOURS)])
            if posting_id not in {posting.posting_id for posting in shop.snapshots.current.matcher.catalogue}:
                missing.append(posting_id)

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert missing == []
    assert len(shop.snapshots.current.matcher.catalogue) == 60
    assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)


def test_taking_in_that_breaks_off_means_reading_all_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    shop.put("a", "#ff0000")
    held = shop.snapshots.current

    def broken(*_: object) -> SimilaritySearch:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(SimilaritySearch, "changed", broken)
        with pytest.raises(MemoryError):
            shop.put("b", "#00ff00")
    assert shop.snapshots.current is held
    assert found(held.matcher, "#ff0000") == ["a"]
    assert shop.put("c", "#0000ff") == 3
    assert shop.built == 2
    assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)


def test_fault_28_an_image_without_embedding_is_not_stored() -> None:
    shop = Shop()
    shop.encoder = NoNumbers()
    for _ in range(2):
        with pytest.raises(ModelOutputError):
            shop.put("a", "#ff0000")
    assert (shop.store.version(), shop.store.vectors, shop.store.hashed) == (0, {}, {})
    assert shop.put("b", None) == 1
    assert shop.snapshots.current.matcher.catalogue.posting_ids == ("b",)


def test_postings_put_together_are_seen_together() -> None:
    shop, done = Shop(), threading.Event()
    shop.intake.put_each([Offered(Posting(name, None, "round 0")) for name in "abc"])
    seen: list[tuple[int, dict[str, str]]] = []

    def read() -> None:
        while not done.is_set():
            held = shop.snapshots.current
            seen.append((held.version, {it.posting_id: it.title for it in held.matcher.catalogue}))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 60):
        shop.intake.put_each([Offered(Posting(name, None, f"round {number}")) for name in "abc"])
    done.set()
    for reader in readers:
        reader.join()
    for version, titles in seen:
        assert titles == dict.fromkeys("abc", f"round {version // 3 - 1}")


def test_a_bad_image_or_an_unmet_condition_changes_nothing() -> None:
    shop = Shop()
    shop.put("a", "#ff0000")
    attempts: list[tuple[type[Exception], Offered]] = [
        (ImageError, Offered(Posting("a", None), [b"no image"])),
        (ConditionFailed, Offered(Posting("a", None, "y"), (), Condition(exists=False))),
        (ConditionFailed, Offered(Posting("b", None, "y"), (), Condition(exists=True))),
        (ConditionFailed, Offered(Posting("a", None, "y"), (), Condition(revisions=frozenset([7])))),
        (ImageUnavailable, Offered(Posting("a", "0" * 64, "y"))),
    ]
    for error, offered in attempts:
        with pytest.raises(error):
            put(shop.intake, offered)
        assert shop.snapshots.follow(()).version == 1
    with pytest.raises(ConditionFailed):
        shop.intake.remove("a", Condition(revisions=frozenset([7])))
    assert found(shop.snapshots.current.matcher, "#ff0000") == ["a"]
    put(shop.intake, Offered(Posting("a", None, "y"), (), Condition(revisions=frozenset([1]))))


@pytest.mark.parametrize("seed", range(5))
def test_feedback_orders_matches_by_similarity(
    seed: int,
) -> None:
    """Must-links come first and cannot-links never, whatever is put again."""
    draw, shop, names = random.Random(seed), Shop(), [f"p{row}" for row in range(8)]
    for _ in range(50):
        one, other = draw.sample(names, 2)
        match draw.randrange(5):
            case 0:
                shop.intake.remove(one)
            case 1:
                shop.intake.decide(one, other, "same")
            case 2:
                shop.intake.decide(one, other, "different")
            case 3:
                shop.intake.withdraw(one, other)
            case _:
                shop.put(one, draw.choice([*COLOURS[:4], None]), str(draw.random()))
        current, undecided = shop.snapshots.current.matcher, shop.build().matcher
        for posting in current.catalogue:
            said = {
                it.second if it.first == posting.posting_id else it.first: it.decision
                for it in shop.store.all_feedback()
                if posting.posting_id in (it.first, it.second)
            }
            same = [name for name in names if said.get(name) == "same" and current.catalogue.holds(name)]
            found = list(current.match_posting(posting.posting_id, Options(50)).matches)
            assert sorted(match.posting_id for match in found[: len(same)]) == same
            assert all(match.feedback == "same" for match in found[: len(same)])
            computed = undecided.match_posting(posting.posting_id, Options(50)).matches
            assert found[len(same) :] == [match for match in computed if match.posting_id not in said]
            for limit in (1, 2, 3):
                assert list(current.match_posting(posting.posting_id, Options(limit)).matches) == found[:limit]
