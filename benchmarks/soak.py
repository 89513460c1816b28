"""Do mixed clients get their answers for as long as one likes, and does the service's memory end growing?

    python benchmarks/soak.py [--minutes N] [--clients N] [--kill SECONDS] [--subject DIR]

Clients match images, titles and both, put and delete postings, say which are the same, cluster, review, read pages and
images, send what is no image, and hang up in the middle, each again once it is answered. Every minute the statuses,
p50 and p99 of that minute and the resident memory of the service and of each process that encodes are printed. With
`--kill` one of those processes is killed every so many seconds.
"""

import argparse
import csv
import http.client
import json
import os
import random
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from catalogues import Subject, matcher_subject, titles
from live import command, free_port, started

SEED = 0
GONE = "hung up"
FORM = "multipart/form-data; boundary=soak"
BAD = [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(100), b"\xff\xd8\xff" + bytes(5000)]
WEIGHTS = {"image": 30, "title": 20, "both": 20, "put": 8, "delete": 4, "feedback": 4, "cluster": 1}
WEIGHTS |= {"review": 1, "page": 3, "matches": 8, "stored_image": 3, "bad": 5, "hang_up": 3}


class Answers:
    """Counts answers, for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.statuses: Counter[str] = Counter()
        self.milliseconds: list[float] = []

    def add(self, status: int | str, milliseconds: float) -> None:
        """Count one."""
        with self._lock:
            self.statuses[str(status)] += 1
            self.milliseconds.append(milliseconds)

    def taken(self) -> "Answers":
        """What was counted since the last time."""
        with self._lock:
            found = Answers()
            found.statuses, found.milliseconds = self.statuses, self.milliseconds
            self.statuses, self.milliseconds = Counter(), []
            return found


class Client:
    """Asks what its luck says.

    Args:
        port: of the service.
        number: names its postings, and seeds its luck.
        content: images and their titles.
        ids: of the catalogue.
        answers: counts them.
    """

    def __init__(
        self, port: int, number: int, content: Sequence[tuple[bytes, str]], ids: Sequence[str], answers: Answers
    ) -> None:
        self._port, self._number, self._content, self._ids, self._answers = port, number, content, ids, answers
        self._luck = random.Random(SEED + number)  # noqa: S311 — draws requests
        self._connection = self._new()

    def run(self, until: float) -> None:
        """Ask until then."""
        kinds: dict[str, Callable[[bytes, str], None]] = {name: getattr(self, name) for name in WEIGHTS}
        while time.monotonic() < until:
            [kind] = self._luck.choices([*kinds], [*WEIGHTS.values()])
            image, title = self._luck.choice(self._content)
            began = time.perf_counter()
            try:
                kinds[kind](image, title)
            except (OSError, http.client.HTTPException) as error:
                self._answers.add(type(error).__name__, 1e3 * (time.perf_counter() - began))
                self._connection.close()
                self._connection = self._new()
        self._connection.close()

    def image(self, image: bytes, _: str) -> None:
        """Match an image."""
        self._ask("POST", "/match?limit=10", image, "image/jpeg")

    def title(self, _: bytes, title: str) -> None:
        """Match a title."""
        self._ask("POST", "/match?limit=10", json.dumps({"title": title}).encode())

    def both(self, image: bytes, title: str) -> None:
        """Match an image and its title."""
        self._ask("POST", "/match?limit=10", form(image, title), FORM)

    def put(self, image: bytes, title: str) -> None:
        """Store a posting."""
        self._ask("PUT", self._own(), form(image, title), FORM)

    def delete(self, _: bytes, __: str) -> None:
        """Remove one."""
        self._ask("DELETE", self._own())

    def feedback(self, _: bytes, __: str) -> None:
        """Say that two are the same, or take it back."""
        left, right = self._luck.sample(self._ids, 2)
        if self._luck.random() < 0.5:
            self._ask("PUT", f"/verdicts/{left}/{right}", b'{"verdict": "same"}')
        else:
            self._ask("DELETE", f"/verdicts/{left}/{right}")

    def cluster(self, _: bytes, __: str) -> None:
        """Cluster all."""
        self._ask("POST", "/cluster", b'{"posting_ids": "all", "method": "matcher"}')

    def review(self, _: bytes, __: str) -> None:
        """Which pairs feedback would teach most."""
        self._ask("GET", "/review?limit=20")

    def page(self, _: bytes, __: str) -> None:
        """Postings."""
        self._ask("GET", "/postings?limit=100")

    def matches(self, _: bytes, __: str) -> None:
        """The matches of a stored one."""
        self._ask("GET", f"/postings/{self._luck.choice(self._ids)}/matches")

    def stored_image(self, _: bytes, __: str) -> None:
        """The image of a stored one."""
        self._ask("GET", f"/postings/{self._luck.choice(self._ids)}/image")

    def bad(self, image: bytes, _: str) -> None:
        """What is no image, or half of one."""
        self._ask("POST", "/match", self._luck.choice([*BAD, image[: len(image) // 2]]), "image/jpeg")

    def hang_up(self, image: bytes, _: str) -> None:
        """Send an image, or a part of it, and go."""
        head = f"POST /match HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n"
        request = head.encode() + image
        self._connection.close()
        self._connection.connect()
        with suppress(ConnectionError):
            self._connection.sock.sendall(request[: self._luck.randrange(1, len(request) + 1)])
        self._connection.close()
        self._answers.add(GONE, 0.0)

    def _own(self) -> str:
        return f"/postings/soak_{self._number}_{self._luck.randrange(20)}"

    def _new(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)

    def _ask(self, method: str, path: str, body: bytes | None = None, media_type: str = "application/json") -> None:
        began = time.perf_counter()
        self._connection.request(method, path, body, {"Content-Type": media_type} if body is not None else {})
        response = self._connection.getresponse()
        response.read()
        self._answers.add(response.status, 1e3 * (time.perf_counter() - began))
        if response.status in {429, 503}:
            time.sleep(0.1)


def main() -> None:
    """Ask, and print."""
    options = parse_options()
    with chosen(options.subject) as measured:
        content = [(path.read_bytes(), title) for path, title in titles(measured)]
        ids = posting_ids(measured.catalogue)
        port, answers = free_port(), Answers()
        with started(command(measured, port), port) as process:
            end = time.monotonic() + 60 * options.minutes
            clients = [Client(port, number, content, ids, answers) for number in range(options.clients)]
            threads = [threading.Thread(target=client.run, args=(end,)) for client in clients]
            if options.kill:
                threads.append(threading.Thread(target=kill_workers, args=(process, options.kill, end)))
            for thread in threads:
                thread.start()
            total: Counter[str] = Counter()
            print("minute  requests     p50      p99      most  service  encoders (MiB)  statuses", flush=True)
            for minute in range(1, options.minutes + 1):
                time.sleep(max(0.0, end - 60 * (options.minutes - minute) - time.monotonic()))
                total += show(minute, answers.taken(), process)
            for thread in threads:
                thread.join()
            total += show(options.minutes, answers.taken(), process)
        print(f"all: {sum(total.values())} requests, {dict(sorted(total.items()))}")


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--kill", type=float, default=0, help="seconds between kills of a process that encodes")
    parser.add_argument("--subject", type=Path, help="folder with catalogue.csv, images and models; drawn if absent")
    return parser.parse_args()


@contextmanager
def chosen(folder: Path | None) -> Iterator[Subject]:
    """A catalogue with titles, and a matcher with its encoder: in a folder, or drawn and trained for this run."""
    if folder is None:
        with matcher_subject() as drawn:
            yield drawn
    else:
        yield Subject(folder / "catalogue.csv", folder / "images", folder / "models")


def posting_ids(catalogue: Path) -> list[str]:
    """Those of a catalogue."""
    with catalogue.open(encoding="utf-8", newline="") as file:
        return [row["posting_id"] for row in csv.DictReader(file)]


def form(image: bytes, title: str) -> bytes:
    """An image and its title as a form."""
    head = '--soak\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n\r\n'
    field = f'\r\n--soak\r\nContent-Disposition: form-data; name="title"\r\n\r\n{title}\r\n--soak--\r\n'
    return head.encode() + image + field.encode()


def show(minute: int, answers: Answers, process: int) -> "Counter[str]":
    """Print a line; the statuses in it."""
    times = sorted(answers.milliseconds) or [0.0]
    p50, p99 = statistics.median(times), times[int(0.99 * (len(times) - 1))]
    figures = f"{minute:6d} {len(times):9d} {p50:7.0f} {p99:8.0f} {times[-1]:9.0f} {resident(process):8.0f}"
    encoders = " ".join(f"{resident(worker):.0f}" for worker in workers(process))
    print(f"{figures}  {encoders:14s}  {dict(sorted(answers.statuses.items()))}", flush=True)
    return answers.statuses


def resident(process: int) -> float:
    """MiB that a process has in memory; 0 where it has ended."""
    with suppress(OSError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0


def workers(process: int) -> list[int]:
    """Ids of the processes that it has started."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return sorted(int(other) for thread in threads for other in (thread / "children").read_text().split())


def kill_workers(process: int, seconds: float, end: float) -> None:
    """Kill one after the other, until the end."""
    number = 0
    while time.monotonic() + seconds < end:
        time.sleep(seconds)
        if others := workers(process):
            with suppress(ProcessLookupError):
                os.kill(others[number % len(others)], signal.SIGKILL)
            number += 1


if __name__ == "__main__":
    main()
