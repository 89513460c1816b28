"""Running `pricematch …` in the tests' own process."""

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from pricematch.__main__ import main


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    def one_line(self) -> str:
        """The only line on stderr."""
        [line] = self.err.splitlines()
        return line


Run: TypeAlias = Callable[..., Ran]


def runner(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `pricematch …`."""

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["pricematch", *arguments])
        monkeypatch.setattr(sys, "stderr", sys.stderr)  # `main` puts another in its place
        root = logging.getLogger()
        monkeypatch.setattr(root, "handlers", list(root.handlers))  # `serve` writes its log to that standard error
        monkeypatch.setattr(root, "level", root.level)
        monkeypatch.setattr(threading, "excepthook", threading.excepthook)
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        sys.stderr.close()
        monkeypatch.undo()
        logging.captureWarnings(capture=False)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run
