"""Postings and the catalogue that holds them."""

import random
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pricematch.catalogue.byte_escapes import decode_byte_escapes
from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.catalogue.postings import Catalogue, Posting, as_posting_id, is_posting_id
from pricematch.errors import CatalogueError, PostingNotFound

POSTINGS = [Posting("a", "1.png"), Posting("b", "2.png"), Posting("c", "1.png"), Posting("d", None)]


@pytest.mark.parametrize("text", ["a", "7", "_", "train_129225211", "a.b:c@d+e~f-g", "x" * 128])
def test_an_id_of_the_allowed_characters_is_one(text: str) -> None:
    assert is_posting_id(text)


@pytest.mark.parametrize(
    "text",
    ["é", "٣", "Größe 38", "a  b", "รองเท้า_1", "किताब-7", "商品:1", "Ελλάδα", "кофе 3", "é" * 64, "𠮷" * 32, "שָׁלוֹם"],
)
def test_an_id_may_be_of_any_script(text: str) -> None:
    """Letters, marks and digits, with blanks between, in 128 bytes (fault C19)."""
    assert is_posting_id(as_posting_id(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "-a",
        " ",
        "a/b",
        "a\n",
        "a\0",
        "😀",
        "' OR 1=1",
        "%2e",
        "x" * 129,
        "a\\b",
        "a?b",
        "a#b",
        "a,b",
        "a;b",
    ],
)
def test_an_id_with_a_meaning_in_urls_is_refused(text: str) -> None:
    assert not is_posting_id(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            " a",
            "a ",
            "a\tb",
            "a\u00a0b",
            "a\u3000b",
            "\ufeffa",
            "a\u200b",
            "a\u200db",
            "a\u202eb",
            "a\u2028b",
            "a\x85b",
        ),
        *(
            "\u0301a",
            "a\ufe0f",
            "a\u034fb",
            "\u3164",
            "a\ue000",
            "a\ud800",
            "½",
            "é" * 65,
            "²",
            "e\u0301",
            "a\U000e0041",
        ),
    ],
    ids=ascii,
)
def test_an_id_that_cannot_be_seen_whole_is_refused(text: str) -> None:
    """Blanks at an end or other than a plain one, what shows nothing or steers, what is not in NFC (fault C19)."""
    assert not is_posting_id(text)


@given(st.text(st.characters(categories=["L", "M", "Nd"], include_characters="_.:@+~- "), max_size=40))
def test_an_id_stays_one_in_its_normal_form(text: str) -> None:
    """Whichever form a system writes it in, it is the same id (fault C19)."""
    forms = {as_posting_id(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")}
    assert len(forms) == 1
    assert not is_posting_id(text) or forms == {text}


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


def test_one_per_image_keeps_the_first_posting_of_each_image() -> None:
    assert list(Catalogue(POSTINGS).one_per_image()) == POSTINGS[:2]


def test_a_posting_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        POSTINGS[0].title = "other"  # type: ignore[misc]  # that it is refused is the point


# --- catalogues that change --------------------------------------------------------------------------------------

IDS = [*"abcdef"]


def check(catalogue: Catalogue, held: dict[str, Posting]) -> None:
    """Compare all that a catalogue gives with its postings by id, in the order in which they were put."""
    assert len(catalogue) == len(held) == len(list(catalogue))
    assert list(catalogue) == list(held.values())
    assert list(catalogue.posting_ids) == list(held)
    assert [catalogue[row].posting_id for row in catalogue.by_id] == sorted(held)
    assert catalogue.select(catalogue.rows) == list(held.values())
    assert catalogue.ids_of(catalogue.rows[::-1]) == list(held)[::-1]
    assert catalogue.alive.sum() == len(held)
    assert len(catalogue.alive) == catalogue.span
    assert {found: catalogue[row] for found, row in catalogue.located([*IDS, "z"]).items()} == held
    for posting_id in IDS:
        assert catalogue.holds(posting_id) == (posting_id in held)
        if posting_id in held:
            assert catalogue[catalogue.row(posting_id)] == catalogue.posting(posting_id) == held[posting_id]
        else:
            with pytest.raises(PostingNotFound):
                catalogue.row(posting_id)


CHANGES = st.lists(
    st.tuples(st.lists(st.sampled_from(IDS), unique=True, max_size=4), st.lists(st.sampled_from([*IDS, "z"]))),
    max_size=12,
)


@given(st.lists(st.sampled_from(IDS), unique=True), CHANGES)
def test_changes_leave_earlier_catalogues_as_they_were(
    first: list[str], changes: list[tuple[list[str], list[str]]]
) -> None:
    """The changed one holds what was put and not removed."""
    held = {posting_id: Posting(posting_id, None, "first") for posting_id in first}
    catalogue = Catalogue(list(held.values()))
    every = [(catalogue, held)]
    for number, (put, removed) in enumerate(changes):
        postings = [Posting(posting_id, None, f"change {number}") for posting_id in put]
        held = {key: posting for key, posting in held.items() if key not in {*put, *removed}}
        held |= {posting.posting_id: posting for posting in postings}
        catalogue = catalogue.changed(postings, removed)
        every.append((catalogue, held))
    for earlier, expected in every:
        check(earlier, expected)


def test_rows_stay_what_they_were_and_new_postings_come_behind_them() -> None:
    before = Catalogue(POSTINGS)
    after = before.changed([Posting("b", "3.png"), Posting("e", None)], ["a", "nobody"])
    assert (before.span, after.span, len(after)) == (4, 6, 4)
    assert [after[row] for row in range(4)] == POSTINGS
    assert after.rows.tolist() == [2, 3, 4, 5]
    assert [after.row(posting_id) for posting_id in "bcde"] == [4, 2, 3, 5]
    assert (before.row("b"), before.posting("b").image) == (1, "2.png")
    assert not before.holds("e")


def test_only_the_newest_catalogue_can_get_more_postings() -> None:
    before = Catalogue(POSTINGS)
    after = before.changed([Posting("e", None)], [])
    with pytest.raises(ValueError, match="expected the newest catalogue, got one of 4 rows where there are 5"):
        before.changed([Posting("f", None)], [])
    assert (list(before), list(after)) == (POSTINGS, [*POSTINGS, Posting("e", None)])


def test_metadata_changes_no_row_and_no_earlier_catalogue() -> None:
    """Over several chunks, whatever else changes in between, against dictionaries."""
    draw = random.Random(0)
    held = {f"p{number}": Posting(f"p{number}", None) for number in range(600)}
    catalogue = Catalogue(list(held.values()))
    every = [(catalogue, held)]
    for step in range(60):
        metadata = Metadata({"step": step})
        if step % 3:
            chosen = draw.sample(sorted(held), draw.choice([1, 3, 300]))
            before = catalogue
            catalogue = catalogue.with_metadata({catalogue.row(posting_id): metadata for posting_id in chosen})
            held = held | {posting_id: replace(held[posting_id], metadata=metadata) for posting_id in chosen}
            assert catalogue.span == before.span
            assert catalogue.by_id.tolist() == before.by_id.tolist()
            assert [catalogue.metadata_of(catalogue.row(posting_id)) for posting_id in chosen] == [metadata] * len(
                chosen
            )
        else:
            put = [Posting(f"p{draw.randrange(700)}", None, f"{step}", metadata=metadata)]
            removed = draw.sample(sorted(held), 5)
            catalogue = catalogue.changed(put, removed)
            held = {posting_id: posting for posting_id, posting in held.items() if posting_id not in removed}
            held |= {posting.posting_id: posting for posting in put}
        every.append((catalogue, held))
    for earlier, expected in every:
        assert {posting.posting_id: posting for posting in earlier} == expected


def test_a_catalogue_with_other_metadata_can_be_changed_instead() -> None:
    """Where it is, the one of before cannot be any more."""
    before = Catalogue(POSTINGS)
    after = before.with_metadata({0: Metadata({"a": 1})})
    assert before.newest
    assert after.newest
    changed = after.changed([Posting("e", None)], [])
    assert changed.posting("a").metadata == Metadata({"a": 1})
    assert not before.newest
    assert before.posting("a").metadata is NO_METADATA


def test_postings_that_differ_in_metadata_match_alike() -> None:
    posting = Posting("a", "1.png", "title", "0" * 16, "group")
    assert posting.matches_as(replace(posting, metadata=Metadata({"a": 1})))
    for other in (
        Posting("b", "1.png", "title", "0" * 16, "group"),
        Posting("a", "2.png", "title", "0" * 16, "group"),
        Posting("a", "1.png", "other", "0" * 16, "group"),
        Posting("a", "1.png", "title", None, "group"),
        Posting("a", "1.png", "title", "0" * 16, None),
    ):
        assert not posting.matches_as(other)


def test_one_per_image_is_of_what_is_still_there() -> None:
    assert list(Catalogue(POSTINGS).changed([], ["a"]).one_per_image()) == POSTINGS[1:3]


@given(st.text())
def test_text_without_escapes_and_wrapper_is_unchanged(title: str) -> None:
    assume("\\" not in title)
    assume(not title.startswith(("b'", 'b"')))
    assert decode_byte_escapes(title) == title


@given(st.text())
def test_a_printed_bytes_literal_becomes_the_text_it_was(title: str) -> None:
    assert decode_byte_escapes(repr(title.encode("utf-8"))) == title


@given(st.text())
def test_a_bytes_literal_without_wrapper_becomes_text(title: str) -> None:
    assume(not title.startswith("b"))
    assert decode_byte_escapes(repr(title.encode("utf-8"))[2:-1]) == title


@pytest.mark.parametrize(
    ("title", "meaning"),
    [
        ("", ""),
        (r"Nescafe \xc3\x89clair Latte", "Nescafe Éclair Latte"),
        (r"Nescafe \xC3\x89clair", "Nescafe Éclair"),
        ('b"L\'Oreal"', "L'Oreal"),
        ("b'say \"hi\"'", 'say "hi"'),
        (r"""b"a \xf0\x9f\x98\x80 b" """.strip(), "a 😀 b"),
        (r"one\ntwo\tthree", "one\ntwo\tthree"),
        (r"back\\slash", r"back\slash"),
    ],
)
def test_escapes_become_what_the_bytes_mean(title: str, meaning: str) -> None:
    assert decode_byte_escapes(title) == meaning


@pytest.mark.parametrize("title", [r"50\xff", r"caf\xe9", r"cut \xc3", r"b'\xff'", r"Éclair \xff"])
def test_escapes_that_are_no_utf8_stay_as_they_are(title: str) -> None:
    assert decode_byte_escapes(title) == title


@pytest.mark.parametrize("title", [r"\xg0", r"\x1", "\\", "b'", 'b"a', "b'a\"", "bottle 'x'"])
def test_what_only_resembles_an_escape_or_a_wrapper_stays(title: str) -> None:
    assert decode_byte_escapes(title) == title
