"""The commands that the README shows do what it says."""

import argparse
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.support.ports import free_port
from tests.support.waiting import SAFETY_SECONDS, eventually

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def commands(mentioning: str | tuple[str, ...]) -> list[str]:
    """The lines of the README's shell blocks that begin with a word, or with one of several, in their order."""
    return [line for block in BLOCKS for line in block.splitlines() if line.startswith(mentioning)]


@pytest.mark.process
def test_make_verbs_the_readme_names_exist() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    named = [command.split()[1] for command in commands("make ")]
    assert named == ["demo", "test"]
    assert all(re.search(rf"^  make {verb} ", listed, re.MULTILINE) for verb in named)


def test_every_document_the_readme_links_to_exists() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert linked
    assert [path for path in linked if not (ROOT / path).exists()] == []


@pytest.mark.process
@pytest.mark.long  # minutes on a small processor; the demo takes the same road
def test_commands_by_hand_lead_from_nothing_to_answers(tmp_path: Path) -> None:
    given = commands(("pricematch ", "curl "))
    assert given[0] == "pricematch serve"
    last = max(place for place, command in enumerate(given) if command.startswith("curl "))
    port, answers = free_port(), list[str]()
    with served(given[0], tmp_path, port):
        for command in given[1 : last + 1]:
            if command.startswith("curl "):
                answers.append(curl(command.replace(":8000", f":{port}"), tmp_path))
                continue
            run(command, tmp_path)
            if command.startswith("pricematch import"):  # another process wrote it; the service looks once a second
                eventually(lambda: httpx2.get(f"http://127.0.0.1:{port}/postings/sample_000039/matches").is_success)
    assert all('"models":{"matcher":"default","cnn":"1"' in answer for answer in answers[2:6])
    assert all('"probabilities":"estimated"' in answer for answer in answers[2:6])
    assert '"posting_id":"first"' in answers[2]
    assert '"posting_id":"sample_000000"' in answers[3]
    assert '"posting_id":"sample_000000"' not in answers[4]
    products, put, patched, decided, matches, deleted = answers[6:]
    assert '"product_id":"p1"' in products
    assert '"title":"Kopi susu 200 ml"' in put
    assert '"metadata":{"price":12.5,"seller":"shop-7"}' in patched
    assert '"verdict":"same"' in decided
    assert '"posting_id":"sample_000000"' in matches
    assert '"posting_id"' in deleted
    for command in given[last + 1 :]:
        run(command, tmp_path)
    written = ["reconstructions.png", "swept/sweep.png", "explored/explore.html", "evaluated/report.html"]
    written += ["matches.png", "submission.csv"]
    written += ["matcher_report/report.html", "matched.csv"]
    assert all((tmp_path / name).stat().st_size > 0 for name in written)


@pytest.mark.process
def test_demo_trains_serves_and_answers_on_a_catalogue_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRICEMATCH_WORKERS", "1")  # each worker process imports TensorFlow for seconds
    run("pricematch sample --output own --postings 60", tmp_path)
    options = ["--catalogue", "own/catalogue.csv", "--images", "own/images", "--once"]
    demo = [sys.executable, str(ROOT / "examples" / "demo.py"), *options]
    shown = subprocess.run(
        demo, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=SAFETY_SECONDS
    ).stdout
    assert "probabilities estimated" in shown  # before anything is trained
    assert "Training a matcher on half of" in shown
    assert re.search(r"Mean F1 on the \d+ postings of the other products: 0\.\d+ by the default matcher", shown)
    first_match = next(line for line in shown.splitlines() if "sample_" in line and "│" in line)
    assert "yes" in first_match
    assert "probability" in shown
    assert "curl -F image=@own/images/" in shown


@pytest.mark.parametrize("label_groups", [range(5), range(30), [""] * 30], ids=["few", "alone", "unknown"])
def test_demo_trains_no_matcher_where_too_few_products_have_several_postings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], label_groups: Sequence[int | str]
) -> None:
    repeats = 2 if len(label_groups) == 5 else 1
    lines = [f"p{row},p.png,{group}" for row, group in enumerate([*label_groups] * repeats)]
    catalogue = tmp_path / "catalogue.csv"
    catalogue.write_text("\n".join(["posting_id,image,label_group", *lines]), encoding="utf-8")
    specification = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    assert specification is not None
    assert specification.loader is not None
    demo = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(demo)
    demo.train_matcher("http://nobody.invalid", catalogue, tmp_path / "images", tmp_path / "home")
    several = 5 if repeats == 2 else 0
    said = f"{several} products with several postings teach no matcher: the default one goes on"
    assert said in capsys.readouterr().out
    assert not (tmp_path / "home").exists()


def run(command: str, folder: Path) -> str:
    """What a command of the README prints; it must end well."""
    done = subprocess.run(
        words(command), cwd=folder, check=False, capture_output=True, text=True, timeout=SAFETY_SECONDS
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def words(command: str) -> list[str]:
    """The command's words, `pricematch` being that of this environment."""
    return [sys.executable, "-m", "pricematch", *shlex.split(command)[1:]]


def curl(command: str, folder: Path) -> str:
    """What a curl line gets, asked without curl, which not every machine has."""
    parser = argparse.ArgumentParser()
    for option in ("-X", "-H", "-d"):
        parser.add_argument(option)
    parser.add_argument("-F", action="append", default=[])
    parser.add_argument("url")
    asked = parser.parse_args(shlex.split(command)[1:])
    fields = [field.partition("=")[::2] for field in asked.F]
    answer = httpx2.request(
        asked.X or ("POST" if fields or asked.d else "GET"),
        asked.url,
        files={name: (folder / said[1:]).read_bytes() for name, said in fields if said.startswith("@")} or None,
        data={name: said for name, said in fields if not said.startswith("@")} or None,
        content=asked.d,
        headers=[tuple(asked.H.split(": "))] if asked.H else None,
    )
    assert answer.is_success, answer.text
    return answer.text


@contextmanager
def served(command: str, folder: Path, port: int) -> Iterator[None]:
    """The README's service, ready, on another port."""
    process = subprocess.Popen([*words(command), "--port", str(port)], cwd=folder, env=os.environ)
    try:
        eventually(lambda: process.poll() is not None or ready(port))
        assert process.poll() is None
        yield
    finally:
        process.terminate()
        process.wait(timeout=SAFETY_SECONDS)


def ready(port: int) -> bool:
    """Whether the service can answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except OSError:
        return False
