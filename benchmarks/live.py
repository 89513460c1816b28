"""A service started for a benchmark, and clients that ask it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from catalogues import Subject

Ask: TypeAlias = Callable[[bytes], Any]


@contextmanager
def service(measured: Subject) -> Iterator[int]:
    """A ready service; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    options = [
        f"--{name}={value}"
        for name, value in (
            ("catalogue", measured.catalogue),
            ("images", measured.images),
            ("models", measured.models),
            ("data", measured.catalogue.parent / "data"),
            ("port", port),
        )
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "serve", *options], env=os.environ | {"PRICEMATCH_ACCESS_LOG": "false"}
    )
    try:
        while not is_ready(port):
            if process.poll() is not None:
                sys.exit(process.returncode)
            time.sleep(0.2)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def is_ready(port: int) -> bool:
    """Whether the service can answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


def client(port: int) -> Ask:
    """Posts pictures to /match on one connection that is kept open, and gives the answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(image: bytes) -> Any:
        connection.request("POST", "/match", image, {"Content-Type": "image/jpeg"})
        response = connection.getresponse()
        content = response.read()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"expected 200, got {response.status}: {content[:200]!r}")
        return json.loads(content)

    return ask
