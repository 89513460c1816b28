"""How log lines are written, and the request that they belong to."""

import contextvars
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pricematch.api.logs import (
    FIELDS,
    JsonLines,
    LogFormat,
    TextLines,
    begin,
    current,
    end,
    install_logs,
)

HOSTILE = 'x\n{"level":"info"}\r\x1b[2J\u2028\u202e\x00\x85'


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"name": "pricematch", "levelname": "WARNING", "levelno": 30, "msg": "%s", "args": (message,), "created": 0.25}
    )
    made.__dict__.update(extra)
    return made


def failed() -> logging.LogRecord:
    raised = None
    try:
        int("a bug")
    except ValueError:
        raised = sys.exc_info()
    return record("it failed", exc_info=raised)


def test_a_json_line_says_when_who_what_and_of_which_request() -> None:
    _, token = begin("r1")
    line = JsonLines().format(record("hello", **{FIELDS: {"status": 200}}))
    end(token)
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "warning",
        "logger": "pricematch",
        "message": "hello",
        "request_id": "r1",
        "status": 200,
    }


def test_whatever_is_logged_stays_on_its_line() -> None:
    for line in (JsonLines().format(record(HOSTILE)), TextLines().format(record(HOSTILE))):
        assert len(line.splitlines()) == 1
        assert all(character.isprintable() for character in line)
    assert json.loads(JsonLines().format(record(HOSTILE)))["message"] == HOSTILE


def test_a_traceback_is_in_the_json_line_and_below_the_text() -> None:
    assert "ValueError: invalid literal" in json.loads(JsonLines().format(failed()))["traceback"]
    first, *rest = TextLines().format(failed()).splitlines()
    assert first == "it failed"
    assert rest[-1].startswith("    ValueError: invalid literal")


def test_what_a_traceback_quotes_cannot_pass_for_a_line() -> None:
    raised = (ValueError, ValueError(HOSTILE), None)
    _, *rest = TextLines().format(record("it failed", exc_info=raised)).split("\n")
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert len(JsonLines().format(record("it failed", exc_info=raised)).splitlines()) == 1


class Stream(io.StringIO):
    """What may be a terminal."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal


@contextmanager
def installed(chosen: LogFormat, *, terminal: bool = False) -> Iterator[Stream]:
    """Standard error, once a format is installed; what that changes is put back."""
    root, stream = logging.getLogger(), Stream()
    stream.terminal = terminal
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        patch.setattr(root, "handlers", list(root.handlers))
        patch.setattr(root, "level", root.level)
        patch.setattr(threading, "excepthook", threading.excepthook)
        install_logs(chosen)
        yield stream
        logging.captureWarnings(capture=False)


@pytest.mark.parametrize(
    ("chosen", "terminal", "is_json"),
    [("json", True, True), ("text", False, False), ("auto", True, False), ("auto", False, True)],
)
def test_auto_is_text_for_people_and_json_for_machines(chosen: LogFormat, terminal: bool, is_json: bool) -> None:
    with installed(chosen, terminal=terminal) as stream:
        logging.getLogger("pricematch").warning("hello")
    assert stream.getvalue().startswith("{") is is_json
    assert "hello" in stream.getvalue()


def test_warnings_and_threads_that_fail_are_lines_of_the_log_too() -> None:
    with installed("json") as stream, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("take care", stacklevel=1)
        thread = threading.Thread(target=int, args=["a bug"], name="worker")
        thread.start()
        thread.join()
    warned, failed = map(json.loads, stream.getvalue().splitlines())
    assert "take care" in warned["message"]
    assert (failed["level"], failed["message"]) == ("error", "worker failed")
    assert "ValueError" in failed["traceback"]


@pytest.mark.parametrize("given", ["a", "7f3e.shop-1_x", "A" * 64])
def test_an_id_that_a_client_gives_is_taken(given: str) -> None:
    asked, token = begin(given)
    assert asked.request_id == current().request_id == given
    end(token)
    assert current().request_id == ""


@pytest.mark.parametrize("given", [None, "", "a b", "a\nb", "é", "A" * 65, "<script>", "\x1b[31m"])
def test_one_with_which_a_line_could_be_forged_is_replaced(given: str | None) -> None:
    asked, token = begin(given)
    assert len(asked.request_id) == 32
    assert asked.request_id.isalnum()
    other, _ = begin(given)
    assert other.request_id != asked.request_id
    end(token)


def test_what_is_done_elsewhere_knows_nothing_of_it() -> None:
    def inside() -> str:
        begin("mine")
        return current().request_id

    assert contextvars.copy_context().run(inside) == "mine"
    assert current().request_id == ""
