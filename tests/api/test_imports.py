"""POST /postings/import and /jobs: many postings at once, behind the requests."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from pricematch.errors import StoreFull
from pricematch.settings import KIB, MIB
from pricematch.store import job_files
from tests.support.applications import SCENE, served_app
from tests.support.contract import assert_problem, client_of
from tests.support.fakes import COLOURS, image_bytes
from tests.support.files import Member, archive, csv_of, zip_of
from tests.support.http_bytes import FORM, field, file, form, send_pieces
from tests.support.networks import export
from tests.support.odd_images import truncated
from tests.support.served import Loaded, settings_of
from tests.support.waiting import eventually

Start: TypeAlias = Callable[..., TestClient]
RED, GREEN = image_bytes("#ff0000"), image_bytes("#00ff00")
TEAL = image_bytes("#008080")


@pytest.fixture
def start(tmp_path: Path, loaded: Loaded) -> Iterator[Start]:
    """Starts services over one store of the tiny catalogue, one after the other."""
    export(tmp_path / "models", "cae", "1")
    with ExitStack() as stack:

        def begin(**given: Any) -> TestClient:
            stack.close()
            given_settings = settings_of(tmp_path, encoder="cae", **{"follow_seconds": 0.02, **given})
            app = stack.enter_context(served_app(given_settings, loaded))
            return stack.enter_context(client_of(app))

        yield begin


@pytest.fixture
def client(start: Start) -> TestClient:
    return start()


def send(client: TestClient, postings: bytes, images: bytes | None = None, **fields: str) -> httpx2.Response:
    """POST an import."""
    files = {"postings": ("postings.csv", postings)}
    if images is not None:
        files["images"] = ("images.zip", images)
    return client.post("/postings/import", files=files, data=fields)


def test_an_import_warns_of_stock_images(client: TestClient) -> None:
    """In its job, once they are stored, as answers tell them; fault C5."""
    images, warning = zip_of({"logo.png": SCENE}), "stock_image: the image of logo00, which 12 postings show"
    assert warning not in str(imported(client, logo(3), images)["warnings"])
    job = imported(client, logo(12), images)
    assert f"{warning} under 12 titles" in job["warnings"]
    assert job["problems"] == []
    assert client.get("/postings/logo03/matches").json()["stock_image"] == {"postings": 12, "titles": 12}


@pytest.mark.parametrize("path", ["/postings/import", "/postings/%69mport"])
def test_imports_have_a_limit_of_their_own(start: Start, path: str) -> None:
    """More than other bodies may have is read; what announces more than an import may is not: fault F4."""
    client = start(max_body_bytes=64 * KIB, max_import_bytes=MIB)
    headers, large = {"Content-Type": FORM}, form([file("postings", csv_of(*[("p9", "", "x")] * 20_000))])
    assert client.post(path, content=large, headers=headers).status_code == 202
    beyond = client.post(path, content=large, headers={**headers, "Content-Length": str(MIB + 1)})
    assert_problem(beyond, 413, "body-too-large")
    assert beyond.json()["detail"] == f"expected a body of at most {MIB} bytes"


def ended(client: TestClient, location: str) -> Any:
    """A job once it has ended."""
    eventually(lambda: client.get(location).json()["state"] not in {"queued", "running"})
    return client.get(location).json()


def imported(client: TestClient, postings: bytes, images: bytes | None = None, **fields: str) -> Any:
    """The job of an import that was taken, once it has ended."""
    response = send(client, postings, images, **fields)
    assert response.status_code == 202, response.text
    assert response.headers["location"] == f"/v1/jobs/{response.json()['job_id']}"
    return ended(client, response.headers["location"])


def counts(job: Mapping[str, Any]) -> tuple[int, ...]:
    """Rows of a job: done, created, replaced, unchanged, failed."""
    return tuple(job[name] for name in ("done", "created", "replaced", "unchanged", "failed"))


def problems(job: Mapping[str, Any]) -> list[tuple[int, str | None, str | None, str]]:
    """Of a job's rows."""
    return [(it["row"], it["posting_id"], it["column"], it["message"]) for it in job["problems"]]


def version(client: TestClient) -> int:
    """The catalogue's."""
    return int(client.get("/postings").json()["catalogue_version"])


def matched(client: TestClient, image: bytes, limit: int = 1) -> list[str]:
    """Ids of the postings that match an image."""
    found = client.post("/match", files={"image": image}, params={"limit": limit}).json()["matches"]
    return [match["posting_id"] for match in found]


def logo(count: int) -> bytes:
    """A file of postings that show one image under titles without a common word."""
    return csv_of(*[(f"logo{row:02}", "logo.png", f"{chr(97 + row) * 3} {chr(98 + row) * 4}") for row in range(count)])


def left_behind(folder: Path) -> list[str]:
    """Folders of jobs that are still there."""
    jobs = folder / "data" / "jobs"
    return [path.name for path in jobs.iterdir()] if jobs.exists() else []


# --- what is taken -----------------------------------------------------------------------------------------------


def test_imported_postings_are_found_when_the_job_is_done(client: TestClient, tmp_path: Path) -> None:
    job = imported(
        client, csv_of(("a", "x/1.png", "Teal"), ("b", "", "Nothing but a title")), zip_of({"x/1.png": TEAL})
    )
    assert (job["kind"], job["state"], job["total"], job["reason"]) == ("import", "done", 2, None)
    assert counts(job) == (2, 2, 0, 0, 0)
    assert matched(client, TEAL) == ["a"]
    assert client.get("/postings/a/image").content == TEAL
    assert client.get("/postings/b").json()["image_url"] is None
    eventually(lambda: left_behind(tmp_path) == [])  # just after the job is done


def test_a_dry_run_says_what_an_import_would_do(client: TestClient, tmp_path: Path) -> None:
    """And stores nothing: rows, images and labels are reported as by `pricematch check` (fault C12)."""
    before = client.get("/postings").json()
    content = (
        "posting_id;image;title;label_group;brand\r\na b;1.png;Cr\xe8me;18;x\r\nb;2.png;;18.0;x\r\n"
        "c;none.png;;nan;x\r\np0;1.png;other;2.5E+11;x\r\nd/e;1.png;;;x\r\nf;cut.jpg;;;x\r\n"
    ).encode("cp1252")
    images = zip_of({"1.png": TEAL, "2.png": RED, "cut.jpg": truncated("JPEG")})
    response = client.post(
        "/postings/import", files={"postings": content, "images": images}, params={"dry_run": "true"}
    )
    assert response.json()["dry_run"] is True
    job = ended(client, response.headers["location"])
    assert (job["state"], job["dry_run"], counts(job)) == ("done", True, (6, 2, 1, 0, 3))
    assert [(row, column) for row, _, column, _ in problems(job)] == [(4, "image"), (6, "posting_id"), (7, "image")]
    assert job["warnings"][:3] == [
        "the file is CSV in cp1252, delimiter ';'",
        "columns that nothing reads: 'brand'",
        "label_group: 1 cells say nothing ('nan' 1), and count as empty",
    ]
    assert "rounded ('2.5E+11' 1)" in job["warnings"][3]
    assert "('18' 1 and '18.0' 1)" in job["warnings"][4]
    assert client.get("/postings").json() == before
    eventually(lambda: left_behind(tmp_path) == [])
    stored = imported(client, content, images)
    assert (stored["dry_run"], counts(stored), stored["warnings"]) == (False, (6, 2, 1, 0, 3), job["warnings"])
    assert client.get("/postings/a%20b").json()["label_group"] == "18"


def test_an_encoding_and_a_delimiter_can_be_named(client: TestClient) -> None:
    """One that is never detected; one that nobody knows is refused before the file is kept (fault C19)."""
    content = "posting_id|image|title\nа|1.png|Кофе\n".encode("cp1251")
    asked = {"encoding": "cp1251", "delimiter": "pipe"}
    files = {"postings": content, "images": zip_of({"1.png": TEAL})}
    response = client.post("/postings/import", files=files, params=asked)
    assert counts(ended(client, response.headers["location"])) == (1, 1, 0, 0, 0)
    assert client.get("/postings/%D0%B0").json()["title"] == "Кофе"
    for wrong in ({"encoding": "klingon"}, {"delimiter": "x"}, {"dry_run": "perhaps"}, {"dryrun": "true"}):
        assert_problem(client.post("/postings/import", files=files, params=wrong), 422, "invalid-request")


def test_lines_of_json_are_taken_as_well(client: TestClient) -> None:
    rows = [{"posting_id": "a", "image": "1.png", "label_group": "g", "image_phash": "0" * 16}, {"posting_id": "b"}]
    job = imported(client, "".join(json.dumps(row) + "\n" for row in rows).encode(), zip_of({"1.png": TEAL}))
    assert counts(job) == (2, 1, 0, 0, 1)
    assert problems(job) == [(2, "b", None, "expected an image or a title, got neither")]
    stored = client.get("/postings/a").json()
    assert (stored["label_group"], stored["image_phash"]) == ("g", "0" * 16)


def test_feedback_survives_a_re_import(client: TestClient) -> None:
    for pair, said in (("p0/p1", "different"), ("p2/p4", "same")):
        assert client.put(f"/verdicts/{pair}", json={"verdict": said}).status_code == 201
    before = client.get("/verdicts.csv").text
    postings = csv_of(*((f"p{row}", f"{row}.png", f"Anew {row}") for row in range(len(COLOURS))))
    images = zip_of({f"{row}.png": image_bytes(colour) for row, colour in enumerate(COLOURS)})
    assert counts(imported(client, postings, images)) == (len(COLOURS), 0, len(COLOURS), 0, 0)
    assert client.get("/verdicts.csv").text == before
    best = client.get("/postings/p2/matches", params={"limit": 1}).json()["matches"]
    assert [(it["posting_id"], it["verdict"]) for it in best] == [("p4", "same")]
    assert "p1" not in [it["posting_id"] for it in client.get("/postings/p0/matches").json()["matches"]]


def test_bad_rows_and_images_fail_alone(client: TestClient) -> None:
    rows = [
        ("a", "1.png", "Teal"),
        ("..", "1.png", ""),
        ("c", "cut.jpg", ""),
        ("d", "gone.png", ""),
        ("a", "1.png", ""),
    ]
    images = zip_of({"1.png": TEAL, "cut.jpg": truncated("JPEG"), "svg.png": b"<svg/>"})
    job = imported(
        client, csv_of(*rows, ("e", "svg.png", ""), ("f", "1.png", "x" * 1001), ("g", "1.png", "Last")), images
    )
    assert job["state"] == "done"
    assert counts(job) == (8, 2, 0, 0, 6)
    found = problems(job)
    assert [(row, posting_id, column) for row, posting_id, column, _ in found] == [
        (3, "..", "posting_id"),
        (4, "c", "image"),
        (5, "d", "image"),
        (6, "a", "posting_id"),
        (7, "e", "image"),
        (8, "f", "title"),
    ]
    assert found[2][3].startswith("'gone.png' is not in the ZIP file")
    assert found[3][3] == "'a' already stands in row 2"
    assert found[5][3] == "expected at most 1000 characters, got 1001"
    assert matched(client, TEAL, limit=2) == ["a", "g"]


def test_only_the_first_thousand_problems_are_kept_and_all_are_counted(client: TestClient) -> None:
    job = imported(client, csv_of(*((f"a{row}", "", "") for row in range(1100))))
    assert counts(job) == (1100, 0, 0, 0, 1100)
    assert [row for row, *_ in problems(job)] == list(range(2, 1002))


# --- a folder of the server --------------------------------------------------------------------------------------


def test_images_are_read_from_an_allowed_folder_of_the_server(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shops" / "one").mkdir(parents=True)
    (tmp_path / "shops" / "one" / "1.png").write_bytes(TEAL)
    (tmp_path / "secret.png").write_bytes(GREEN)
    (tmp_path / "shops" / "one" / "link.png").symlink_to(tmp_path / "secret.png")
    client = start(import_folder=tmp_path / "shops")
    rows = [
        ("a", "1.png", ""),
        ("b", "link.png", ""),
        ("c", "../../secret.png", ""),
        ("d", str(tmp_path / "secret.png"), ""),
    ]
    job = imported(client, csv_of(*rows), folder="one")
    assert counts(job) == (4, 1, 0, 0, 3)
    assert matched(client, TEAL) == ["a"]
    told = " ".join(message for *_, message in problems(job))
    assert str(tmp_path / "shops") not in told
    assert counts(imported(client, csv_of(("e", "one/1.png", "")), folder=".")) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("folder", ["..", "one/../..", "/etc", "none", "out", "file://one", "1.png"])
def test_fault_26_a_folder_that_leads_elsewhere_is_refused(start: Start, tmp_path: Path, folder: str) -> None:
    (tmp_path / "shops" / "one").mkdir(parents=True)
    (tmp_path / "shops" / "1.png").write_bytes(TEAL)
    (tmp_path / "shops" / "out").symlink_to(tmp_path)
    client = start(import_folder=tmp_path / "shops")
    response = send(client, csv_of(("a", "1.png", "")), folder=folder)
    assert_problem(response, 422, "import-refused")
    assert str(tmp_path) not in response.text
    assert left_behind(tmp_path) == []


def test_without_the_setting_no_folder_is_read(client: TestClient) -> None:
    assert_problem(send(client, csv_of(("a", "1.png", "")), folder="."), 422, "import-refused")


# --- what is refused ---------------------------------------------------------------------------------------------


BOMBS: dict[str, Callable[[], bytes]] = {
    "flat": lambda: archive([Member(b"1.png", bytes(48 * MIB), deflated=True)]),
    "no ZIP": lambda: b"PK\3\4",
    "an image": lambda: RED,
    "many": lambda: archive(Member(b"%d" % number) for number in range(11)),
}
"""ZIP files that are none for us."""


@pytest.mark.parametrize("kind", BOMBS)
def test_a_zip_bomb_is_refused_and_leaves_nothing(start: Start, tmp_path: Path, kind: str) -> None:
    client = start(max_import_images=10)
    response = send(client, csv_of(("a", "1.png", "")), BOMBS[kind]())
    assert_problem(response, 422, "import-refused")
    assert response.json()["detail"].startswith("images: ")
    assert left_behind(tmp_path) == []
    assert client.get("/jobs").json()["jobs"][0]["kind"] == "seed"


@pytest.mark.parametrize(
    ("postings", "told"),
    [
        (b"", "postings: expected a header row, got an empty file"),
        (b"id,title\na,b\n", "missing posting_id; got"),
        (b"posting_id,image\n", "expected at least one posting, got none"),
        (RED, "postings: row 1: "),
        (b"posting_id,image,\0\n", "NUL"),
    ],
)
def test_fault_25_a_file_that_is_of_no_use_is_refused_at_once(
    client: TestClient, tmp_path: Path, postings: bytes, told: str
) -> None:
    response = send(client, postings)
    assert_problem(response, 422, "import-refused")
    assert told in response.json()["detail"]
    assert str(tmp_path) not in response.text
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    "parts",
    [
        [file("images", zip_of({}))],
        [file("postings", csv_of()), file("postings", csv_of())],
        [file("postings", csv_of()), file("other", b"x")],
        [file("postings", csv_of()), field("other", b"x")],
        [file("postings", csv_of()), field("folder", b"a"), field("folder", b"a")],
        [file("postings", csv_of()), file("images", zip_of({})), field("folder", b"a")],
        [file("postings", csv_of()), field("folder", b"")],
        [file("postings", csv_of()), field("images", zip_of({})), file("images", zip_of({}))],
    ],
)
def test_fault_18_parts_that_are_missing_unknown_or_come_twice_are_named(
    client: TestClient, tmp_path: Path, parts: list[bytes]
) -> None:
    response = client.post("/postings/import", content=form(parts), headers={"Content-Type": FORM})
    assert_problem(response, 422, "invalid-request")
    assert left_behind(tmp_path) == []


def test_fault_18_another_content_type_is_refused(client: TestClient) -> None:
    response = client.post("/postings/import", content=csv_of(), headers={"Content-Type": "text/csv"})
    assert_problem(response, 415, "media-type")


def test_fault_17_many_parts_are_refused(client: TestClient, tmp_path: Path) -> None:
    flood = form([file("postings", csv_of()), *(field(f"x{number}", b"") for number in range(5000))])
    assert_problem(
        client.post("/postings/import", content=flood, headers={"Content-Type": FORM}), 413, "too-many-items"
    )
    assert left_behind(tmp_path) == []


def test_fault_15_an_import_has_a_limit_of_its_own(start: Start, tmp_path: Path) -> None:
    client = start(max_body_bytes=2 * KIB, max_import_bytes=64 * KIB)
    assert imported(client, csv_of(*((f"a{row}", "", "x" * 100) for row in range(100))))["state"] == "done"
    large = csv_of(("a", "", "x" * 65 * KIB))
    assert_problem(send(client, large), 413, "body-too-large")
    assert_problem(client.post("/match", content=large, headers={"Content-Type": "image/png"}), 413, "body-too-large")
    eventually(lambda: left_behind(tmp_path) == [])  # just after the job is done


def test_fault_16_a_chunked_import_over_the_limit_ends_there_and_leaves_nothing(start: Start, tmp_path: Path) -> None:
    app = start(max_import_bytes=64 * KIB).app
    head, _, _ = file("postings", b"|").partition(b"|")
    answer = send_pieces(app, "/postings/import", {"Content-Type": FORM}, [head, *[b"x" * KIB] * 200])
    assert (answer.status, answer.problem["type"].rpartition(":")[2]) == (413, "body-too-large")
    assert answer.pieces_read < 70
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("aborts", [True, False], ids=["aborted", "cut"])
def test_fault_18_an_import_that_breaks_off_leaves_nothing(start: Start, tmp_path: Path, *, aborts: bool) -> None:
    app = start().app
    body = form([file("postings", csv_of(("a", "", "x")))])[:-20]
    answer = send_pieces(app, "/postings/import", {"Content-Type": FORM}, [body], aborts=aborts)
    assert answer.status == (499 if aborts else 400)
    assert left_behind(tmp_path) == []


def test_fault_34_an_import_without_room_is_refused(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one, for which there is room, is taken."""

    def full(*_: object) -> int:
        raise StoreFull("there is no room left in the folder")

    with monkeypatch.context() as patched:
        patched.setattr(job_files.JobFile, "write", full)
        assert_problem(send(client, csv_of(("a", "", "x"))), 507, "storage-full")
    assert left_behind(tmp_path) == []
    assert counts(imported(client, csv_of(("a", "", "x")))) == (1, 1, 0, 0, 0)


def test_fault_34_a_disk_that_an_import_fills_answers_507(
    small_disk: Path, tmp_path_factory: pytest.TempPathFactory, loaded: Loaded
) -> None:
    """The disk fills while the import is sent, and is empty again afterwards."""
    folder = tmp_path_factory.mktemp("given")
    export(folder / "models", "cae", "1")
    small = settings_of(folder, encoder="cae", data=small_disk, follow_seconds=0.02)
    with served_app(small, loaded) as app, client_of(app) as client:
        assert_problem(send(client, csv_of(("a", "", "x" * 2 * MIB))), 507, "storage-full")
        assert list((small_disk / "jobs").iterdir()) == []
        assert counts(imported(client, csv_of(("a", "", "x")))) == (1, 1, 0, 0, 0)


# --- jobs --------------------------------------------------------------------------------------------------------


def test_jobs_are_listed_newest_first_in_pages(client: TestClient) -> None:
    """The one that filled the store is among them."""
    locations = [send(client, csv_of((f"a{row}", "", "x"))).headers["location"] for row in range(3)]
    for location in locations:
        ended(client, location)
    first = client.get("/jobs", params={"limit": 3}).json()
    assert [f"/v1/jobs/{job['job_id']}" for job in first["jobs"]] == locations[::-1]
    assert (first["total"], first["next_offset"]) == (4, 3)
    for place in ({"offset": 3}, {"cursor": first["next_cursor"]}):
        rest = client.get("/jobs", params={"limit": 3, **place}).json()
        assert [(job["kind"], job["state"]) for job in rest["jobs"]] == [("seed", "done")]
        assert (rest["next_offset"], rest["next_cursor"]) == (None, None)
    client.delete(locations[0])
    assert_problem(client.get("/jobs", params={"cursor": first["next_cursor"]}), 422, "invalid-request")


def test_deleting_an_ended_job_keeps_what_it_stored(client: TestClient) -> None:
    job = imported(client, csv_of(("a", "", "x"), ("b", "", "")))
    gone = client.delete(f"/jobs/{job['job_id']}").json()
    assert (gone["removed"], gone["state"]) == (True, "done")
    for method in ("GET", "DELETE"):
        assert_problem(client.request(method, f"/jobs/{job['job_id']}"), 404, "job-not-found")
    assert client.get("/postings/a").status_code == 200


@pytest.mark.parametrize("job_id", ["x", "..", "%00", "A" * 32, "0" * 31, "' OR 1=1"])
def test_fault_22_what_is_no_id_of_a_job_is_refused(client: TestClient, job_id: str) -> None:
    assert client.get(f"/jobs/{job_id}").status_code in {404, 422}


def test_imports_beyond_the_limit_are_refused_with_retry_after(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pricematch.serving.imports.Importer._work", lambda _: None)  # nothing is taken up
    client = start(max_imports=2)
    sent = [send(client, csv_of(("a", "", "x"))) for _ in range(3)]
    assert [response.status_code for response in sent] == [202, 202, 429]
    assert_problem(sent[2], 429, "overloaded")
    assert int(sent[2].headers["retry-after"]) > 0
    cancelled = client.delete(sent[0].headers["location"]).json()
    assert (cancelled["state"], cancelled["removed"]) == ("cancelled", False)
    assert left_behind(tmp_path) == [sent[1].json()["job_id"]]
    assert send(client, csv_of(("a", "", "x"))).status_code == 202


def test_what_is_still_being_sent_counts_among_the_imports_that_wait(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pricematch.serving.imports.Importer._work", lambda _: None)  # nothing is taken up
    client, statuses, write = start(max_imports=2), list[int](), job_files.JobFile.write

    def meanwhile(opened: job_files.JobFile, content: bytes) -> int:
        if not statuses:
            statuses.append(0)  # the two below are not to send others
            statuses.extend(send(client, csv_of(("b", "", "x"))).status_code for _ in range(2))
        return write(opened, content)

    monkeypatch.setattr(job_files.JobFile, "write", meanwhile)
    assert send(client, csv_of(("a", "", "x"))).status_code == 202
    assert statuses[1:] == [202, 429]
    assert client.get("/jobs").json()["total"] == 3  # with the first fill


# --- hostile -----------------------------------------------------------------------------------------------------


def _mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """A file of which a few bytes are others, or which is cut or repeated."""
    found = bytearray(content)
    for _ in range(draw(st.integers(0, 4))):
        found[draw(st.integers(0, len(found) - 1))] = draw(st.integers(0, 255))
    end = draw(st.integers(0, len(found) + 20))
    return bytes(found[:end]) + bytes(found[: max(0, end - len(found))])


@st.composite
def _hostile(draw: st.DrawFn) -> tuple[bytes, bytes | None]:
    postings = draw(st.sampled_from([csv_of(("h0", "1.png", "x"), ("h1", "2.png", "")), b'{"posting_id": "h2"}\n' * 3]))
    images = draw(st.sampled_from([None, zip_of({"1.png": TEAL, "2.png": RED}), archive([Member(b"1.png", GREEN)])]))
    return _mutated(draw, postings), None if images is None else _mutated(draw, images)


@pytest.fixture(scope="module")
def hostile_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("hostile")
    export(folder / "models", "cae", "1")
    busy = settings_of(folder, encoder="cae", follow_seconds=0.001, max_imports=10_000)
    with served_app(busy) as app, client_of(app) as client:
        yield client


@settings(max_examples=150)
@given(_hostile())
def test_any_bytes_are_refused_or_become_a_job_that_ends(
    hostile_client: TestClient, sent: tuple[bytes, bytes | None]
) -> None:
    """The service goes on either way."""
    response = send(hostile_client, *sent)
    assert response.status_code in {202, 422}, response.text
    if response.status_code == 202:
        job = ended(hostile_client, response.headers["location"])
        assert job["state"] == "done" or job["reason"] != "the service failed; its log says why", job
        assert job["done"] == job["created"] + job["replaced"] + job["unchanged"] + job["failed"]
    assert matched(hostile_client, RED)


def test_a_job_is_found_where_its_import_says(start: Start) -> None:
    """Its address is below the path that a proxy serves the service at (fault C17)."""
    client = start(root_path="/match-api")
    location = send(client, csv_of(("a", "", "x"))).headers["location"]
    assert location.startswith("/match-api/v1/jobs/")
    assert ended(client, location)["state"] == "done"


def test_an_import_needs_no_file_names(client: TestClient) -> None:
    """Its parts are files by their own names, longer ones than a text field may be too (fault C13)."""
    rows = csv_of(("a", "1.png", "Teal"), *((f"b{number}", "", "x" * 100) for number in range(100)))
    content = form([field("postings", rows), field("images", zip_of({"1.png": TEAL}))])
    response = client.post("/postings/import", content=content, headers={"Content-Type": FORM})
    assert counts(ended(client, response.headers["location"])) == (101, 101, 0, 0, 0)
    assert client.get("/postings/a/image").content == TEAL
