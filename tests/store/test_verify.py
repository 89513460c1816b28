"""`pricematch verify`: everything is read, and what is wrong is told."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pricematch.errors import SettingsError, StoreInUse
from pricematch.settings import Settings
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.store import DATABASE, open_store
from pricematch.store.verify import accept_loss, verify
from tests.support.cli import Run
from tests.support.products import check_products, partition
from tests.support.products import contents as products_kept
from tests.support.stores import check_whole, everything, image_bytes, name_of, put


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a store with four postings, three images and a job that waits."""
    with closing(open_store(tmp_path / "data")) as store:
        store.postings.put([put(f"{number}", image_bytes(number % 3), f"title {number}") for number in range(4)])
        files = JobFiles(tmp_path / "data" / "jobs")
        job_id = files.new()
        with files.open(job_id, "postings") as file:
            file.write(b"posting_id\na\n")
        store.jobs.create("import", json.dumps({"digests": dict(files.sync(job_id))}), job_id)
    return tmp_path / "data"


def image_path(folder: Path, number: int) -> Path:
    name = name_of(image_bytes(number))
    return folder / "images" / name[:2] / name[2:]


def faults(folder: Path) -> list[str]:
    return [fault for checked in verify(Settings(data=folder), lambda *_: None) for fault in checked.faults]


def test_a_whole_store_is_whole_while_it_is_served(folder: Path, run: Run) -> None:
    """Fault F14: the exit code is 0, and what was read is counted."""
    with closing(open_store(folder, serve=True)):
        ran = run("verify", "--data", str(folder))
    assert ran.code == 0, ran.err
    assert "rows of posting" in ran.out
    counts = {checked.what: checked.count for checked in verify(Settings(data=folder), lambda *_: None)}
    assert counts["rows of posting"] == 4
    assert counts["images that postings show"] == 3
    assert counts["files of jobs that wait or run"] == 1


def test_what_is_wrong_is_listed_with_what_to_do(folder: Path, run: Run) -> None:
    """Fault F14: images that are missing or altered, files of jobs, and rows; the exit code is 1."""
    image_path(folder, 1).unlink()
    image_path(folder, 2).write_bytes(b"altered")
    [upload] = (folder / "jobs").glob("*/postings")
    upload.write_bytes(b"posting_id\nb\n")
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        connection.execute("UPDATE posting SET title = 'Title 3' WHERE posting_id = '3'")
    ran = run("verify", "--data", str(folder))
    assert ran.code == 1
    assert "the posting '3' is not as it was written" in ran.err
    assert "does not hold the image it is named by; the posting '2' shows it" in ran.err
    assert "the posting '1' shows it" in ran.err
    assert "the file 'postings' is missing or damaged" in ran.err
    assert f"`pricematch restore FILE --data {folder}`" in ran.err
    assert len(faults(folder)) == 4


def test_an_index_that_does_not_fit_its_table_is_found(folder: Path) -> None:
    """Fault F14: a posting that is there, and that nobody finds by its id; accepting that heals it."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        page_size = connection.execute("PRAGMA page_size").fetchone()[0]
        [page] = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_posting_1'"
        ).fetchone()
        connection.execute("PRAGMA journal_mode = DELETE")
    content = bytearray((folder / DATABASE).read_bytes())
    start = (page - 1) * page_size
    at = content.index(b"3", start + page_size - 30, start + page_size)
    content[at] ^= 4
    (folder / DATABASE).write_bytes(content)
    assert any("missing from index sqlite_autoindex_posting_1" in fault for fault in faults(folder))
    accept_loss(Settings(data=folder))
    assert faults(folder) == []
    with closing(open_store(folder, serve=True)) as store:
        assert everything(store).keys() == {"0", "1", "2", "3"}


def test_a_version_before_the_last_change_is_found(folder: Path) -> None:
    """Fault F14: the next change would get a number that another has."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        connection.execute("UPDATE catalogue SET version = 2")
    assert faults(folder) == ["it is of version 2, remembers changes since 0, and has one of revision 4"]
    accept_loss(Settings(data=folder))
    with closing(open_store(folder, serve=True)) as store:
        store.postings.put([put("new")])
        assert store.postings.version() > 5


def test_what_is_damaged_is_given_up_only_without_a_service(folder: Path, run: Run) -> None:
    """Fault F14: each row is named, and the store is served again."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        connection.execute("UPDATE posting SET title = 'Title' WHERE posting_id IN ('2', '3')")
    with closing(open_store(folder)) as store, closing(open_store(folder)):
        other = open_store(folder.parent / "other", serve=True)
        with pytest.raises(StoreInUse):
            accept_loss(Settings(data=folder.parent / "other"))
        other.close()
        store.postings.put([put("4")])
    ran = run("verify", "--accept-loss", "--data", str(folder))
    assert ran.code == 0, ran.err
    assert "the posting '2' was damaged, and is deleted\nthe posting '3' was" in ran.out
    with closing(open_store(folder, serve=True)) as store:
        assert everything(store).keys() == {"0", "1", "4"}
        check_whole(store)


def altered(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount, statement


@pytest.fixture
def clustered(folder: Path) -> Path:
    """The folder of a store where product 1 has merged into 2, and 2 into 3; 4 is gone, and 5 has one posting."""
    with closing(open_store(folder)) as store:
        for clusters in (["a", "bc", "defg", "h", "z"], ["abc", "defg", "h", "z"], ["abcdefg", "z"]):
            partition(store.products, clusters, {3: 0.5} if len(clusters) == 2 else {})
    return folder


@pytest.mark.parametrize("lost", [(1,), (2,), (3,), (1, 2), (2, 3), (1, 2, 3, 4, 5)])
def test_products_that_are_damaged_are_made_anew_of_their_history(lost: tuple[int, ...], clustered: Path) -> None:
    """Their numbers and redirects outlive their rows; a service clusters anew, which gives doubts as well."""
    with closing(open_store(clustered)) as store:
        before, state, version = products_kept(store.products), store.products.state(), store.postings.version()
    with closing(sqlite3.connect(clustered / DATABASE)) as connection, connection:
        connection.executemany("UPDATE product SET size = size + 1 WHERE number = ?", [(number,) for number in lost])
    assert len(faults(clustered)) == len(lost)
    given_up = accept_loss(Settings(data=clustered))
    assert given_up == [f"the product {number} was damaged, and is deleted" for number in lost]
    assert faults(clustered) == []
    with closing(open_store(clustered, serve=True)) as store:
        check_products(store.products)
        after = products_kept(store.products)
        assert [it[:3] for it in after["products"]] == [it[:3] for it in before["products"]]
        assert after["members"] == before["members"]
        assert store.products.state() == replace(state, revision=state.revision + 1, floor=version + 1)


def test_a_damaged_member_is_left_to_the_service(clustered: Path) -> None:
    """Sizes are those of what is left, and what had the last one is no more."""
    altered(clustered, "UPDATE product_member SET number = 4 WHERE posting_id IN ('a', 'z')")
    assert len(faults(clustered)) == 2
    accept_loss(Settings(data=clustered))
    with closing(open_store(clustered, serve=True)) as store:
        assert [it and it.size for it in map(store.products.product, range(1, 6))] == [0, 0, 6, 0, 0]
        assert store.products.members() == dict.fromkeys("bcdefg", 3)
        partition(store.products, ["abcdefg", "z"])
        assert store.products.members() == dict.fromkeys("abcdefg", 3) | {"z": 6}


def test_a_product_without_a_row_or_history_keeps_its_number(clustered: Path) -> None:
    altered(clustered, "DELETE FROM product WHERE number = 3", "DELETE FROM product_event WHERE number = 3")
    accept_loss(Settings(data=clustered))
    with closing(open_store(clustered, serve=True)) as store:
        product = store.products.product(3)
        assert product is not None
        assert (product.size, product.into) == (7, None)


def test_a_number_above_the_last_is_found(clustered: Path) -> None:
    """The next product would get a number that another has."""
    altered(clustered, "UPDATE catalogue SET product_number = 4")
    [fault] = faults(clustered)
    assert "numbers up to 4, and has one of number 5" in fault
    accept_loss(Settings(data=clustered))
    assert faults(clustered) == []
    with closing(open_store(clustered, serve=True)) as store:
        assert store.products.state().last_number == 5


def test_no_store_is_one_sentence(tmp_path: Path, run: Run) -> None:
    for arguments in ((), ("--accept-loss",)):
        ran = run("verify", "--data", str(tmp_path / "none"), *arguments)
        assert ran.code == 2
        assert "there is no store in" in ran.one_line()
    with pytest.raises(SettingsError):
        verify(Settings(data=tmp_path / "none"), lambda *_: None)
    assert not (tmp_path / "none").exists()
