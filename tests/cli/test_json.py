"""`--json`: one document on stdout, whatever the verb."""

import csv
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any, NoReturn

import httpx2
import numpy as np
import pytest
import typer

from pricematch.__main__ import cli
from pricematch.cli.outcome import Outcome, finite, verb
from pricematch.errors import TrainingInterrupted
from pricematch.settings import Settings
from tests.support.catalogues import labelled_postings, write_catalogue
from tests.support.cli import Ran, Run
from tests.support.matchers import export_matcher
from tests.support.waiting import SAFETY_SECONDS, eventually

Words = list[str]


def document(ran: Ran) -> Any:
    """The only line of stdout."""
    [line] = ran.out.splitlines()
    return json.loads(line)


def commands(app: typer.Typer, words: Words) -> Iterator[tuple[Words, Callable[..., object]]]:
    """Every verb, and what it calls."""
    for command in app.registered_commands:
        assert command.callback is not None
        yield [*words, command.name or command.callback.__name__], command.callback
    for group in app.registered_groups:
        assert group.typer_instance is not None
        if (own := group.typer_instance.registered_callback) is not None and own.callback is not None:
            yield [*words, str(group.name)], own.callback
        yield from commands(group.typer_instance, [*words, str(group.name)])


VERBS = [words for words, _ in commands(cli, [])]


def test_there_are_verbs() -> None:
    """Of all groups."""
    assert {"serve", "key", "train matcher", "models list", "show matches"} <= {" ".join(words) for words in VERBS}


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_verb_takes_the_option(run: Run, words: Words) -> None:
    """And its help says so."""
    assert "--json" in run(*words, "--help").out


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    """A folder that is worked in, with postings, embeddings and a matcher."""
    postings = labelled_postings(40)
    write_catalogue(tmp_path / "postings.csv", postings)
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32))
    (tmp_path / "titles.csv").write_text("posting_id,image,title\na,,kopi susu\nb,,KOPI susu\n", encoding="utf-8")
    (tmp_path / "verdicts.csv").write_text("posting_id,other_posting_id,verdict\na,b,same\n", encoding="utf-8")
    export_matcher(tmp_path / "models", ["hash", "title"])
    with chdir(tmp_path):
        yield tmp_path


SCORES = {"f1", "precision", "recall"}
STORED = ["import", "titles.csv"]
DECLARED = ["fields", "declare", "price", "--type", "number"]
CASES: Mapping[str, tuple[list[Words], set[str]]] = {
    "sample": (
        [["sample", "--output", "drawn", "--postings", "2"]],
        {
            "catalogue",
            "images_folder",
            "postings",
            "groups",
            "images",
            "bytes",
            "f1_equal_hash",
            "f1_equal_title",
        },
    ),
    "check": ([["check", "titles.csv"]], {"file", "read_as", "counts", "warnings", "problems"}),
    "explore": ([["explore", "--catalogue", "postings.csv", "--output", "explored"]], {"page", "counts"}),
    "evaluate": ([["evaluate", "--catalogue", "postings.csv", "--output", "evaluated"]], {"files", "report"}),
    "submit": (
        [["submit", "--catalogue", "postings.csv", "--threshold", "hash=4", "--output", "submission.csv"]],
        {"output", "decided_by", "postings", "matched", "matches"},
    ),
    "submit by a matcher": (
        [["submit", "--catalogue", "postings.csv", "--matcher", "1", "--output", "submission.csv"]],
        {"output", "decided_by", "postings", "matched", "matches"},
    ),
    "sweep": (
        [["sweep", "--catalogue", "postings.csv", "--embeddings", "rows.npy", "--output", "swept"]],
        {"files", "postings", "groups", "best", "records"},
    ),
    "train encoder": ([["train", "encoder", "--recipe", "pretrained"]], {"trained"}),
    "train matcher": (
        [["train", "matcher", "--catalogue", "postings.csv", "--force"]],
        {
            "written",
            "path",
            "postings",
            "groups",
            "pairs",
            "seconds",
            "held_out",
            "thresholds",
            "comparison",
        },
    ),
    "show matches": (
        [["show", "matches", "p1", "--catalogue", "postings.csv", "--count", "3", "--min-probability", "0"]],
        {
            "posting_id",
            "title",
            "decided_by",
            "models",
            "target",
            "threshold",
            "alone",
            "no_evidence",
            "matches",
            "output",
        },
    ),
    "import": (
        [STORED],
        {
            "file",
            "data",
            "created",
            "replaced",
            "unchanged",
            "failed",
            "catalogue_version",
            "warnings",
            "stock_images",
            "problems",
        },
    ),
    "export": ([STORED, ["export", "all.ndjson"]], {"data", "file", "postings", "images", "verdicts"}),
    "verdicts export": ([STORED, ["verdicts", "export", "said.csv"]], {"data", "file", "content"}),
    "verdicts import": (
        [STORED, ["verdicts", "import", "verdicts.csv"]],
        {"file", "data", "new", "changed", "unchanged"},
    ),
    "backup": (
        [STORED, ["backup", "all.backup"]],
        {"file", "catalogue_version", "postings", "images", "verdicts", "bytes", "seconds"},
    ),
    "restore": (
        [STORED, ["backup", "all.backup"], ["restore", "all.backup", "--data", "other"]],
        {
            "data",
            "postings",
            "verdicts",
            "products",
            "created_at",
            "postings_written",
            "postings_deleted",
            "verdicts_written",
            "verdicts_withdrawn",
            "set_aside",
            "seconds",
        },
    ),
    "verify": ([STORED, ["verify"]], {"data", "given_up", "checked"}),
    "key": ([["key", "shop", "--scope", "read"]], {"name", "scope", "namespace", "key", "line", "file"}),
    "namespaces": ([STORED, ["namespaces"]], {"data", "namespaces"}),
    "fields": ([STORED, DECLARED, ["fields"]], {"data", "fields", "evidence"}),
    "fields declare": ([STORED, DECLARED], {"field", "type", "evidence", "new", "data"}),
    "fields remove": ([STORED, DECLARED, ["fields", "remove", "price"]], {"field", "data"}),
    "models list": ([["models", "list"]], {"folder", "models"}),
    "models activate": ([STORED, ["models", "activate", "matcher/1"]], {"active", "before", "data"}),
}


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.tensorflow) if case == "train encoder" else case for case in CASES]
)
def test_a_verb_writes_its_document(run: Run, here: Path, case: str) -> None:
    """With the fields that docs/scripting.md names, and nothing beside it on stdout."""
    *before, last = CASES[case][0]
    for words in before:
        assert run(*words).code == 0
    ran = run(*last, "--json")
    assert ran.code == 0, ran.err
    assert set(document(ran)) == CASES[case][1]


def test_the_documented_fields_are_those_of_the_cases() -> None:
    """docs/scripting.md has a row for each verb, which names its fields."""
    rows: dict[str, str] = {}
    for line in (Path(__file__).parents[2] / "docs" / "scripting.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            names, documented = line.strip("|").split("|", 1)
            rows |= dict.fromkeys((name.strip(" `") for name in names.split(",")), documented)
    assert set(rows) == {" ".join(words) for words in VERBS}
    for case, (_, fields) in CASES.items():
        row = rows[case.removesuffix(" by a matcher")]
        assert {field for field in fields if f"`{field}`" not in row} == set(), case


@pytest.mark.slow
@pytest.mark.process
def test_documents_hold_what_tables_show(run: Run, here: Path) -> None:
    """Figures, matches with why, and the report as it is written."""
    found = document(run(*CASES["show matches"][0][0], "--json"))
    assert len(found["matches"]) == 3
    assert {"posting_id", "title", "probability", "level", "evidence", "same_group"} <= set(found["matches"][0])
    evaluated = document(run(*CASES["evaluate"][0][0], "--json"))
    assert evaluated["report"] == json.loads((here / "evaluated" / "report.json").read_text(encoding="utf-8"))
    assert evaluated["report"].keys() >= SCORES
    imported = document(run(*STORED, "--json"))
    assert (imported["created"], imported["failed"], imported["problems"]) == (2, 0, [])
    kept = document(run("key", "shop", "--scope", "read", "--file", "keys", "--json"))
    assert (kept["name"], kept["scope"], kept["file"]) == ("shop", "read", "keys")
    assert (here / "keys").read_text(encoding="utf-8").strip() == kept["line"]


def test_bad_rows_are_a_document_and_exit_code_1(run: Run, here: Path) -> None:
    """The verb has worked: there is no error, and each bad row has its place."""
    (here / "bad.csv").write_text("posting_id,image\na,\na,\n!,\n", encoding="utf-8")
    ran = run("check", "bad.csv", "--json")
    found = document(ran)
    assert ran.code == 1
    assert (found["counts"]["rows"], found["counts"]["bad_rows"]) == (3, len({it["row"] for it in found["problems"]}))
    assert set(found["problems"][0]) == {"row", "column", "posting_id", "message"}
    assert "error" not in found
    assert "row " in ran.err


@pytest.mark.parametrize(
    ("words", "code", "kind", "message"),
    [
        (["key", "shop"], 2, "UsageError", "Missing option '--scope'. Choose from: read, write, admin"),
        (["bake"], 2, "UsageError", "No such command 'bake'"),
        (["check", "--tpyo", "x"], 2, "UsageError", "No such option: --tpyo"),
        (["key", "a b", "--scope", "read"], 2, "SettingsError", "expected a name of 1 to 40"),
        (["verify", "--data", "nowhere"], 2, "SettingsError", "there is no store in nowhere"),
        (["check", "absent.csv"], 1, "CatalogueError", "absent.csv: cannot be read"),
    ],
)
def test_an_error_is_a_document_as_well(run: Run, here: Path, words: Words, code: int, kind: str, message: str) -> None:
    """On stdout, with the exit code and the sentence on stderr that there are without the option."""
    ran, plain = run(*words, "--json"), run(*words)
    error = document(ran)["error"]
    assert (ran.code, plain.code) == (code, code)
    assert (error["type"], set(error)) == (kind, {"type", "message"})
    assert message in error["message"]
    assert ran.err == plain.err != ""
    assert plain.out == ""


def test_an_error_names_bad_rows(run: Run, here: Path) -> None:
    """Where a file has some."""
    (here / "bad.csv").write_text("posting_id,image,label_group,title\n!,,,\n", encoding="utf-8")
    ran = run("submit", "--catalogue", "bad.csv", "--threshold", "title=0.5", "--output", "x.csv", "--json")
    [problem] = document(ran)["error"]["problems"]
    assert (ran.code, problem["row"], problem["column"]) == (1, 2, "posting_id")
    assert "\n" not in document(ran)["error"]["message"]


@pytest.mark.parametrize(("error", "kind"), [(KeyboardInterrupt, "Interrupted"), (TrainingInterrupted, None)])
def test_an_interrupt_is_an_error(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], kind: str | None
) -> None:
    """Exit code 130."""

    def interrupted(_: Settings) -> NoReturn:
        raise error("stopped")

    monkeypatch.setattr("pricematch.serving.models.exported", interrupted)
    ran = run("models", "list", "--json")
    assert (ran.code, document(ran)["error"]["type"]) == (130, kind or "TrainingInterrupted")


def test_what_others_print_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """A library that prints does not spoil the document."""

    def chatty(*, count: int = 1) -> Outcome:
        print("chatter")
        logging.getLogger("pricematch").info("working")
        return Outcome({"count": count, "least": finite(float("inf"))}, lambda: typer.echo("shown"), 3)

    command = verb(chatty)
    with pytest.raises(typer.Exit) as ended:
        command(count=2, as_json=True)
    out, err = capsys.readouterr()
    assert ended.value.exit_code == 3
    assert (json.loads(out), err) == ({"count": 2, "least": None}, "chatter\n")
    with pytest.raises(typer.Exit):
        command(count=2, as_json=False)
    assert capsys.readouterr() == ("shown\n", "chatter\n")


@pytest.mark.slow
@pytest.mark.process
def test_a_service_writes_its_address_first(tmp_path: Path) -> None:
    """It takes a free port, which a script learns from the first line; its log is lines of JSON on stderr."""
    words = [sys.executable, "-m", "pricematch", "serve", "--port", "0", "--json"]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            assert told["process"] == process.pid
            eventually(lambda: httpx2.get(f"{told['address']}/readyz").is_success)
        finally:
            process.terminate()
        assert process.stdout.read() == ""
        process.wait(SAFETY_SECONDS)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()]
    assert lines[0]["message"].startswith(f"starting at {told['address']}")


@pytest.mark.process
def test_submissions_are_written_all_the_same(run: Run, here: Path) -> None:
    """The document is beside the file, not instead of it."""
    assert run(*CASES["submit"][0][0], "--json").code == 0
    with (here / "submission.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 40
