"""Every operation of the service has a verb, which either client has."""

import io
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from operator import methodcaller
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from pricematch.client import Conflict, ImageRefused, ImageUrl, NewPosting, NotFound, Unstored, results
from tests.support.applications import served_app
from tests.support.clients import Asked, Through, operation_of
from tests.support.contract import client_of, documented
from tests.support.operations import POSTINGS, RED, TEAL, VERBS
from tests.support.served import coloured

REFUSED: Final[dict[str, type[Exception]]] = {
    "createJob": Conflict,  # there are too few label groups
    "getJob": NotFound,
    "endJob": NotFound,
    "getVerdictBatch": NotFound,
    "undoVerdictBatch": NotFound,
    "withdrawField": NotFound,
}
"""Calls that this service has nothing for."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service over a store on disk and a matcher of hashes and titles."""
    with served_app(coloured(tmp_path_factory.mktemp("service"), ["hash", "title"])) as app, client_of(app) as client:
        client.put("/v1/verdicts/p0/p1", json={"verdict": "different"})
        yield client


@pytest.fixture
def through(served: TestClient) -> Through:
    return Through(served)


def test_every_operation_has_a_verb() -> None:
    operations = {it["operationId"] for path in documented()["paths"].values() for it in path.values()}
    assert set(VERBS) == operations


@pytest.mark.parametrize("operation", VERBS)
def test_a_verb_asks_for_its_operation_and_reads_the_answer(
    operation: str, asked: Asked, through: Through, tmp_path: Path
) -> None:
    """Of which the service knows every parameter and field."""
    (tmp_path / "postings.csv").write_bytes(POSTINGS)

    def verb(client: Any) -> Any:
        client.file = tmp_path / "postings.csv"
        return VERBS[operation](client)

    if operation in REFUSED:
        with pytest.raises(REFUSED[operation]):
            asked.of(through, verb)
    else:
        assert asked.of(through, verb)
    assert {operation_of(request) for request in through.sent} == {operation}


def answers() -> dict[str, Any]:
    """The schemas of what the service answers, by the names of results."""
    schemas = documented()["components"]["schemas"]
    outs = {name.removesuffix("Out"): schema for name, schema in schemas.items() if name.endswith("Out")}
    return outs | {name: schemas[name] for name in ("Problem", "Fault")}


@pytest.mark.parametrize("name", answers())
def test_a_result_has_every_field_that_is_described(name: str) -> None:
    """One that may be absent has a default."""
    schema = answers()[name]
    found = {it.name: it for it in fields(getattr(results, name))}
    assert set(schema["properties"]) <= set(found)
    needed = {it.name for it in found.values() if it.default is MISSING}
    assert needed <= set(schema["required"])


def test_a_posting_is_put_read_changed_and_deleted(asked: Asked, through: Through) -> None:
    def of(verb: Callable[[Any], Any]) -> Any:
        return asked.of(through, verb)

    posting_id = "Größe 38 @ä+~"
    of(lambda client: client.delete(posting_id))
    put = of(lambda client: client.put(posting_id, "kopi susu", io.BytesIO(RED), metadata={"price": 12, "sale": True}))
    assert (put.posting_id, put.title, put.metadata, put.created) == (
        posting_id,
        "kopi susu",
        {"price": 12, "sale": True},
        True,
    )
    read = of(lambda client: client.posting(posting_id))
    assert (read.etag, read.created) == (put.etag, False)
    assert of(lambda client: client.image(posting_id)) == RED
    patched = of(lambda client: client.patch(posting_id, metadata={"sale": None}, label_group="g", if_match=put.etag))
    assert through.sent[-1].headers["content-type"] == "application/merge-patch+json"
    assert (patched.title, patched.label_group, patched.metadata) == ("kopi susu", "g", {"price": 12})
    with pytest.raises(ValueError, match="empty list"):
        of(lambda client: client.patch(posting_id, image=[]))
    assert of(lambda client: client.patch(posting_id, image=None)).image_url is None
    assert of(lambda client: client.patch(posting_id, image=TEAL, title=None)).title == ""
    assert of(lambda client: client.image(posting_id)) == TEAL
    assert of(lambda client: client.delete(posting_id)).removed
    assert not of(lambda client: client.delete(posting_id)).removed


def test_a_condition_that_does_not_hold_is_an_error_of_its_own(asked: Asked, through: Through) -> None:
    from pricematch.client import ConditionFailed

    with pytest.raises(ConditionFailed, match=r"^412 condition-failed: ") as failed:
        asked.of(through, lambda client: client.put("p0", "another", if_absent=True))
    assert failed.value.type == "condition-failed"
    with pytest.raises(ConditionFailed):
        asked.of(through, lambda client: client.delete("p0", if_match='"1-x"'))


def test_images_are_paths_bytes_and_files(asked: Asked, through: Through, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(RED)
    path = tmp_path / "red.png"
    with path.open("rb") as file:
        images = [path, str(path), RED, file, b"none"]
        found = asked.of(through, lambda client: client.match_each(images))
    assert [it.name for it in found.items] == ["red.png", "red.png", "image", "red.png", "image"]
    assert all(it.matches == found.items[0].matches for it in found.items[:4])
    assert found.items[4].problem.type == "urn:pricematch:problem:image-type"


@pytest.mark.parametrize(
    "verb",
    [
        lambda client, image: client.match(image),
        lambda client, image: client.put("fetched", "kopi", image),
        lambda client, image: client.patch("p0", image=image),
        lambda client, image: client.compare("p0", Unstored(image=image)),
    ],
    ids=["match", "put", "patch", "compare"],
)
def test_images_may_be_where_the_service_fetches_them(
    verb: Callable[[Any, ImageUrl], Any], asked: Asked, through: Through
) -> None:
    """This one fetches none, and says so."""
    with pytest.raises(ImageRefused, match="image-not-fetched"):
        asked.of(through, lambda client: verb(client, ImageUrl("https://images.example/a.jpg")))


def test_clusters_take_images_and_ids(asked: Asked, through: Through) -> None:
    found = asked.of(through, lambda client: client.cluster(["p0", "p1"], [RED, TEAL], method="matcher", limit=3))
    assert [(it.posting_id, it.image) for it in found.items] == [("p0", None), ("p1", None), (None, 0)]
    assert (found.total_items, found.next_cursor) == (4, "3")
    own = [{"price": 5}, {}]
    rest = asked.of(
        through,
        lambda client: client.cluster(["p0", "p1"], [RED, TEAL], method="matcher", cursor="3", metadata=own),
    )
    assert [it.image for it in rest.items] == [1]


def test_listings_read_all_pages(asked: Asked, through: Through) -> None:
    whole = asked.of(through, lambda client: client.postings())
    assert len(whole) > 3
    assert asked.of(through, lambda client: client.postings(page_size=2)) == whole
    products = asked.of(through, lambda client: client.products(page_size=2))
    assert len({it.product_id for it in products}) == len(products)
    assert {it.posting_id for it in whole} == {
        member.posting_id
        for it in products
        for member in asked.of(through, methodcaller("members", it.product_id, page_size=1))
    }


def test_many_postings_are_put_and_one_that_fails_stops_no_other(
    asked: Asked, through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In requests of few, and of few images."""
    monkeypatch.setattr("pricematch.client.verbs.postings._MOST_ITEMS", 3)
    monkeypatch.setattr("pricematch.client.verbs.postings._MUCH", len(RED))
    postings = [NewPosting(posting_id=f"many-{number}", title=f"teh {number}") for number in range(8)]
    postings[3] = NewPosting(posting_id="many-3", image=b"no image")
    postings[4] = NewPosting(posting_id="many-4", image=RED, metadata={"price": 1})
    found = asked.of(through, lambda client: client.put_many(iter(postings)))
    assert [(it.index, it.posting_id) for it in found] == [(row, f"many-{row}") for row in range(8)]
    assert [it.outcome == "failed" for it in found] == [row == 3 for row in range(8)]
    assert found[3].problem.type.endswith("image-type")
    assert len(through.sent) == 3  # 0 to 2; 3 and 4, whose image is much; 5 to 7
    patched = asked.of(through, lambda client: client.patch_many([("many-4", {"title": "kopi"}), ("none", {})]))
    assert [it.outcome for it in patched] == ["replaced", "failed"]
    read = asked.of(through, lambda client: client.posting("many-4"))
    assert (read.title, read.metadata) == ("kopi", {"price": 1})
    gone = asked.of(through, lambda client: client.delete_many([it.posting_id for it in postings]))
    assert [it.outcome for it in gone] == ["absent" if row == 3 else "removed" for row in range(8)]


def test_a_batch_is_previewed_made_and_taken_back(asked: Asked, through: Through) -> None:
    pairs = [("p2", "p3", "same"), ("p2", "p4", "different")]
    preview = asked.of(through, lambda client: client.preview_batch(pairs))
    assert preview.new == 2
    version = preview.catalogue_version
    made = asked.of(through, lambda client: client.decide_batch(pairs, by="Ann", if_version=version))
    assert (made.new, made.by) == (2, "Ann")
    assert len(asked.of(through, lambda client: client.verdicts(by="Ann", posting_id="p2", page_size=1))) == 2
    assert asked.of(through, lambda client: client.undo_batch(made.batch_id)).restored == 2
    chosen = asked.of(through, lambda client: client.preview_batch(decision="same", min_probability=0.999))
    assert chosen.changed == 0


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "ZIP file"])
def test_a_file_is_sent_imported_and_waited_for(asked: Asked, through: Through, tmp_path: Path, zipped: bool) -> None:
    """With its images, of a folder or a ZIP file; who sends is told how far it is."""
    from zipfile import ZipFile

    (tmp_path / "postings.csv").write_bytes(POSTINGS + b"another,lacking.png,teh\n")
    (tmp_path / "images" / "below").mkdir(parents=True)
    (tmp_path / "images" / "below" / "teal.png").write_bytes(TEAL)
    images = tmp_path / "images"
    if zipped:
        images = tmp_path / "images.zip"
        with ZipFile(images, "w") as archive:
            archive.writestr("teal.png", TEAL)
    sent, looked = list[tuple[int, int]](), list[Any]()
    job = asked.of(
        through,
        lambda client: client.import_postings(
            tmp_path / "postings.csv", images, told=lambda done, total: sent.append((done, total))
        ),
    )
    size = (tmp_path / "postings.csv").stat().st_size
    assert sent[0] == (size, size)
    assert sent[-1][0] == sent[-1][1] > len(TEAL)
    done = asked.of(through, lambda client: client.wait(job, told=looked.append))
    assert (done.state, done.done, done.failed) == ("done", 2, 1)
    assert done.problems[0].posting_id == "another"
    assert looked[-1] == done
    assert asked.of(through, lambda client: client.image("from-file")) == TEAL
    assert asked.of(through, lambda client: client.end_job(job.job_id)).removed


@pytest.mark.parametrize("narrows", ["shop=mine", {"shop": "mine"}], ids=["short", "JSON"])
def test_filters_narrow_what_is_asked_for(narrows: Any, asked: Asked, through: Through) -> None:
    """Of postings, images and titles, products and clusters; exclusions leave out what has the query's values."""
    own = [f"own-{row}" for row in range(3)]
    postings = [NewPosting(posting_id=it, title="kopi susu", metadata={"shop": "mine", "n": it}) for it in own]
    asked.of(through, lambda client: client.put_many(postings))
    assert [it.posting_id for it in asked.of(through, lambda client: client.postings(filter=narrows))] == own
    found = [
        asked.of(through, lambda client: client.match(title="kopi susu", filter=narrows)),
        asked.of(through, lambda client: client.match(RED, "kopi susu", filter=narrows, min_probability=0)),
        asked.of(through, lambda client: client.matches_of("p0", filter=narrows, min_probability=0)),
    ]
    assert {match.posting_id for it in found for match in it.matches} == set(own)
    others = asked.of(through, lambda client: client.matches_of("own-0", filter=narrows, exclude=["n"]))
    assert {it.posting_id for it in others.matches} == set(own[1:])
    others = asked.of(
        through, lambda client: client.match(title="kopi susu", filter=narrows, exclude="n", metadata={"n": "own-1"})
    )
    assert {it.posting_id for it in others.matches} == {"own-0", "own-2"}
    clusters = asked.of(through, lambda client: client.cluster("all", method="matcher", filter=narrows))
    assert [it.posting_id for it in clusters.items] == own
    clusters = asked.of(through, lambda client: client.cluster("all", [RED], method="matcher", filter=narrows))
    assert len(clusters.items) == 4
    [product] = asked.of(through, lambda client: client.products(filter=narrows))
    assert asked.of(through, lambda client: client.compare("own-0", "own-1")).is_match
    each = asked.of(through, lambda client: client.match_each([RED], filter=narrows, min_probability=0))
    assert {it.posting_id for it in each.items[0].matches} <= set(own)
    asked.of(through, lambda client: client.delete_many(own))
    assert product.size >= 3


def test_an_empty_folder_is_no_images(asked: Asked, through: Through, tmp_path: Path) -> None:
    (tmp_path / "postings.csv").write_bytes(POSTINGS)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="found no file"):
        asked.of(through, lambda client: client.import_postings(tmp_path / "postings.csv", tmp_path / "none"))
    assert through.sent == []


def test_no_archive_is_left_behind(
    asked: Asked, through: Through, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of a folder that was sent, nor of one that cannot be read."""
    for name in ("images", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "postings.csv").write_bytes(POSTINGS)
    (tmp_path / "images" / "teal.png").write_bytes(TEAL)
    begin = methodcaller("import_postings", tmp_path / "postings.csv", tmp_path / "images")
    asked.of(through, begin)
    monkeypatch.setattr("zipfile.ZipFile.write", fails)
    with pytest.raises(OSError, match="it cannot be read"):
        asked.of(through, begin)
    assert list((tmp_path / "temporary").iterdir()) == []


def fails(*_: Any) -> None:
    raise OSError("it cannot be read")


@pytest.mark.parametrize(
    "verb",
    [
        lambda client: client.posting(""),
        lambda client: client.delete("."),
        lambda client: client.posting(".."),
        lambda client: client.verdict("a", ""),
        lambda client: client.match_each([]),
    ],
    ids=["posting", "dot", "dots", "verdict", "images"],
)
def test_what_would_ask_for_something_else_is_refused(
    verb: Callable[[Any], Any], asked: Asked, through: Through
) -> None:
    with pytest.raises(ValueError, match=r"^expected "):
        asked.of(through, verb)
    assert through.sent == []
