"""The matcher: with a trained one its probabilities decide, without one similarity does."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.features import Wanted
from pricematch.catalogue.hashes import ONE_COLOUR
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.features import phash
from pricematch.errors import (
    EncoderNeeded,
    EncoderUnknown,
    MatcherNeeded,
    PostingNotFound,
    SignalNeeded,
    TargetUnknown,
)
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Options, Query, Result
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.similarity_matches import NEARLY_SAME_OTHERWISE
from pricematch.pairs.bounds import ordinary
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from pricematch.pairs.thresholds import F1, Target
from tests.support.encoding import image_features
from tests.support.fakes import (
    encoded,
    image_bytes,
    scene,
    tiny_decoder,
    tiny_images,
    tiny_matcher,
    tiny_search,
)
from tests.support.matchers import hashed, matcher_over, scored_search

SCENE = encoded(scene())
SCENE_FEATURES = image_features(SCENE)
RED = image_features(image_bytes("#ff0000"))
ALL = Options(limit=50, min_probability=0)
ALL_SIMILAR = Options(limit=50)
NAMED = {"mean-colour": "mean-colour"}


def by_hash(*bits: int | None) -> Matcher:
    """A matcher of postings whose hashes have that many bits set; see `hashed`."""
    postings = hashed(*bits)
    return matcher_over(Catalogue(postings), {}, {}, scored_search(postings, ["hash"]))


def told(answer: Result) -> list[tuple[str, Any]]:
    """Id and probability of each match."""
    return [
        (match.posting_id, None if match.probability is None else round(match.probability, 6))
        for match in answer.matches
    ]


# --- with a trained matcher --------------------------------------------------------------------------------------


def bounded(similarity: float) -> float:
    """The probability of postings of a similarity; those of equal hashes are one node."""
    return 1.0 if similarity == 1 else float(ordinary(np.array(similarity)))


@pytest.mark.slow
@given(st.lists(st.integers(0, 64) | st.none(), min_size=1, max_size=12), st.integers(1, 15), st.integers(0, 64))
def test_a_stored_posting_finds_others_surest_first(bits: list[int | None], limit: int, equal_bits: int) -> None:
    own, least = bits[0], max(0, equal_bits - 0.5) / 64
    expected = (
        []
        if own is None
        else [
            (f"p{row}", bounded(1 - abs(own - other) / 64))
            for row, other in enumerate(bits)
            if row > 0 and other is not None and abs(own - other) <= 16
        ]
    )
    expected = sorted((match for match in expected if match[1] >= least), key=lambda match: (-match[1], match[0]))[
        :limit
    ]
    answer = by_hash(*bits).match_posting("p0", Options(limit=limit, min_probability=least))
    assert told(answer) == [(posting_id, pytest.approx(probability, abs=1e-5)) for posting_id, probability in expected]


def test_a_new_posting_finds_what_a_stored_one_does() -> None:
    """And the stored one as well."""
    titles = ["kopi susu gula aren", "kopi susu aren", "kopi hitam", "teh manis", ""]
    postings = [Posting(f"p{row}", None, title) for row, title in enumerate(titles)]
    matcher = matcher_over(Catalogue(postings), {}, {}, scored_search(postings))
    stored = told(matcher.match_posting("p0", ALL))
    assert [posting_id for posting_id, _ in stored] == ["p1", "p2"]
    new = told(matcher.match(Query(title=titles[0]), ALL))
    assert new[0] == ("p0", pytest.approx(1))
    # a new one makes the catalogue one larger
    assert new[1:] == [(posting_id, pytest.approx(probability, abs=0.03)) for posting_id, probability in stored]


def test_an_image_or_a_title_alone_finds_its_equals() -> None:
    """An image finds equal hashes, a title equal words."""
    postings = [
        Posting("picture", None, image_phash=SCENE_FEATURES.phash),
        Posting("title", None, "Kopi Susu 200 ml"),
    ]
    matcher = matcher_over(Catalogue(postings), {}, {}, scored_search(postings))
    assert told(matcher.match(Query("", SCENE_FEATURES), Options())) == [("picture", pytest.approx(1))]
    assert told(matcher.match(Query(title="susu kopi 200ml"), ALL))[0][0] == "title"
    assert {match[0] for match in told(matcher.match(Query("Kopi Susu 200 ml", SCENE_FEATURES), Options()))} == {
        "picture",
        "title",
    }


def test_equally_sure_matches_come_by_their_ids() -> None:
    assert [match[0] for match in told(by_hash(3, 4, 2, 3, 4).match_posting("p0", ALL))] == ["p3", "p1", "p2", "p4"]


def test_the_threshold_of_f1_decides_by_default() -> None:
    """Another target or a probability overrules it."""
    matcher = by_hash(0, 0, 1, 6, 7)  # 1, 0.984, 0.906, 0.891
    answers = [
        matcher.match_posting("p0", asked)
        for asked in (Options(), Options(target=F1), Options(target=Target(0.95)), Options(min_probability=0.89))
    ]
    assert [[match[0] for match in told(answer)] for answer in answers] == [
        ["p1", "p2", "p3"],
        ["p1", "p2", "p3"],
        ["p1"],
        ["p1", "p2", "p3", "p4"],
    ]
    assert [(it.target, it.threshold, it.fallback) for it in (answer.decision for answer in answers)] == [
        (F1, 0.9, 0.5),
        (F1, 0.9, 0.5),
        (Target(0.95), 0.99, 0.99),
        (None, 0.89, 0.89),
    ]
    assert {answer.decision.by for answer in answers} == {"probability"}


def test_a_lone_posting_gets_its_best_candidate() -> None:
    """If that is above the fallback threshold."""
    matcher = by_hash(0, 10, 11)  # 0.844, 0.828
    assert [match[0] for match in told(matcher.match_posting("p0", Options()))] == ["p1"]
    assert told(matcher.match_posting("p0", Options(target=Target(0.95)))) == []


def test_a_target_without_thresholds_is_refused_and_the_others_are_named() -> None:
    with pytest.raises(TargetUnknown, match=r"precision:0\.80; there are some for f1, precision:0\.95"):
        by_hash(0, 0).match_posting("p0", Options(target=Target(0.8)))


def test_signals_the_matcher_lacks_are_refused() -> None:
    matcher = by_hash(0, 0)
    with pytest.raises(SignalNeeded, match="compares by hash"):
        matcher.match(Query(title="kopi"), Options())
    postings = [Posting("p0", None, "kopi")]
    by_title = matcher_over(Catalogue(postings), {}, {}, scored_search(postings, ["title"]))
    with pytest.raises(SignalNeeded, match="compares by title"):
        by_title.match(Query("", SCENE_FEATURES), Options())
    with pytest.raises(SignalNeeded, match="compares by title"):
        by_title.wanted(Options(), image=True, title=False)


def test_a_posting_that_carries_nothing_has_no_matches() -> None:
    assert told(by_hash(0, None, 0).match_posting("p1", ALL)) == []


def test_a_match_has_its_level_and_evidence() -> None:
    postings = [replace(posting, title="kopi susu") for posting in hashed(0, 0, 2)]
    matcher = matcher_over(Catalogue(postings), {}, {}, scored_search(postings))
    [first, second] = matcher.match_posting("p0", ALL).matches
    assert first.match_type == "identical"
    assert first.evidence is not None
    assert second.evidence is not None
    assert [first.evidence.signals[name] for name in ("hash", "words", "grams")] == pytest.approx([1, 1, 1])
    assert second.evidence.signals["hash"] == pytest.approx(62 / 64)


def test_a_signal_that_one_of_two_postings_lacks_says_nothing() -> None:
    postings = [Posting("p0", None, "kopi susu"), Posting("p1", None, "kopi susu", image_phash="0" * 16)]
    [match] = matcher_over(Catalogue(postings), {}, {}, scored_search(postings)).match_posting("p0", ALL).matches
    assert match.evidence is not None
    assert "words" in match.evidence.signals
    assert "hash" not in match.evidence.signals


def test_an_unknown_posting_is_named() -> None:
    with pytest.raises(PostingNotFound, match="'p99'"):
        by_hash(0).match_posting("p99", ALL)


# --- with a trained matcher and encoders -------------------------------------------------------------------------


def with_encoder(*, trained: bool) -> Matcher:
    """A matcher of coloured postings with an encoder, by whose embeddings it judges as well, or not."""
    embedded = tiny_search()
    postings = [
        replace(posting, image_phash=phash(tiny_decoder().decoded(content)))
        for posting, content in zip(embedded.catalogue, tiny_images().contents.values(), strict=True)
    ]
    catalogue = Catalogue([*postings, Posting("bare", None, "Product #ff0000")])
    vectors = np.concatenate([embedded.embeddings, np.zeros((1, 4), np.float32)])
    embedded = SimilaritySearch.of(embedded.encoder, catalogue, vectors)
    if not trained:
        return matcher_over(catalogue, {"mean-colour": embedded}, NAMED, scored_search(list(catalogue)))
    judge = scored_search(list(catalogue), ["hash", "title", "image"], dict.fromkeys(IMAGE_RETRIEVERS, vectors))
    retrieved = dict.fromkeys(IMAGE_RETRIEVERS, "mean-colour")
    return matcher_over(catalogue, {"mean-colour": embedded}, NAMED, judge, retrieved)


def test_embeddings_are_wanted_where_they_are_used() -> None:
    """An image is encoded only by encoders whose embeddings decide, or were asked for."""
    encoded_by = Wanted(frozenset({"mean-colour"}), phash=True)
    for options in (ALL, replace(ALL, encoder="mean-colour"), replace(ALL, min_similarity=0.5)):
        assert with_encoder(trained=True).wanted(options, image=True, title=False) == encoded_by
    assert with_encoder(trained=False).wanted(ALL, image=True, title=True) == Wanted(phash=True)
    assert with_encoder(trained=False).wanted(replace(ALL, encoder="mean-colour"), image=True, title=True) == encoded_by
    assert with_encoder(trained=True).wanted(ALL, image=False, title=True) == Wanted()
    assert tiny_matcher().wanted(ALL_SIMILAR, image=True, title=False) == Wanted(frozenset({"mean-colour"}))


def test_similarity_is_given_with_an_embedding() -> None:
    """The similarity by the default encoder stands beside probabilities where the query has its embedding."""
    result = with_encoder(trained=True).match(Query("", RED), ALL)
    assert result.decision.models == {"matcher": "1", "mean-colour": "1"}
    assert {match.posting_id: match.similarity for match in result.matches}["p0"] == pytest.approx(1)


def test_no_similarity_without_an_embedding() -> None:
    """A query that was not encoded has probabilities alone, the same ones."""
    matcher = with_encoder(trained=False)
    result = matcher.match(Query("", replace(RED, embeddings={})), ALL)
    assert result.decision.models == {"matcher": "1"}
    assert {match.similarity for match in result.matches} == {None}
    encoded_too = matcher.match(Query("", RED), replace(ALL, encoder="mean-colour"))
    assert encoded_too.decision.models == {"matcher": "1", "mean-colour": "1"}
    assert [match.probability for match in encoded_too.matches] == [match.probability for match in result.matches]


def test_the_similarity_of_a_stored_posting_needs_no_encoding() -> None:
    matcher = with_encoder(trained=False)
    found = {match.posting_id: match.similarity for match in matcher.match_posting("p0", ALL).matches}
    embeddings = tiny_search().embeddings
    assert found["p1"] == pytest.approx(float(embeddings[0] @ embeddings[1]))
    assert found["bare"] is None


def test_min_similarity_leaves_out_what_is_less_similar() -> None:
    matcher = with_encoder(trained=False)
    every = matcher.match_posting("p0", ALL).matches
    kept = matcher.match_posting("p0", replace(ALL, min_similarity=0.9)).matches
    assert [match for match in every if (match.similarity or 0) >= 0.9] == list(kept)
    assert 0 < len(kept) < len(every)


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("options", [ALL, replace(ALL, encoder="mean-colour"), Options(2, min_similarity=0.5)])
def test_a_decision_rule_is_known_before_the_match(trained: bool, options: Options) -> None:
    """The rule of several images, of which all may be bad, is that of each good one."""
    matcher = with_encoder(trained=trained)
    wanted = matcher.wanted(options, image=True, title=False)
    image = replace(RED, embeddings={key: RED.embeddings[key] for key in wanted.encoders})
    assert matcher.decision(options, wanted.encoders) == matcher.match(Query("", image), options).decision


def test_what_cannot_be_answered_is_refused_before_an_image_is_encoded() -> None:
    """Signals, encoders and pair models that a query needs are looked for first."""
    by_title = matcher_over(Catalogue([]), {}, {}, scored_search([Posting("a", None, "kopi")], ["title"]))
    with pytest.raises(SignalNeeded):
        by_title.wanted(Options(), image=True, title=False)
    with pytest.raises(EncoderNeeded):
        matcher_over(Catalogue([]), {}, {}).wanted(Options(), image=True, title=False)
    with pytest.raises(MatcherNeeded):
        tiny_matcher().wanted(Options(min_probability=0.5), image=True, title=False)


def test_a_least_similarity_takes_an_image() -> None:
    with pytest.raises(SignalNeeded, match="an image"):
        with_encoder(trained=True).match(Query(title="Product #ff0000"), Options(min_similarity=0.5))


def test_a_matcher_of_images_takes_a_title_alone() -> None:
    matcher = with_encoder(trained=True)
    answer = matcher.match(Query(title="Product #ff0000"), Options())
    assert [match.posting_id for match in answer.matches] == ["bare", "p0"]  # half of the titles hold these words


# --- without a trained matcher -----------------------------------------------------------------------------------


def test_without_a_trained_matcher_similarity_decides_and_no_probability_is_invented() -> None:
    matcher = tiny_matcher(threshold=None)
    answer = matcher.match(Query("", RED), Options(limit=3))
    assert [match.posting_id for match in answer.matches] == ["p0"]
    assert {(match.probability, match.match_type, match.evidence) for match in answer.matches} == {(None, None, None)}
    decided = answer.decision.by, answer.decision.target, answer.decision.threshold
    assert decided == ("similarity", None, NEARLY_SAME_OTHERWISE)
    assert answer.decision.models == {"mean-colour": "1"}


@pytest.mark.parametrize("asked", [Options(target=F1), Options(min_probability=0.5)])
def test_probabilities_take_a_matcher(asked: Options) -> None:
    for ask in (tiny_matcher().match, lambda _, asked: tiny_matcher().match_posting("p0", asked)):
        with pytest.raises(MatcherNeeded, match="setting matcher: none"):
            ask(Query("", SCENE_FEATURES), asked)


def test_a_title_alone_takes_a_matcher() -> None:
    """Beside an image it is passed over."""
    with pytest.raises(MatcherNeeded, match="title"):
        tiny_matcher().match(Query(title="kopi"), Options())
    both, image = (tiny_matcher().match(Query(title, SCENE_FEATURES), Options()) for title in ("kopi", ""))
    assert list(both.matches) == list(image.matches)


def test_the_encoder_may_be_named_among_several() -> None:
    """An unknown name is refused with those there are."""
    one, other = tiny_search(), tiny_search()
    other = SimilaritySearch.of(other.encoder, other.catalogue, np.roll(other.embeddings, 1, axis=0))
    matcher = matcher_over(one.catalogue, {"1": one, "2": other}, {"one": "1", "other": "2"})
    assert matcher.encoder(None, "") is matcher.encoder("one", "") is one
    assert matcher.encoder("other", "") is other
    with pytest.raises(EncoderUnknown, match="one, other, got 'third'"):
        matcher.match_posting("p0", Options(encoder="third"))


def test_without_an_encoder_similarity_is_refused() -> None:
    for asked in (Options(encoder="cae"), Options(min_similarity=0.5)):
        with pytest.raises(EncoderNeeded):
            by_hash(0, 0).match_posting("p0", asked)


def test_an_image_of_one_colour_matches_nothing() -> None:
    """Not those of the same bytes either, asked alone or stored, but its title counts: fault C7."""
    matcher = with_encoder(trained=True)
    plain = replace(RED, phash=ONE_COLOUR)
    assert len(matcher.match(Query("", RED), ALL).matches)
    assert not len(matcher.match(Query("", plain), ALL).matches)
    titled = matcher.match(Query("Product #ff0000", plain), ALL).matches
    assert {"p0", "bare"} <= {match.posting_id for match in titled}
    put = [Posting("one", "1" * 64, "", "f" * 16), Posting("other", "1" * 64)]
    changed = matcher.changed(put, [], [[plain], [plain]])
    assert not len(changed.match_posting("one", ALL).matches)
    assert not len(changed.match_posting("other", ALL).matches)
