"""Matches by similarity: which cosines are enough, and what people decided."""

import numpy as np
import pytest

from pricematch.catalogue.features import EncoderInfo
from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import FeedbackChange
from pricematch.matching.queries import Options, Result
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.similarity_matches import (
    NEARLY_SAME,
    NEARLY_SAME_OTHERWISE,
    similar_to,
    similar_to_posting,
)


def turned(cosines: list[float], name: str = "own", threshold: float | None = None) -> SimilaritySearch:
    """Postings `p0`, `p1` … whose images have these cosines to that of `p0`, the first."""
    first = np.array(cosines)
    embeddings = np.column_stack([first, np.sqrt(1 - first**2)]).astype(np.float32)
    catalogue = Catalogue([Posting(f"p{row}", "image") for row in range(len(cosines))])
    return SimilaritySearch.of(EncoderInfo("key", {name: "1"}, 2, threshold), catalogue, embeddings)


def ids(found: Result) -> list[str]:
    """Whose matches they are, in order."""
    return [match.posting_id for match in found.matches]


def test_the_threshold_of_the_encoder_decides_by_default() -> None:
    """Unless a request says otherwise."""
    search = turned([1, 0.95, 0.85, -1], threshold=0.9)
    found = similar_to_posting(search, "p0", Options(), NO_FEEDBACK)
    assert (ids(found), found.decision.threshold) == (["p1"], 0.9)
    assert ids(similar_to_posting(search, "p0", Options(min_similarity=-1), NO_FEEDBACK)) == ["p1", "p2", "p3"]
    assert ids(similar_to(search, np.array([[1, 0]], np.float32), Options())) == ["p0", "p1"]


@pytest.mark.parametrize(("name", "least"), [("cnn", NEARLY_SAME["cnn"]), ("own", NEARLY_SAME_OTHERWISE)])
def test_without_a_measured_threshold_nearly_the_same_images_match(name: str, least: float) -> None:
    """Never all of them, unless a request says so."""
    search = turned([1, least + 1e-4, least - 1e-4, 0], name)
    assert ids(similar_to_posting(search, "p0", Options(), NO_FEEDBACK)) == ["p1"]
    assert len(similar_to_posting(search, "p0", Options(min_similarity=-1), NO_FEEDBACK).matches) == 3


def test_what_is_no_evidence_has_no_matches() -> None:
    """Though the rule is told."""
    found = similar_to(turned([1, 1]), None, Options(min_similarity=0.5))
    assert (ids(found), found.decision.threshold) == ([], 0.5)


def test_people_overrule_similarity() -> None:
    """What is the same comes first, however far; what differs does not come; and a page is as long as it may be."""
    search = turned([1, 0.99, 0.98, 0.97, 0])
    changes = [FeedbackChange("p0", "p4", 1, "same"), FeedbackChange("p0", "p1", 2, "different")]
    found = similar_to_posting(search, "p0", Options(limit=2, min_similarity=0.9), NO_FEEDBACK.changed(changes))
    assert (ids(found), found.next) == (["p4", "p2"], 2)
    assert [match.feedback for match in found.matches] == ["same", None]
