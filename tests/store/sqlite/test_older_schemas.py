"""Stores that earlier versions wrote: nothing is lost, and what was damaged before is told afterwards."""

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pricematch.catalogue.fields import Field
from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.catalogue.products import ProductState
from pricematch.errors import RowDamaged, StoreDamaged
from pricematch.settings import Settings
from pricematch.store.sqlite.schema import SCHEMA
from pricematch.store.sqlite.store import DATABASE, open_store
from pricematch.store.verify import verify
from tests.support.stores import check_whole, everything, image_bytes, name_of, put

HERE = Path(__file__).parent
DIGEST = hashlib.sha256(image_bytes(0)).digest()


def written_by(schema: int, folder: Path, kind: str = "") -> None:
    """Make the store that the last version with a schema wrote."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.executescript((HERE / f"store_{schema}{kind}.sql").read_text(encoding="utf-8"))
        connection.executescript(
            f"PRAGMA application_id = {0x50724D63}; PRAGMA user_version = {schema}; PRAGMA journal_mode=WAL"
        )
    for number in range(3):
        path = folder / "images" / name_of(image_bytes(number))[:2] / name_of(image_bytes(number))[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(number))


@pytest.mark.parametrize("schema", [2, 3, 4])
def test_a_store_of_a_version_before_is_kept(schema: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Fault F14: as that version wrote it, nothing is lost, and what is altered from now on is told."""
    caplog.set_level("INFO")
    written_by(schema, tmp_path)
    for _ in range(2):
        with closing(open_store(tmp_path, serve=True)) as store:
            assert [(it.posting_id, it.title) for it in everything(store).values()] == [
                (f"{number:03}", f"title {number} é") for number in range(5)
            ]
            assert store.postings.version() == 11  # the choice of a model has a revision since
            assert [(it.first, it.second, it.decision) for it in store.feedback.all_feedback()] == [
                ("000", "001", "same")
            ]
            assert len(store.computed.embeddings("cae", [DIGEST])) == 1
            assert len(store.computed.hashes("phash", [DIGEST])) == 1
            assert store.models.active() == {"cae": "3"}
            assert store.products.state() == ProductState()
            [job] = store.jobs.unfinished("import")
            assert (job.done, job.counts.created, len(store.jobs.problems(job.job_id, 0, 9))) == (3, 2, 1)
    assert caplog.text.count(f"schema {schema} became {SCHEMA}") == caplog.text.count("cannot be told") == 1
    assert not any(checked.faults for checked in verify(Settings(data=tmp_path), lambda *_: None))
    with closing(open_store(tmp_path)) as store:
        [said] = store.feedback.all_feedback()
        assert (said.by, said.note) == (None, "")
        store.jobs.change(replace(job, done=4))
        with store.database.write() as connection:
            connection.execute("UPDATE embedding SET value = X'0000803F000000000000000000000000'")
        assert store.computed.embeddings("cae", [DIGEST]) == {}


def test_a_row_that_was_altered_before_an_update_is_told_afterwards(tmp_path: Path) -> None:
    """Fault F14: verdicts get new checksums with their authors, but not those that are not as they were written."""
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.executescript((HERE / "store_4.sql").read_text(encoding="utf-8"))
        connection.execute("UPDATE verdict SET decision = 'different'")
        connection.executescript(
            f"PRAGMA application_id = {0x50724D63}; PRAGMA user_version = 4; PRAGMA journal_mode=WAL"
        )
    with closing(open_store(tmp_path)) as store, pytest.raises(RowDamaged, match="the verdict '000' and '001'"):
        store.feedback.all_feedback()


def test_a_store_without_metadata_is_kept(tmp_path: Path) -> None:
    """With its products, as the last version that knew none wrote it; its postings can have some now."""
    written_by(4, tmp_path, "_with_products")
    for _ in range(2):
        with closing(open_store(tmp_path, serve=True)) as store:
            found = everything(store)
            assert [(it.posting_id, it.title, it.metadata) for it in found.values()] == [
                (f"{number:03}", f"title {number} é", NO_METADATA) for number in range(5)
            ]
            assert [it.image_phash for it in found.values()] == [None, f"{1:016x}", None, f"{3:016x}", None]
            assert [it.label_group for it in found.values()] == ["g0", "g0", "g1", "g1", None]
            assert store.products.members() == {"000": 1, "001": 1, "002": 2, "003": 2, "004": 1}
            assert [it.kind for it in store.products.events_of(1, None, 9)] == ["changed", "created"]
            assert store.products.state().last_number == 3
            assert [(it.first, it.second, it.decision) for it in store.feedback.all_feedback()] == [
                ("000", "001", "same")
            ]
            assert len(store.computed.embeddings("cae", [DIGEST])) == 1
            assert store.models.active() == {"cae": "3"}
            [job] = store.jobs.unfinished("import")
            assert (job.done, len(store.jobs.problems(job.job_id, 0, 9))) == (3, 1)
            version = store.postings.version()
    assert not any(checked.faults for checked in verify(Settings(data=tmp_path), lambda *_: None))
    with closing(open_store(tmp_path)) as store:
        [kept] = store.postings.put([put("004", title="title 4 é", metadata=Metadata({"a": 1}))])
        assert (kept.outcome, kept.revision) == ("replaced", version + 1)


def test_what_was_damaged_before_there_was_metadata_is_told(tmp_path: Path) -> None:
    """It is not taken for right because checksums are made anew."""
    written_by(4, tmp_path, "_with_products")
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("UPDATE posting SET title = 'Title 1' WHERE posting_id = '001'")
    with pytest.raises(StoreDamaged, match="the posting '001' is not as it was written"):
        open_store(tmp_path, serve=True)


def test_a_store_of_single_images_is_kept(tmp_path: Path) -> None:
    """As the last version wrote it that knew no others; its postings can have more now."""
    written_by(10, tmp_path)
    for _ in range(2):
        with closing(open_store(tmp_path, serve=True)) as store:
            found = everything(store)
            assert [it.images for it in found.values()] == [
                *((name_of(image_bytes(number % 3)),) for number in range(4)),
                (),
            ]
            assert [it.title for it in found.values()] == [f"title {number} é" for number in range(5)]
            assert found["003"].metadata == Metadata({"price": 3})
            assert store.products.members() == {"000": 1, "001": 1, "002": 2, "003": 2}
            assert store.fields.fields() == [Field("price", "number", evidence=True)]
            assert [it.said for it in store.feedback.all_feedback()] == [("same", "Ann", "note é")]
            assert (store.models.active(), store.postings.version()) == ({"cae": "3"}, 11)
            assert len(store.computed.embeddings("cae", [DIGEST])) == len(store.computed.hashes("pil", [DIGEST])) == 1
    assert not any(checked.faults for checked in verify(Settings(data=tmp_path), lambda *_: None))
    with closing(open_store(tmp_path)) as store:
        [kept] = store.postings.put([put("004", image_bytes(2), more=[image_bytes(0), image_bytes(9)])])
        assert (kept.outcome, kept.revision) == ("replaced", 12)
        check_whole(store)


def test_what_was_damaged_before_there_were_several_images_is_told(tmp_path: Path) -> None:
    written_by(10, tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("UPDATE posting SET image = zeroblob(32) WHERE posting_id = '002'")
    with pytest.raises(StoreDamaged, match="the posting '002' is not as it was written"):
        open_store(tmp_path, serve=True)
