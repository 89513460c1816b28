"""OpenVINO keeps to itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import SAFETY_SECONDS

pytestmark = pytest.mark.process

ENCODE = """
import sys, pathlib
watched = ("socket.", "urllib.", "os.fork", "os.posix_spawn", "subprocess.")
sys.addaudithook(lambda event, _: event.startswith(watched) and print(event, flush=True))
import numpy as np
from pricematch.encoding.exported_encoder import ExportedEncoder
from pricematch.formats.manifest import find_chain
encoder = ExportedEncoder(find_chain(pathlib.Path(sys.argv[1]), "autoencoder"))
encoder.encode(np.zeros((2, 16, 16, 3), np.uint8))
print(encoder.runtimes["cae"].name)
"""


def test_encoding_asks_nobody(tmp_path: Path, earlier_models: Path) -> None:
    """A process that imports OpenVINO and encodes opens no socket, starts no process and leaves no file."""
    # its makers leave automatic tests alone, by these variables
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "TF_BUILD", "JENKINS_URL"}}
    ran = subprocess.run(
        [sys.executable, "-c", ENCODE, str(earlier_models)],
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=SAFETY_SECONDS,
    )
    [runtime] = ran.stdout.splitlines()
    assert runtime.startswith("OpenVINO ")
    assert list(tmp_path.iterdir()) == []
