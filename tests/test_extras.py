"""What `pip install pricematch` does without its extras: all but training, and drawing plots and pages."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import pytest

from tests.support.fakes import marked_bytes, tiny_catalogue
from tests.support.ports import free_port
from tests.support.waiting import SAFETY_SECONDS, eventually

pytestmark = pytest.mark.process

TRAINING = ("tensorflow", "keras")
EARLIER = ("--encoder", "autoencoder", "--models")
EVERY_EXTRA = (*TRAINING, "matplotlib", "jinja2", "markupsafe", "opentelemetry.sdk")
Start: TypeAlias = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts `pricematch …` in `tmp_path`, where some packages are as if they were not installed."""

    def start(missing: tuple[str, ...], *arguments: str) -> "subprocess.Popen[str]":
        blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in missing)
        (tmp_path / "sitecustomize.py").write_text(f"import sys\n{blocked}", encoding="utf-8")
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        return subprocess.Popen(
            [sys.executable, "-m", "pricematch", *arguments],
            cwd=tmp_path,
            # nobody reads the pipe while it serves, which lines of every look whether it is ready would fill
            env=os.environ | {"PYTHONPATH": path, "PRICEMATCH_ACCESS_LOG": "false"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """How it ended, and what it wrote to stderr."""
    _, errors = process.communicate(timeout=SAFETY_SECONDS)
    return process.returncode, errors


@contextmanager
def served(start: Start, *arguments: str) -> Iterator[str]:
    """The address of a service that is ready."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    with start(EVERY_EXTRA, "serve", "--port", str(port), *arguments) as process:
        try:
            eventually(lambda: process.poll() is not None or ready(address))
            assert process.poll() is None, process.communicate()[1]
            yield address
        finally:
            process.terminate()
            process.communicate(timeout=SAFETY_SECONDS)


def ready(address: str) -> bool:
    """Whether a service can answer."""
    try:
        return httpx2.get(f"{address}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def labelled(folder: Path) -> list[str]:
    """Options that name a catalogue of eight postings in four label groups."""
    colours = ["#ff0000", "#fe0000", "#00ff00", "#00fe00"] * 2
    csv_path, images = tiny_catalogue(folder, colours)
    for number, colour in enumerate(colours):
        (images / f"p{number}.png").write_bytes(marked_bytes(colour))
    header, *rows = csv_path.read_text(encoding="utf-8").splitlines()
    lines = [f"{header},label_group", *(f"{row},{number // 2}" for number, row in enumerate(rows))]
    csv_path.write_text("\n".join(lines), encoding="utf-8")
    return ["--catalogue", str(csv_path), "--images", str(images)]


@pytest.mark.parametrize("verb", [["train", "encoder"], ["show", "reconstructions", "--output", "x.png"]])
def test_training_names_its_extra(start: Start, verb: list[str]) -> None:
    """It is one line, before anything is read."""
    message = "pricematch: this needs TensorFlow, which is not installed: pip install 'pricematch[train]'\n"
    assert ended(start(TRAINING, *verb)) == (2, message)


@pytest.mark.parametrize("verb", ["explore", "evaluate", "sweep"])
def test_plots_and_pages_name_their_extra(start: Start, verb: str) -> None:
    """It is one line, before anything is read."""
    code, errors = ended(start(EVERY_EXTRA, verb, "--output", "x"))
    assert code == 2
    assert errors.startswith("pricematch: this needs ")
    assert errors.endswith(", which is not installed: pip install 'pricematch[reports]'\n")
    assert errors.count("\n") == 1


def test_a_package_that_no_extra_brings_is_a_fault(start: Start) -> None:
    """Nobody is told to install what should be there."""
    code, errors = ended(start(("fastapi",), "serve"))
    assert code == 1
    assert "ModuleNotFoundError" in errors


def test_submissions_take_no_extra(start: Start, tmp_path: Path, earlier_models: Path) -> None:
    """All signals, with encoders that were exported elsewhere."""
    options = [*labelled(tmp_path), *EARLIER, str(earlier_models), "--output", "submission.csv"]
    thresholds = ["--threshold", "hash=8", "--threshold", "title=0.5", "--threshold", "image=0.9"]
    code, errors = ended(start(EVERY_EXTRA, "submit", *options, *thresholds))
    assert code == 0, errors
    assert len((tmp_path / "submission.csv").read_text(encoding="utf-8").splitlines()) == 1 + 8


def test_evaluations_take_no_tensorflow(start: Start, tmp_path: Path, earlier_models: Path) -> None:
    """Nor do those of images."""
    options = [*labelled(tmp_path), *EARLIER, str(earlier_models), "--folds", "2", "--output", "evaluated"]
    code, errors = ended(start(TRAINING, "evaluate", "--signals", "hash,title,image", *options))
    assert code == 0, errors
    report = json.loads((tmp_path / "evaluated" / "report.json").read_text(encoding="utf-8"))
    assert "image" in report["signals"]


def test_the_service_takes_no_extra(start: Start, tmp_path: Path, earlier_models: Path) -> None:
    """It starts with encoders, matches an image, and says what runs them."""
    catalogue = labelled(tmp_path)
    with served(start, *catalogue, "--matcher", "none", *EARLIER, str(earlier_models)) as address:
        image = (tmp_path / "images" / "p0.png").read_bytes()
        answer = httpx2.post(f"{address}/match", content=image, headers={"Content-Type": "image/png"}).json()
        models: list[dict[str, Any]] = httpx2.get(f"{address}/models").json()["models"]
    assert answer["matches"][0]["posting_id"] in {"p0", "p4"}  # of the same image
    assert {model["name"]: model["runtime"]["name"].split()[0] for model in models} == {
        "cae": "OpenVINO",
        "autoencoder": "OpenVINO",
    }


def test_the_default_matcher_does_without_what_cannot_run(start: Start, tmp_path: Path, earlier_models: Path) -> None:
    """Where another encoder is named, that one is served, and the default matcher compares by hashes and titles."""
    with served(start, *labelled(tmp_path), *EARLIER, str(earlier_models)) as address:
        found = httpx2.get(f"{address}/postings/p0/matches").json()
        models = httpx2.get(f"{address}/models").json()["models"]
    assert found["models"] == {"matcher": "default", "cae": "1", "autoencoder": "1"}
    assert found["matches"][0]["posting_id"] == "p4"  # the same image, by its hash
    assert [model["name"] for model in models] == ["matcher", "cae", "autoencoder"]


def test_a_service_starts_from_nothing(start: Start, tmp_path: Path) -> None:
    """Without models, catalogue, training or TensorFlow it is ready, takes postings and finds them by their images."""
    with served(start) as address:
        for number, colour in enumerate(("#ff0000", "#00ff00")):
            form = {"image": ("x.png", marked_bytes(colour), "image/png")}
            assert httpx2.put(f"{address}/postings/p{number}", files=form).status_code == 201
        answer = httpx2.post(f"{address}/match", content=marked_bytes("#00ff00"), headers={"Content-Type": "image/png"})
        assert answer.json()["models"] == {"matcher": "default", "cnn": "1"}
        assert answer.json()["probabilities"] == "estimated"
        assert answer.json()["matches"][0]["posting_id"] == "p1"
    assert (tmp_path / "models" / "cnn" / "1" / "network.xml").exists()


def test_the_pretrained_encoder_takes_no_extra(start: Start, tmp_path: Path) -> None:
    """A verb writes it without TensorFlow, in OpenVINO's form alone, and no catalogue is needed."""
    code, errors = ended(start(EVERY_EXTRA, "train", "encoder", "--recipe", "pretrained"))
    assert code == 0, errors
    assert not (tmp_path / "models" / "cnn" / "1" / "saved_model.pb").exists()
