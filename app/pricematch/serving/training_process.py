"""A process that trains a matcher for a job: `python -m pricematch.serving.training_process`.

Its standard input has one line, what to do, and is open for as long as the service wants the result: once it is closed,
as by the end of the service, this process ends. Its standard output has a JSON object on each line: progress, messages
for the log, and in the end a result or an error. It yields to whoever serves.
"""

import json
import logging
import os
import signal
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from pricematch.errors import CatalogueError, PricematchError
from pricematch.learning.train_matcher import TrainMatcherOptions
from pricematch.learning.train_stored import train_stored
from pricematch.settings import Settings

if TYPE_CHECKING:
    from pricematch.learning.train_matcher import TrainedMatcher

_log = logging.getLogger("pricematch")
_NICE = 15
_ENDED = 1


class _Answers:
    """Writes lines; for several threads."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._lock = out, threading.Lock()

    def write(self, **fields: Any) -> None:
        """Write one object."""
        with self._lock:
            self._out.write(json.dumps(fields) + "\n")
            self._out.flush()


class _ToService(logging.Handler):
    """Hands records of the log to the service."""

    def __init__(self, answers: _Answers) -> None:
        super().__init__(logging.INFO)
        self._answers = answers

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one on."""
        self._answers.write(level=record.levelno, message=record.getMessage())


def main() -> None:
    """Do what the standard input says."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they go to the service, which ends this
        signal.signal(ignored, signal.SIG_IGN)
    os.nice(_NICE)
    answers = _Answers(os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8"))
    sys.stdout = sys.stderr
    logging.basicConfig(level=logging.INFO, handlers=[_ToService(answers)])
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_service, daemon=True).start()
    given = asked["options"]
    signals, share, seed = tuple(given["signals"]), given["train_share"], given["seed"]
    options = TrainMatcherOptions(signals, share, seed, None, force=given["force"])

    def progress(what: str, done: int, total: int) -> None:
        answers.write(progress=[what, done, total])

    try:
        answers.write(result=_described(train_stored(Settings(**asked["settings"]), options, progress)))
    except CatalogueError as error:
        answers.write(error=str(error))
    except PricematchError as error:  # whose sentence may name folders of the server
        _log.error("%s", error)
        answers.write(error="a model, a setting or the store does not allow it; the log of the service says which")


def _end_with_service() -> None:
    """End this process, whatever it is doing, once nobody waits for it."""
    sys.stdin.read()
    os._exit(_ENDED)


def _described(trained: "TrainedMatcher") -> dict[str, Any]:
    """The figures of a training, as JSON has them."""
    fitted = trained.fitted
    comparison = fitted.comparison
    return {
        "version": None if trained.path is None else trained.path.name,
        "signals": list(fitted.model.signals),
        "postings": fitted.postings,
        "groups": fitted.groups,
        "pairs": fitted.pairs,
        "seconds": round(trained.seconds, 1),
        "better": comparison is None or comparison.better,
        "summary": None if comparison is None else str(comparison),
        "f1": {} if comparison is None else {"learned": comparison.learned, **comparison.others},
        "held_out": [asdict(it) for it in fitted.held_out],
    }


if __name__ == "__main__":
    main()
