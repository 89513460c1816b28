"""Entity tags and conditions of a change, against RFC 9110."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.api.conditions import condition, etag, is_known
from pricematch.catalogue.records import ANYHOW, Condition

REVISIONS = st.integers(1, 10**18 - 1)
OPAQUE = st.text(st.characters(codec="latin-1", exclude_characters='"', exclude_categories=("Cc", "Zs")), max_size=9)
PRODUCTS = st.sampled_from([None, "p1", "p20"])
TAGS = st.builds(etag, REVISIONS, PRODUCTS) | OPAQUE.map(lambda text: f'"{text}"')


@given(
    REVISIONS, st.lists(st.tuples(TAGS, st.booleans()), min_size=1, max_size=6), st.sampled_from([",", ", ", " ,\t"])
)
def test_if_match_takes_strong_tags_of_the_revision_only(
    revision: int, tags: list[tuple[str, bool]], comma: str
) -> None:
    """Whatever product they name: that may change while the posting stays."""
    wanted = condition(comma.join(f"W/{tag}" if weak else tag for tag, weak in tags), None)
    assert wanted.exists is None
    assert wanted.revisions is not None
    for one in {revision, *wanted.revisions}:
        strong = {tag for tag, weak in tags if not weak}
        assert (one in wanted.revisions) is any(etag(one, it) in strong for it in (None, "p1", "p20"))


@pytest.mark.parametrize(
    "tag", ['"007"', '"0"', '"+7"', '" 7"', '"7.0"', '"7.p0"', '"7.p1 "', '"7p1"', '"٧"', '"1000000000000000000"']
)
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


@given(REVISIONS, PRODUCTS, st.lists(st.tuples(TAGS, st.booleans()), max_size=6))
def test_who_reads_knows_it_by_a_weak_tag_as_well(
    revision: int, product: str | None, tags: list[tuple[str, bool]]
) -> None:
    header, own = ", ".join(f"W/{tag}" if weak else tag for tag, weak in tags), etag(revision, product)
    assert is_known(header, own) is (own in {tag for tag, _ in tags})
    assert is_known(f'{header}, "x"', own) is is_known(header, own)
    assert is_known("*", own)
    assert not is_known(None, own)


@given(st.text(max_size=40))
def test_whatever_a_header_says_it_is_a_condition_or_refused(header: str) -> None:
    for given_ in ((header, None), (None, header)):
        try:
            assert isinstance(condition(*given_), Condition)
        except ValueError as error:
            assert "expected If-" in str(error)  # noqa: PT017 — most headers are refused, some are not
    assert isinstance(is_known(header, '"7"'), bool)
