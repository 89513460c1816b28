"""`pricematch export`: what is written imports again to the same."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pricematch.catalogue.byte_escapes import decode_byte_escapes, encode_byte_escapes
from pricematch.catalogue.labels import as_label
from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.errors import ImageUnavailable, SettingsError
from pricematch.formats.feedback_files import read_feedback
from pricematch.formats.posting_lines import posting_line
from pricematch.formats.posting_rows import PostingRows, RowLimits
from pricematch.serving.exports import Exported, export_catalogue
from pricematch.serving.feedback_files import import_feedback
from pricematch.serving.imports import import_file
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.catalogues import METADATA_LIMITS
from tests.support.cli import Run
from tests.support.fakes import image_bytes
from tests.support.served import Told
from tests.support.stores import everything, image_names, name_of

RED, GREEN, BLUE = map(image_bytes, ("#ff0000", "#00ff00", "#0000ff"))
LIMITS = RowLimits(1000, 1_000_000, METADATA_LIMITS)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TITLES = TEXT | st.sampled_from(["N/A", "nan", "-", "b'x'", 'b"x"', r"50\xff", r"a\nb", "\\", " x ", "é\0", "b", '"'])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A store with postings of every kind, and verdicts."""
    settings = Settings(data=tmp_path / "data")
    with closing(open_store(settings.data)) as store:
        red, green = name_of(RED), name_of(GREEN)
        priced = Metadata({"price": 12.5, "brand": {"name": "Acme"}, "tags": ["a", None, True], "ean": "0012"})
        store.postings.put(
            [
                Put(Posting("a", red, "Kopi É", "0" * 16, "g", priced), [RED]),
                Put(Posting("b", red), [RED]),
                Put(Posting("c", None, "b'Teh'", label_group="18", metadata=Metadata({"a": 1}))),
                Put(Posting("Größe 38", green, "N/A", None, "g"), [GREEN]),
                Put(Posting("several", None, "Kopi").with_images([green, name_of(BLUE), red]), [GREEN, BLUE, RED]),
            ]
        )
        store.feedback.decide("a", "b", "same")
        store.feedback.decide("a", "gone", "different")
    return settings


def contents(settings: Settings) -> dict[str, Posting]:
    with closing(open_store(settings.data)) as store:
        return everything(store)


def test_what_is_exported_imports_to_the_same(settings: Settings, tmp_path: Path) -> None:
    """With images into another store, without them into the same; again it changes nothing."""
    file, images, verdicts = tmp_path / "out" / "postings.ndjson", tmp_path / "images", tmp_path / "verdicts.csv"
    told = Told()
    assert export_catalogue(settings, file, images, verdicts, told) == Exported(5, 3, 2)
    assert told.what == ["Writing postings"] * 5
    other = Settings(data=tmp_path / "other")
    done = import_file(other, file, images, Told())
    assert (done.counts.created, done.problems, done.warnings) == (5, [], [])
    assert contents(other) == contents(settings)
    assert image_names(other.data) == {name_of(RED), name_of(GREEN), name_of(BLUE)}
    again = import_file(settings, file, None, Told())
    assert (again.counts.unchanged, again.problems) == (5, [])
    assert sorted(read_feedback(verdicts, 1000)) == [("a", "b", "same"), ("a", "gone", "different")]
    assert [json.loads(line)["posting_id"] for line in file.read_text().splitlines()] == [
        *("Größe 38", "a", "b", "c", "several")
    ]


@given(
    TITLES,
    TEXT,
    st.none() | st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    st.sampled_from([NO_METADATA, Metadata({"price": 1e300, "a b": "é\n\u2028", "c": {"d": []}})]),
)
@examples(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_posting_is_read_from_its_line_as_it_is(
    tmp_path: Path, title: str, label: str, phash: str | None, metadata: Metadata
) -> None:
    """Whatever its title reads like."""
    sound = as_label(label)
    posting = Posting("a", "1.png", title, phash, None if sound is None or "\0" in sound else sound, metadata)
    (tmp_path / "file").write_bytes(posting_line(posting))
    [row] = PostingRows(tmp_path / "file", "file", LIMITS)
    assert (row.posting, row.problems) == (posting, ())


@given(TITLES)
def test_an_encoded_title_is_decoded_to_itself(title: str) -> None:
    assert decode_byte_escapes(encode_byte_escapes(title)) == title


def test_the_command_says_what_it_did(settings: Settings, tmp_path: Path, run: Run) -> None:
    ran = run("export", str(tmp_path / "out.ndjson"), "--data", str(settings.data))
    assert ran.code == 0, ran.err
    assert (tmp_path / "out.ndjson").read_bytes().count(b"\n") == 5
    assert "postings" in ran.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out.ndjson"]


def test_verdicts_are_written_in_the_form_of_their_file(settings: Settings, tmp_path: Path) -> None:
    """So that what is exported can be imported."""
    for name in ("verdicts.ndjson", "verdicts.csv"):
        export_catalogue(settings, tmp_path / "out.ndjson", None, tmp_path / name, Told())
        counts = import_feedback(settings, tmp_path / name)
        assert (counts.new, counts.changed) == (0, 0)


def test_postings_are_no_csv_file(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"out\.ndjson"):
        export_catalogue(settings, tmp_path / "out.csv", None, None, Told())
    assert not (tmp_path / "out.csv").exists()


def test_without_a_store_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no store in"):
        export_catalogue(Settings(data=tmp_path / "none"), tmp_path / "out", None, None, Told())
    assert not list(tmp_path.iterdir())


def test_an_image_that_is_lost_leaves_no_file(settings: Settings, tmp_path: Path) -> None:
    """And the message names it; without images nobody misses it."""
    name = name_of(GREEN)
    (settings.data / "images" / name[:2] / name[2:]).unlink()
    with pytest.raises(ImageUnavailable, match=name):
        export_catalogue(settings, tmp_path / "out", tmp_path / "images", None, Told())
    assert not (tmp_path / "out").exists()
    assert export_catalogue(settings, tmp_path / "out", None, None, Told()) == Exported(5, 0, 0)
