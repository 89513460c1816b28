"""The matcher: with a trained one its probabilities decide, without one similarity does."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.embedded_rows import EmbeddedRows
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.perceptual_hash import PerceptualHasher
from pricematch.errors import (
    EncoderNeeded,
    EncoderUnknown,
    ImageCorrupt,
    ImageError,
    MatcherNeeded,
    PostingNotFound,
    SignalNeeded,
    TargetUnknown,
)
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Answer, Asked, Query
from pricematch.pairs.retrievers import IMAGE_SPACES
from pricematch.pairs.thresholds import F1, Target
from tests.support.fakes import (
    COLOURS,
    encoded,
    mean_colours,
    picture,
    scene,
    tiny_decoder,
    tiny_embedded,
    tiny_images,
    tiny_matcher,
)
from tests.support.judged import hashed, tiny_judge

HASHER = PerceptualHasher(tiny_decoder())
SCENE = encoded(scene())
ALL = Asked(limit=50, min_probability=0)


def by_hash(*bits: int | None) -> Matcher:
    """A matcher of postings whose hashes have that many bits set; see `hashed`."""
    postings = hashed(*bits)
    return Matcher(Catalogue(postings), {}, HASHER, tiny_judge(postings, ["hash"]))


def told(answer: Answer) -> list[tuple[str, Any]]:
    """Id and probability of each match."""
    return [
        (match.posting_id, None if match.probability is None else round(match.probability, 6))
        for match in answer.matches
    ]


# --- with a trained matcher --------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 64) | st.none(), min_size=1, max_size=12), st.integers(1, 15), st.integers(0, 64))
def test_a_stored_posting_finds_all_others_that_are_sure_enough_the_surest_first(
    bits: list[int | None], limit: int, equal_bits: int
) -> None:
    own, least = bits[0], max(0, equal_bits - 0.5) / 64
    expected = (
        []
        if own is None
        else [
            (f"p{row}", 1 - abs(own - other) / 64)
            for row, other in enumerate(bits)
            if row > 0 and other is not None and abs(own - other) <= 16
        ]
    )
    expected = sorted((match for match in expected if match[1] >= least), key=lambda match: -match[1])[:limit]
    answer = by_hash(*bits).match_posting("p0", Asked(limit=limit, min_probability=least))
    assert told(answer) == [(posting_id, pytest.approx(probability, abs=1e-5)) for posting_id, probability in expected]


def test_a_posting_that_is_not_stored_finds_the_same_as_if_it_were_and_the_stored_one_besides() -> None:
    titles = ["kopi susu gula aren", "kopi susu aren", "kopi hitam", "teh manis", ""]
    postings = [Posting(f"p{row}", None, title) for row, title in enumerate(titles)]
    matcher = Matcher(Catalogue(postings), {}, HASHER, tiny_judge(postings))
    stored = told(matcher.match_posting("p0", ALL))
    assert [posting_id for posting_id, _ in stored] == ["p1", "p2"]
    new = told(matcher.match(Query(title=titles[0]), ALL))
    assert new[0] == ("p0", pytest.approx(1))
    assert new[1:] == [(posting_id, pytest.approx(probability, abs=1e-5)) for posting_id, probability in stored]


def test_a_picture_alone_finds_what_has_its_hash_and_a_title_alone_what_has_its_words() -> None:
    postings = [Posting("picture", None, image_phash=HASHER.hash(SCENE)), Posting("title", None, "Kopi Susu 200 ml")]
    matcher = Matcher(Catalogue(postings), {}, HASHER, tiny_judge(postings))
    assert told(matcher.match(Query(SCENE), Asked())) == [("picture", pytest.approx(1))]
    assert told(matcher.match(Query(title="susu kopi 200ml"), ALL))[0][0] == "title"
    assert {match[0] for match in told(matcher.match(Query(SCENE, "Kopi Susu 200 ml"), Asked()))} == {
        "picture",
        "title",
    }


def test_equally_sure_matches_come_by_their_ids() -> None:
    assert [match[0] for match in told(by_hash(3, 4, 2, 3, 4).match_posting("p0", ALL))] == ["p3", "p1", "p2", "p4"]


def test_the_threshold_of_f1_decides_unless_another_target_or_a_probability_is_asked_for() -> None:
    matcher = by_hash(0, 0, 1, 6, 7)  # 1, 0.984, 0.906, 0.891
    answers = [
        matcher.match_posting("p0", asked)
        for asked in (Asked(), Asked(target=F1), Asked(target=Target(0.95)), Asked(min_probability=0.89))
    ]
    assert [[match[0] for match in told(answer)] for answer in answers] == [
        ["p1", "p2", "p3"],
        ["p1", "p2", "p3"],
        ["p1"],
        ["p1", "p2", "p3", "p4"],
    ]
    assert [(answer.target, answer.threshold, answer.alone) for answer in answers] == [
        (F1, 0.9, 0.5),
        (F1, 0.9, 0.5),
        (Target(0.95), 0.99, 0.99),
        (None, 0.89, 0.89),
    ]
    assert {answer.decided_by for answer in answers} == {"probability"}


def test_a_posting_with_nothing_above_the_threshold_gets_its_best_if_that_is_above_the_lower_one() -> None:
    matcher = by_hash(0, 10, 11)  # 0.844, 0.828
    assert [match[0] for match in told(matcher.match_posting("p0", Asked()))] == ["p1"]
    assert told(matcher.match_posting("p0", Asked(target=Target(0.95)))) == []


def test_a_target_without_thresholds_is_refused_and_the_others_are_named() -> None:
    with pytest.raises(TargetUnknown, match=r"precision:0\.80; there are some for f1, precision:0\.95"):
        by_hash(0, 0).match_posting("p0", Asked(target=Target(0.8)))


def test_what_the_matcher_cannot_judge_by_is_told() -> None:
    matcher = by_hash(0, 0)
    with pytest.raises(SignalNeeded, match="judges by hash"):
        matcher.match(Query(title="kopi"), Asked())
    postings = [Posting("p0", None, "kopi")]
    by_title = Matcher(Catalogue(postings), {}, HASHER, tiny_judge(postings, ["title"]))
    with pytest.raises(SignalNeeded, match="judges by title"):
        by_title.match(Query(SCENE), Asked())
    with pytest.raises(ImageCorrupt):
        by_title.match(Query(SCENE[:50], "kopi"), Asked())


def test_a_posting_that_carries_nothing_has_no_matches() -> None:
    assert told(by_hash(0, None, 0).match_posting("p1", ALL)) == []


def test_a_match_is_told_with_its_level_and_what_the_signals_say() -> None:
    postings = [replace(posting, title="kopi susu") for posting in hashed(0, 0, 2)]
    matcher = Matcher(Catalogue(postings), {}, HASHER, tiny_judge(postings))
    [first, second] = matcher.match_posting("p0", ALL).matches
    assert first.level == "identical"
    assert first.evidence is not None
    assert second.evidence is not None
    assert [first.evidence.signals[name] for name in ("hash", "words", "grams")] == pytest.approx([1, 1, 1])
    assert second.evidence.signals["hash"] == pytest.approx(62 / 64)


def test_a_signal_that_one_of_two_postings_lacks_says_nothing() -> None:
    postings = [Posting("p0", None, "kopi susu"), Posting("p1", None, "kopi susu", image_phash="0" * 16)]
    [match] = Matcher(Catalogue(postings), {}, HASHER, tiny_judge(postings)).match_posting("p0", ALL).matches
    assert match.evidence is not None
    assert "words" in match.evidence.signals
    assert "hash" not in match.evidence.signals


def test_an_unknown_posting_is_named() -> None:
    with pytest.raises(PostingNotFound, match="'p99'"):
        by_hash(0).match_posting("p99", ALL)


# --- with a trained matcher and encoders -------------------------------------------------------------------------


def with_encoder(*, judged: bool) -> Matcher:
    """A matcher of coloured postings with an encoder, by whose embeddings it judges as well, or not."""
    embedded = tiny_embedded()
    postings = [
        replace(posting, image_phash=HASHER.hash(content))
        for posting, content in zip(embedded.catalogue, tiny_images().contents.values(), strict=True)
    ]
    catalogue = Catalogue([*postings, Posting("bare", None, "Product #ff0000")])
    vectors = np.concatenate([embedded.embeddings, np.zeros((1, 4), np.float32)])
    if not judged:
        return Matcher(catalogue, {"mean-colour": embedded}, HASHER, tiny_judge(list(catalogue)))
    judge = tiny_judge(list(catalogue), ["hash", "title", "image"], dict.fromkeys(IMAGE_SPACES, vectors))
    return Matcher(catalogue, {"mean-colour": embedded}, HASHER, judge, dict.fromkeys(IMAGE_SPACES, embedded))


def batches(matcher: Matcher) -> list[int]:
    """How many pictures each call of the encoder encoded."""
    return mean_colours(matcher.encoder(None, "a test").encoder).batches


def test_a_picture_is_encoded_once_where_the_matcher_judges_by_it_and_its_similarity_is_told() -> None:
    matcher = with_encoder(judged=True)
    answer = matcher.match(Query(picture("#ff0000")), replace(ALL, encoder="mean-colour"))
    assert batches(matcher) == [1]
    assert answer.models == {"matcher": "1", "mean-colour": "1"}
    assert {match.posting_id: match.similarity for match in answer.matches}["p0"] == pytest.approx(1)


def test_nothing_is_encoded_where_only_a_similarity_would_come_of_it_that_nobody_asked_for() -> None:
    matcher = with_encoder(judged=False)
    answer = matcher.match(Query(picture("#ff0000")), ALL)
    assert (batches(matcher), answer.models) == ([], {"matcher": "1"})
    assert {match.similarity for match in answer.matches} == {None}
    asked = matcher.match(Query(picture("#ff0000")), replace(ALL, encoder="mean-colour"))
    assert (batches(matcher), asked.models) == ([1], {"matcher": "1", "mean-colour": "1"})
    assert [match.probability for match in asked.matches] == [match.probability for match in answer.matches]


def test_the_similarity_of_a_stored_posting_is_told_without_encoding() -> None:
    matcher = with_encoder(judged=False)
    found = {match.posting_id: match.similarity for match in matcher.match_posting("p0", ALL).matches}
    embeddings = tiny_embedded().embeddings
    assert found["p1"] == pytest.approx(float(embeddings[0] @ embeddings[1]))
    assert found["bare"] is None
    assert batches(matcher) == []


def test_a_least_similarity_leaves_out_what_is_less_similar_or_has_no_picture() -> None:
    matcher = with_encoder(judged=False)
    every = matcher.match_posting("p0", ALL).matches
    kept = matcher.match_posting("p0", replace(ALL, min_similarity=0.9)).matches
    assert [match for match in every if (match.similarity or 0) >= 0.9] == list(kept)
    assert 0 < len(kept) < len(every)


@pytest.mark.parametrize("judged", [True, False])
@pytest.mark.parametrize("asked", [Asked(), ALL, replace(ALL, encoder="mean-colour"), Asked(2, min_similarity=0.5)])
def test_several_pictures_are_answered_as_each_is_alone_and_encoded_in_one_call(judged: bool, asked: Asked) -> None:
    images = [picture("#ff0000"), b"", picture("#08f408"), picture("#ff0000")[:60]]
    together, alone = with_encoder(judged=judged), with_encoder(judged=judged)
    answers = together.match_each(images, asked)
    assert sum(batches(together)) == len(batches(together)) * 2  # the good ones, in as many calls as one picture takes
    for image, found in zip(images, answers.each, strict=True):
        if isinstance(found, ImageError):
            with pytest.raises(type(found)):
                alone.match(Query(image), asked)
        else:
            answer = alone.match(Query(image), asked)
            assert list(found) == list(answer.matches)
            assert replace(answer, matches=answers.common.matches) == answers.common
    assert [isinstance(found, ImageError) for found in answers.each] == [False, True, False, True]
    assert list(answers.common.matches) == []


def test_several_pictures_take_what_one_does() -> None:
    images = [picture("#ff0000")] * 2
    with pytest.raises(SignalNeeded):
        Matcher(Catalogue([]), {}, HASHER, tiny_judge([Posting("a", None, "kopi")], ["title"])).match_each(
            images, Asked()
        )
    with pytest.raises(EncoderNeeded):
        Matcher(Catalogue([]), {}, HASHER).match_each(images, Asked())
    with pytest.raises(MatcherNeeded):
        tiny_matcher().match_each(images, Asked(min_probability=0.5))


def test_a_least_similarity_takes_a_picture() -> None:
    with pytest.raises(SignalNeeded, match="picture"):
        with_encoder(judged=True).match(Query(title="Product #ff0000"), Asked(min_similarity=0.5))


def test_a_title_alone_is_judged_by_a_matcher_that_knows_pictures_too() -> None:
    matcher = with_encoder(judged=True)
    answer = matcher.match(Query(title="Product #ff0000"), Asked())
    assert [match.posting_id for match in answer.matches] == ["bare", "p0", "p4"]  # "#0000ff" has the same words
    assert batches(matcher) == []


# --- without a trained matcher -----------------------------------------------------------------------------------


def test_without_a_trained_matcher_similarity_decides_and_no_probability_is_invented() -> None:
    matcher = tiny_matcher()
    answer = matcher.match(Query(picture("#ff0000")), Asked(limit=3))
    assert [match.posting_id for match in answer.matches][:2] == ["p0", "p1"]
    assert {(match.probability, match.level, match.evidence) for match in answer.matches} == {(None, None, None)}
    assert (answer.decided_by, answer.target, answer.threshold) == ("similarity", None, -1)
    assert answer.models == {"mean-colour": "1"}


def test_the_threshold_of_the_encoder_decides_unless_a_similarity_is_asked_for() -> None:
    matcher = tiny_matcher(threshold=0.9)
    assert [match.posting_id for match in matcher.match_posting("p0", Asked()).matches] == ["p1"]
    assert matcher.match_posting("p0", Asked()).threshold == 0.9
    assert len(matcher.match_posting("p0", Asked(min_similarity=-1)).matches) == len(COLOURS) - 1


@pytest.mark.parametrize("asked", [Asked(target=F1), Asked(min_probability=0.5)])
def test_probabilities_take_a_trained_matcher(asked: Asked) -> None:
    for ask in (tiny_matcher().match, lambda _, asked: tiny_matcher().match_posting("p0", asked)):
        with pytest.raises(MatcherNeeded, match="pricematch train matcher"):
            ask(Query(SCENE), asked)


@pytest.mark.parametrize("query", [Query(title="kopi"), Query(SCENE, "kopi")])
def test_a_title_takes_a_trained_matcher(query: Query) -> None:
    with pytest.raises(MatcherNeeded, match="title"):
        tiny_matcher().match(query, Asked())


def test_the_encoder_may_be_named_among_several_and_an_unknown_one_is_told_which_there_are() -> None:
    one, other = tiny_embedded(), tiny_embedded()
    other = replace(other, rows=EmbeddedRows(other.catalogue, np.roll(other.embeddings, 1, axis=0)))
    matcher = Matcher(one.catalogue, {"one": one, "other": other}, HASHER)
    assert matcher.encoder(None, "") is matcher.encoder("one", "") is one
    assert matcher.encoder("other", "") is other
    with pytest.raises(EncoderUnknown, match="one, other, got 'third'"):
        matcher.match_posting("p0", Asked(encoder="third"))


def test_where_no_encoder_is_held_its_similarity_cannot_be_asked_for() -> None:
    for asked in (Asked(encoder="cae"), Asked(min_similarity=0.5)):
        with pytest.raises(EncoderNeeded):
            by_hash(0, 0).match_posting("p0", asked)
