"""Postings and the catalogue that holds them."""

import pytest

from app.errors import CatalogueError, PostingNotFound
from app.matching.postings import Catalogue, Posting, is_posting_id

POSTINGS = [Posting("a", "1.png"), Posting("b", "2.png"), Posting("c", "1.png"), Posting("d", None)]


@pytest.mark.parametrize("text", ["a", "7", "_", "train_129225211", "a.b:c@d+e~f-g", "x" * 128])
def test_an_id_of_the_allowed_characters_is_one(text: str) -> None:
    assert is_posting_id(text)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "-a", "a/b", "a b", "a\n", "a\0", "é", "٣", "😀", "' OR 1=1", "%2e", "x" * 129]
)
def test_an_id_that_could_mean_something_else_in_a_path_or_query_is_none(text: str) -> None:
    assert not is_posting_id(text)


def test_a_catalogue_gives_postings_by_row_and_rows_by_id() -> None:
    catalogue = Catalogue(POSTINGS)
    assert len(catalogue) == 4
    assert list(catalogue) == POSTINGS
    for row, posting in enumerate(POSTINGS):
        assert catalogue[row] is posting
        assert catalogue.row(posting.posting_id) == row
        assert catalogue.posting(posting.posting_id) is posting


def test_an_id_given_twice_is_refused() -> None:
    with pytest.raises(CatalogueError, match="expected unique ids, got 3 postings of 2 ids"):
        Catalogue([Posting("a", None), Posting("b", None), Posting("a", None)])


def test_an_unknown_id_is_named() -> None:
    with pytest.raises(PostingNotFound, match="'z'"):
        Catalogue(POSTINGS).row("z")
    with pytest.raises(PostingNotFound, match="'z'"):
        Catalogue(POSTINGS).posting("z")


def test_one_per_image_keeps_the_first_posting_of_each_picture() -> None:
    assert list(Catalogue(POSTINGS).one_per_image()) == POSTINGS[:2]


def test_a_posting_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        POSTINGS[0].title = "other"  # type: ignore[misc]  # that it is refused is the point
