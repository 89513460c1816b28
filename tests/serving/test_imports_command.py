"""`pricematch import`: rows into a store, whether a service runs on it or not."""

import re
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.catalogue.job_records import Counts
from pricematch.errors import CatalogueError, ImportRefused, SettingsError
from pricematch.serving.imports import import_file
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.cli import Run
from tests.support.fakes import COLOURS, image_bytes, marked_bytes, tiny_catalogue, tiny_postings
from tests.support.files import Member, archive
from tests.support.networks import export
from tests.support.served import Loaded, Told, loaded, matched, served, settings_of
from tests.support.waiting import eventually

__all__ = ["loaded"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A store that is yet to be made."""
    return Settings(data=tmp_path / "data")


def test_a_catalogue_goes_into_a_new_store_and_again_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    (file, images), told = tiny_catalogue(tmp_path / "given"), Told()
    done = import_file(settings, file, images, told)
    count = len(COLOURS)
    assert (done.counts, done.problems, done.version) == (Counts(created=count), [], count)
    assert "Storing postings" in told.what
    again = import_file(settings, file, images, told)
    assert (again.counts, again.version) == (Counts(unchanged=count), count)
    with closing(open_store(settings.data)) as store:
        for posting, colour in zip(tiny_postings(), COLOURS, strict=True):
            stored = store.postings.get(posting.posting_id)
            assert stored is not None
            assert stored.posting.title == posting.title
            assert store.images.read(stored.posting.image or "") == image_bytes(colour)


def test_stock_images_are_reported(settings: Settings, tmp_path: Path, run: Run) -> None:
    """By the command as by what it calls; fault C5."""
    titles = [f"{one}{other}{one}" for one in "abcd" for other in "klm"]
    rows = [f"p{row:02},,{'8f' * 8},{title}" for row, title in enumerate(titles)]
    file = tmp_path / "postings.csv"
    file.write_text("\n".join(["posting_id,image,image_phash,title", *rows]))
    [stock] = import_file(settings, file, None, Told()).stock
    assert (stock.postings, stock.titles, stock.example) == (12, 12, "p00")
    ran = run("import", str(file), "--data", str(settings.data))
    assert f"stock_image: {stock}; it is no evidence" in ran.err


def test_images_may_be_in_a_zip_file(settings: Settings, tmp_path: Path) -> None:
    """Without any images, stored postings keep theirs."""
    file, images = tiny_catalogue(tmp_path / "given")
    packed = tmp_path / "images.zip"
    with zipfile.ZipFile(packed, "w") as writer:
        for path in images.iterdir():
            writer.write(path, path.name)
    assert import_file(settings, file, packed, Told()).counts == Counts(created=len(COLOURS))
    assert import_file(settings, file, None, Told()).counts == Counts(unchanged=len(COLOURS))


def test_what_is_of_no_use_as_a_whole_makes_no_store(settings: Settings, tmp_path: Path) -> None:
    file, _ = tiny_catalogue(tmp_path / "given")
    bomb = tmp_path / "bomb.zip"
    bomb.write_bytes(archive([Member(b"../1.png")]))
    with pytest.raises(ImportRefused, match="leads elsewhere"):
        import_file(settings, file, bomb, Told())
    with pytest.raises(SettingsError, match="which is not there"):
        import_file(settings, file, tmp_path / "none", Told())
    file.write_text("posting_id,image\n")
    for path in (file, tmp_path / "none.csv"):
        with pytest.raises(CatalogueError):
            import_file(settings, path, None, Told())
    assert not settings.data.exists()


def test_a_running_service_serves_what_was_imported(settings: Settings, tmp_path: Path, loaded: Loaded) -> None:
    export(tmp_path / "models", "cae", "1")
    serving = settings_of(tmp_path, encoder="cae", follow_seconds=0.02)
    (tmp_path / "teal.png").write_bytes(marked_bytes("#008080"))
    file = tmp_path / "more.csv"
    file.write_text("posting_id,image\nteal,teal.png\n")
    with served(serving) as running:
        before = loaded.encoded["1"]
        import_file(serving, file, tmp_path, Told())
        eventually(lambda: running.snapshots.current.matcher.catalogue.holds("teal"))
        assert loaded.encoded["1"] == before + 1
        assert matched(running, "teal", limit=1)


def test_the_command_counts_what_became_of_rows(run: Run, tmp_path: Path) -> None:
    file, images = tiny_catalogue(tmp_path / "given")
    asked = ["import", str(file), "--images", str(images), "--data", str(tmp_path / "data")]
    ran = run(*asked)
    assert ran.code == 0
    [figures] = [cells for line in ran.out.splitlines() if (cells := re.findall(r"\d+", line)) and "│" in line]
    assert figures == ["7", "0", "0", "0", "7"]


def test_the_command_says_how_it_read_the_file(run: Run, tmp_path: Path) -> None:
    """And what is odd in it, with counts (fault C12, fault C19)."""
    file = tmp_path / "rows.csv"
    file.write_bytes("posting_id;image;title;label_group;Brand\nü 1;;Crème;NULL;x\nb;;Crème;18;x\n".encode("cp1252"))
    ran = run("import", str(file), "--data", str(tmp_path / "data"))
    assert ran.code == 0
    for told in (
        "the file is CSV in cp1252, delimiter ';'",
        "columns that nothing reads: 'Brand'",
        "label_group: 1 cells say nothing ('NULL' 1), and count as empty",
    ):
        assert told in ran.err


def test_the_command_names_bad_rows_and_ends_with_one(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("posting_id,image,title\n" + "".join(f"a{row},,\n" for row in range(30)) + "good,,x\n")
    ran = run("import", str(file), "--data", str(tmp_path / "data"))
    assert ran.code == 1
    lines = ran.err.splitlines()
    assert "row 2: expected an image or a title, got neither" in lines[-21]
    assert "30 rows in all" in lines[-1]
    assert "Traceback" not in ran.err


def test_the_command_refuses_a_missing_file_in_one_line(run: Run, tmp_path: Path) -> None:
    ran = run("import", str(tmp_path / "none.csv"), "--data", str(tmp_path / "data"))
    assert (ran.code, "cannot be read" in ran.one_line()) == (1, True)
