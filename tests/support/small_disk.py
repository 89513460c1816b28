"""A disk with little room, where mounting one is allowed."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    if (mount := shutil.which("mount")) is None:
        pytest.skip("there is no mount")
    command = [mount, "-t", "tmpfs", "-o", "size=1m", "pricematch-test", str(tmp_path)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield tmp_path / "data"
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def fill_up(path: Path) -> None:
    """Leave not a page."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
