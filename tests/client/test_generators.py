"""Generators of clients take the description without a complaint, and what they make asks the service."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.support.contract import documented
from tests.support.running_service import RED, TinyService, running
from tests.support.waiting import SAFETY_SECONDS

pytestmark = [pytest.mark.process, pytest.mark.slow]

PYTHON = "openapi-python-client==0.29.1"
"""Its requirements exclude this project's, so it runs in an environment of its own."""
TYPESCRIPT = "openapi-typescript@7.13.0"
_ALONE = ("--no-config", "--python", sys.executable)
SCRIPT = """
import sys
from pricematch_client import Client
from pricematch_client.api.match import match_image
from pricematch_client.api.postings import get_posting, list_postings
from pricematch_client.models import MatchImageForm, Problem
from pricematch_client.types import File

with Client(base_url=sys.argv[1]) as client:
    assert get_posting.sync("p0", client=client).posting_id == "p0"
    assert isinstance(get_posting.sync("nobody", client=client), Problem)
    assert list_postings.sync(client=client, limit=1).next_cursor
    with open(sys.argv[2], "rb") as image:
        found = match_image.sync(client=client, body=MatchImageForm(image=File(payload=image, file_name="red.png")))
    assert found.matches[0].posting_id == "p0"
    with open(sys.argv[2], "rb") as image, open(sys.argv[2], "rb") as other:
        several = MatchImageForm(image=[File(payload=it, file_name="red.png") for it in (image, other)])
        found = match_image.sync(client=client, body=several)
    assert found.matches[0].image_urls[0] == found.matches[0].image_url
print("asked")
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyService]:
    """A service that runs."""
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def description(tmp_path: Path) -> Path:
    """The description of the API, in a file."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(documented()))
    return path


def ran(command: Sequence[str | Path], folder: Path) -> str:
    """What a command prints; its success is asserted."""
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        check=False,
        text=True,
        timeout=SAFETY_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@cache
def tool(name: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a tool in an environment of its own; the test is skipped where that cannot be had."""
    program = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip(f"{name} is not installed")
    command = (program, *arguments)
    tried = subprocess.run(
        [*command, "--version"],
        capture_output=True,
        check=False,
        text=True,
        timeout=SAFETY_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    if tried.returncode:
        pytest.skip(f"{' '.join(command)} cannot be had: {tried.stderr.strip()[-200:]}")
    return command


def test_a_python_client_is_generated_and_asks(description: Path, service: TinyService, tmp_path: Path) -> None:
    """Without a warning; it reads and matches in a process of its own."""
    (tmp_path / "config.yml").write_text("post_hooks: []\n")
    generate = tool("uv", "tool", "run", *_ALONE, "--from", PYTHON, "openapi-python-client")
    options = ["--meta", "none", "--config", "config.yml", "--fail-on-warning"]
    ran([*generate, "generate", "--path", description, "--output-path", "pricematch_client", *options], tmp_path)
    assert (tmp_path / "pricematch_client" / "api" / "verdicts" / "decide_verdicts.py").exists()
    (tmp_path / "ask.py").write_text(SCRIPT)
    (tmp_path / "red.png").write_bytes(RED)
    python = tool("uv", "run", *_ALONE, "--no-project", "--with", "httpx==0.28.1", "--with", "attrs", "python")
    assert "asked" in ran([*python, "ask.py", f"http://127.0.0.1:{service.port}", "red.png"], tmp_path)


def test_types_for_typescript_are_generated(description: Path, tmp_path: Path) -> None:
    ran([*tool("npx", "--yes", TYPESCRIPT), description, "--output", tmp_path / "pricematch.d.ts"], tmp_path)
    written = (tmp_path / "pricematch.d.ts").read_text()
    operations = {it["operationId"] for path in documented()["paths"].values() for it in path.values()}
    assert [it for it in operations if f'operations["{it}"]' not in written] == []
    assert [it for it in documented()["components"]["schemas"] if f"        {it}: " not in written] == []
