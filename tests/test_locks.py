"""Lock files pin what each use takes, and nothing else; each image installs its own."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = {
    "requirements.lock": ["dev"],
    "requirements-service.lock": [],
    "requirements-train.lock": ["train", "reports", "pretrained"],
}
"""The extras that each holds."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def pinned(lock: str) -> dict[str, set[str]]:
    """The versions of each package that a lock file names; several for several versions of Python."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def names(requirements: Sequence[str]) -> set[str]:
    """The packages that requirements name, without those of this project."""
    return {re.split(r"[>=\[]", requirement)[0] for requirement in requirements} - {"pricematch"}


def wanted(extras: Sequence[str]) -> set[str]:
    """The packages that the project takes with these extras."""
    own = EXTRAS["dev"][0].partition("[")[2].strip("]").split(",") if "dev" in extras else []
    return names(PROJECT["dependencies"]).union(*(names(EXTRAS[extra]) for extra in [*extras, *own]))


@pytest.mark.parametrize(("lock", "extras"), LOCKS.items())
def test_a_lock_holds_what_its_use_takes(lock: str, extras: Sequence[str]) -> None:
    """All dependencies, and none that only other extras name."""
    assert wanted(extras) <= set(pinned(lock))
    others = [extra for extra in EXTRAS if extra not in {*extras, "dev"}] if "dev" not in extras else []
    assert not (wanted(others) - wanted(extras)) & set(pinned(lock))


def test_developers_have_every_extra() -> None:
    """`make install` brings all of them."""
    assert wanted(["dev"]) == wanted(list(EXTRAS))


@pytest.mark.parametrize("lock", ["requirements-service.lock", "requirements-train.lock"])
def test_images_have_what_was_tested(lock: str) -> None:
    """The same versions as developers."""
    tested = pinned("requirements.lock")
    assert all(versions <= tested[name] for name, versions in pinned(lock).items())


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_a_hash_and_no_index(lock: str) -> None:
    """What is installed is what was locked, from wherever it comes."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if entry]
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


@pytest.mark.parametrize(("target", "lock"), [("serve", "service"), ("train", "train")])
def test_an_image_installs_its_lock(target: str, lock: str) -> None:
    """The stage that a target copies its environment from installs the target's lock file."""
    stages = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL))
    [source] = re.findall(r"--from=(\S+)", stages[target])
    assert f"--require-hashes -r requirements-{lock}.lock" in stages[source]


def test_the_compose_file_builds_each_target_where_it_belongs() -> None:
    """The service is slim, and training is another image."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    target = r"^  (\w+):\n(?:    .*\n)*?    build: {context: \., target: (\w+)}\n    image: (\S+):"
    built = re.findall(target, text, re.MULTILINE)
    assert built == [("service", "serve", "pricematch"), ("train", "train", "pricematch-train")]


def test_the_build_is_given_every_file_it_copies() -> None:
    """What .dockerignore leaves out cannot be copied."""
    kept = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    copied = {name for line in lines for name in line.split()}
    assert copied == kept
