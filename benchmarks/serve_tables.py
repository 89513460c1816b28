"""Tables of what `serve.py` measured."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table
from services import SERVICE, Answered

OFFLINE = "offline"
LATENCY_AIMED = 3


@dataclass(frozen=True)
class Round:
    """What was measured in turn: images a second offline, and what each service answered."""

    offline: float
    answered: Mapping[str, Answered]

    def rate(self, name: str) -> float:
        """Images a second offline, or requests a second of a service."""
        return self.offline if name == OFFLINE else self.answered[name].measured.rate


def rates(
    title: str, rounds: Sequence[Round], memory: Mapping[str, float], aimed: Mapping[str, float], processor: str
) -> Table:
    """Requests a second, the median of the rounds' ratios, and what a request and the service took."""
    table = _table(f"{title}, {len(rounds)} rounds", processor)
    took = ("ms of a processor: service", "its processes", "MiB")
    for column in ("a second", "least", "most", "service / this", "aimed at", *took):
        table.add_column(column, justify="right")
    for name in (OFFLINE, *rounds[0].answered):
        values = [one.rate(name) for one in rounds]
        ratio = statistics.median(one.rate(SERVICE) / one.rate(name) for one in rounds)
        cells = [f"{value:.0f}" for value in (statistics.median(values), min(values), max(values))]
        cells += ["" if name == SERVICE else f"{ratio:.2f}", f"{aimed[name]:g}" if name in aimed else ""]
        if name != OFFLINE:
            answered = [one.answered[name] for one in rounds]
            cells.append(f"{statistics.median(one.own_ms for one in answered):.1f}")
            cells += [f"{statistics.median(one.started_ms for one in answered):.1f}", f"{memory[name]:.0f}"]
        table.add_row(name, *cells)
    return table


def latencies(title: str, answered: Mapping[str, Sequence[Answered]]) -> Table:
    """p50 and p99 over all rounds of each service, and their ratio."""
    table = _table(title, f"requests arrive at random; p99 / p50 of the service aimed at: at most {LATENCY_AIMED}")
    for column in ("requests a second", "p50 ms", "p99 ms", "p99 / p50"):
        table.add_column(column, justify="right")
    for name, rounds in answered.items():
        p50, p99 = _percentiles(rounds)
        rate = statistics.median(one.measured.rate for one in rounds)
        table.add_row(name, f"{rate:.1f}", f"{p50:.1f}", f"{p99:.1f}", f"{p99 / p50:.1f}")
    return table


def stages(title: str, rounds: Sequence[Mapping[str, float]]) -> Table:
    """Mean milliseconds of a request in each stage, by the service's own /metrics, medians of rounds."""
    table, cells = _table(title, ""), []
    for name in dict.fromkeys(name for one in rounds for name in one):
        table.add_column(name, justify="right")
        cells.append(f"{statistics.median(one.get(name, 0.0) for one in rounds):.2f}")
    table.add_row("ms of a request", *cells)
    return table


def grid(title: str, found: Mapping[tuple[str, int], Mapping[str, Answered]], processor: str) -> Table:
    """Requests a second by query and clients, and the service's latencies when clients ask again at once."""
    table = _table(f"{title}: requests a second", processor)
    names = list(next(iter(found.values())))
    ratios = [f"service / {name}" for name in names if name != SERVICE]
    for column in ("clients", *names, *ratios, "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for (query, clients), answered in found.items():
        rate = {name: one.measured.rate for name, one in answered.items()}
        cells = [str(clients), *(f"{rate[name]:.1f}" for name in names)]
        cells += [f"{rate[SERVICE] / rate[name]:.2f}" for name in names if name != SERVICE]
        table.add_row(query, *cells, *(f"{value:.1f}" for value in _percentiles([answered[SERVICE]])))
    return table


def _percentiles(rounds: Iterable[Answered]) -> tuple[float, float]:
    p50, p99 = np.percentile([it for one in rounds for it in one.measured.milliseconds], (50, 99))
    return float(p50), float(p99)


def _table(title: str, caption: str) -> Table:
    table = Table("", title=title, title_justify="left", caption=caption, caption_justify="left")
    table.columns[0].no_wrap = True
    return table
