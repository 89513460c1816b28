"""What is read of a `report.json`: the thresholds that an evaluation picked."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pricematch.errors import SettingsError
from pricematch.evaluation.signals import meant

REPORT_VERSION = 2
"""Of the report's format. In version 1, which had no such field, quantities of titles were compared as they are written
(`0,5 l` and `500 ml` had nothing in common); thresholds of titles picked then are worth as much within 0.001 of F1."""
_log = logging.getLogger("pricematch")


def read_signals(path: Path) -> list[str]:
    """The signals that an evaluation judged; raises SettingsError if the file is of no use."""
    return list(_read(path).signals)


def read_size(path: Path) -> int | None:
    """How many postings an evaluation judged, if the file says so; raises SettingsError if it is of no use."""
    return _read(path).postings


def read_thresholds(path: Path, signals: Sequence[str]) -> dict[str, float]:
    """The thresholds that an evaluation picked for these signals together, a similarity each, inf where it takes none.

    A report of version 1 is used with a warning where titles are among the signals, since their similarity has changed.

    Raises:
        SettingsError: the file cannot be read, is no such report or one of a newer version, or judged other signals.
    """
    report = _read(path)
    if report.version < REPORT_VERSION and "title" in signals:
        _log.warning(
            "%s was written by an earlier version, whose titles were compared a little otherwise; `pricematch "
            "evaluate` picks thresholds anew",
            path,
        )
    if set(signals) == set(report.signals) and len(signals) > 1:
        values = report.threshold if isinstance(report.threshold, dict) else {}
    else:
        sections = {"hash": report.hash, "title": report.title, "image": report.image}
        values = {name: section.threshold for name, section in sections.items() if section is not None}
        if len(signals) > 1 or not set(signals) <= set(values):
            wanted, judged = ",".join(signals), ",".join(report.signals)
            raise SettingsError(
                f"{path} judges {judged}; `pricematch evaluate --signals {wanted}` picks thresholds for {wanted}"
            )
    try:
        return {signal: meant(signal, values[signal]) for signal in signals}
    except KeyError as error:
        raise SettingsError(f"{path}: threshold: expected one for {error.args[0]}, got none") from error
    except ValueError as error:
        raise SettingsError(f"{path}: threshold: {error}") from error


class _Section(BaseModel):
    """What is read of one signal."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    threshold: float | None


class _Report(BaseModel):
    """What is read of a report."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    version: int = 1
    signals: list[Literal["hash", "title", "image"]]
    postings: int | None = None
    threshold: float | dict[str, float | None] | None
    hash: _Section | None = None
    title: _Section | None = None
    image: _Section | None = None


def _read(path: Path) -> _Report:
    try:
        report = _Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); `pricematch evaluate` writes one") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "the whole file"
        raise SettingsError(f"{path}: expected a report of `pricematch evaluate`: {place}: {fault['msg']}") from error
    if not 1 <= report.version <= REPORT_VERSION:
        raise SettingsError(
            f"{path}: version: expected 1 to {REPORT_VERSION}, got {report.version}: a newer version of "
            "pricematch wrote it"
        )
    return report
