"""Entity tags and conditions of a change, against RFC 9110."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.api.routes.postings import condition, etag, is_known
from pricematch.catalogue.records import ANYHOW, Condition

REVISIONS = st.integers(1, 10**18 - 1)
OPAQUE = st.text(st.characters(codec="latin-1", exclude_characters='"', exclude_categories=("Cc", "Zs")), max_size=9)
TAGS = REVISIONS.map(etag) | OPAQUE.map(lambda text: f'"{text}"')


@given(
    REVISIONS, st.lists(st.tuples(TAGS, st.booleans()), min_size=1, max_size=6), st.sampled_from([",", ", ", " ,\t"])
)
def test_if_match_takes_strong_equal_tags_only(revision: int, tags: list[tuple[str, bool]], comma: str) -> None:
    """Tags are compared character by character."""
    wanted = condition(comma.join(f"W/{tag}" if weak else tag for tag, weak in tags), None)
    assert wanted.exists is None
    assert wanted.revisions is not None
    for one in {revision, *wanted.revisions}:
        assert (one in wanted.revisions) is (etag(one) in {tag for tag, weak in tags if not weak})


@pytest.mark.parametrize("tag", ['"007"', '"0"', '"+7"', '" 7"', '"7.0"', '"٧"', '"1000000000000000000"'])
def test_a_tag_that_only_resembles_the_posting_s_is_another(tag: str) -> None:
    if not tag.isascii() or " " in tag:
        with pytest.raises(ValueError, match="expected If-Match"):
            condition(tag, None)
    else:
        assert condition(tag, None).revisions == frozenset()


def test_a_star_holds_where_the_posting_is_there() -> None:
    assert condition(None, None) == ANYHOW
    assert condition(" * ", None) == Condition(exists=True)
    assert condition(None, "*") == Condition(exists=False)


@given(REVISIONS, st.lists(st.tuples(TAGS, st.booleans()), max_size=6))
def test_who_reads_knows_it_by_a_weak_tag_as_well(revision: int, tags: list[tuple[str, bool]]) -> None:
    header = ", ".join(f"W/{tag}" if weak else tag for tag, weak in tags)
    assert is_known(header, revision) is (etag(revision) in {tag for tag, _ in tags})
    assert is_known(f'{header}, "x"', revision) is is_known(header, revision)
    assert is_known("*", revision)
    assert not is_known(None, revision)


@given(st.text(max_size=40))
def test_whatever_a_header_says_it_is_a_condition_or_refused(header: str) -> None:
    for given_ in ((header, None), (None, header)):
        try:
            assert isinstance(condition(*given_), Condition)
        except ValueError as error:
            assert "expected If-" in str(error)  # noqa: PT017 — most headers are refused, some are not
    assert isinstance(is_known(header, 7), bool)
