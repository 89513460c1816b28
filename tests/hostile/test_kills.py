"""A service whose process group is killed while eight clients write: what was acknowledged is there, or its loss told.

`pytest -s -m long tests/hostile/test_kills.py` prints the figures.
"""

import csv
import http.client
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pricematch.errors import StoreDamaged
from pricematch.settings import Settings
from pricematch.store.backup import restore
from pricematch.store.sqlite.store import DATABASE, open_store
from pricematch.store.verify import verify
from tests.support.fakes import COLOURS, image_bytes
from tests.support.feeds import Replica
from tests.support.matchers import export_matcher
from tests.support.products import check_products
from tests.support.served import titles_and_hashes
from tests.support.stores import check_whole, everything
from tests.support.waiting import SAFETY_SECONDS, eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
CLIENTS, IDS = 8, 10
IMAGES = [image_bytes(colour) for colour in COLOURS]


def pricematch(*arguments: str, log: Path) -> "subprocess.Popen[bytes]":
    """A command in a process group of its own."""
    command = [sys.executable, "-m", "pricematch", *arguments]
    with log.open("ab") as file:
        return subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, start_new_session=True)


class Service:
    """`pricematch serve` over a folder, which can be killed with all of its processes."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.log.write_bytes(b"")
        paths = [f"--{name}={folder / place}" for name, place in (("data", "data"), ("models", "models"))]
        self.process = pricematch("serve", *paths, f"--catalogue={folder / 'catalogue.csv'}", "--port=0", log=self.log)
        eventually(lambda: b"starting at http://127.0.0.1:" in self.log.read_bytes() or self._ended())
        self.port = int(self.log.read_text().partition("http://127.0.0.1:")[2].partition(",")[0])
        eventually(lambda: self.ask("GET", "/readyz")[0] == 200 or self._ended())

    def _ended(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return False

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> tuple[int, Any]:
        """One request on a connection of its own: status and JSON."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=SAFETY_SECONDS)) as connection:
            connection.request(method, path, body, {"Content-Type": kind})
            response = connection.getresponse()
            content = response.read()
            return response.status, json.loads(content) if content.startswith((b"{", b"[")) else content

    def kill(self) -> None:
        """End the whole process group at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def service_of(folder: Path) -> Iterator[Service]:
    service = Service(folder)
    try:
        yield service
    finally:
        with suppress(ProcessLookupError):
            service.kill()


def form(*fields: tuple[str, bytes, str]) -> bytes:
    """A body of multipart/form-data, with `x` between its parts."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"
        for name, content, more in fields
    ]
    return b"".join([*parts, b"--x--\r\n"])


FORM = "multipart/form-data; boundary=x"
Change = tuple[str, str | None]
"""A posting or verdict by its path, and its title or decision; None: deleted."""


@dataclass
class Client:
    """Writes to postings and verdicts of its own until the service is gone.

    Attributes:
        known: what was acknowledged, by path.
        in_flight: the change that was not answered.
        acknowledged: how many changes were.
    """

    number: int
    draw: random.Random
    known: dict[str, str] = field(default_factory=dict)
    in_flight: Change | None = None
    acknowledged: int = 0

    def write(self, service: Service) -> None:
        with suppress(OSError, http.client.HTTPException):
            while True:
                self.in_flight = path, wanted = self._next()
                status, _ = self._send(service, path, wanted)
                if status in {200, 201, 204, 404}:
                    self.learn(self.in_flight)
                    self.acknowledged += 1
                self.in_flight = None

    def learn(self, change: Change) -> None:
        self.known = self._with(change)

    def _with(self, change: Change) -> dict[str, str]:
        path, value = change
        others = {each: known for each, known in self.known.items() if each != path}
        return others if value is None else {**others, path: value}

    def check(self, found: Mapping[str, str]) -> bool:
        """What was acknowledged is there, and of the change in flight all or nothing; whether that is there."""
        mine = {path: value for path, value in found.items() if f"/c{self.number}-" in path}
        if mine == self.known:
            return False
        assert self.in_flight is not None
        assert mine == self._with(self.in_flight)
        return True

    def _next(self) -> Change:
        one, other = sorted(self.draw.sample(range(IDS), 2))
        if self.draw.random() < 0.3:
            decision = self.draw.choice(["same", "different", None])
            path = f"/verdicts/c{self.number}-{one}/c{self.number}-{other}"
            stored = {f"/postings/c{self.number}-{each}" for each in (one, other)} <= self.known.keys()
            return path, decision if stored else None
        return f"/postings/c{self.number}-{one}", None if self.draw.random() < 0.3 else f"title {self.draw.random()}"

    def _send(self, service: Service, path: str, value: str | None) -> tuple[int, Any]:
        if value is None:
            return service.ask("DELETE", path)
        if path.startswith("/verdicts"):
            return service.ask("PUT", path, json.dumps({"verdict": value}).encode())
        if self.draw.random() < 0.5:
            return service.ask("PUT", path, json.dumps({"title": value}).encode())
        image = self.draw.choice(IMAGES)
        parts = form(("title", value.encode(), ""), ("image", image, '; filename="x"\r\nContent-Type: image/png'))
        return service.ask("PUT", path, parts, FORM)


def killed(times: int, *, at_length: int) -> pytest.MarkDecorator:
    """A test with so many `kills`, and with more of them at full length."""
    return pytest.mark.parametrize("kills", [times, pytest.param(at_length, marks=pytest.mark.long)])


def stored(folder: Path, *followers: Replica) -> dict[str, str]:
    """All that is in a store, as clients know it; raises StoreDamaged.

    Products are what their events say, and what the feed tells makes exactly what is stored: of nothing, and of what
    followers have.
    """
    with closing(open_store(folder, serve=True)) as store:
        check_whole(store)
        check_products(store.products)
        for replica in (Replica(), *followers):
            replica.read(store.feed, limit=50)
            replica.check(store)
        found = {f"/postings/{posting_id}": posting.title for posting_id, posting in everything(store).items()}
        return found | {f"/verdicts/{it.first}/{it.second}": it.decision for it in store.feedback.all_feedback()}


def made_at(folder: Path, before: Mapping[int, float]) -> dict[int, float]:
    """When each product was made, by its number; none of before was made again."""
    with closing(open_store(folder, serve=True)) as store:
        numbers = range(1, store.products.state().last_number + 1)
        found = {number: it.created_at for number in numbers if (it := store.products.product(number)) is not None}
    assert before.items() <= found.items()
    return found


def check_all_in_products(folder: Path, before: Mapping[int, float]) -> None:
    """Every stored posting is in a product, nothing else is, and no number was given twice."""
    with closing(open_store(folder, serve=True)) as store:
        check_products(store.products)
        assert store.products.members().keys() == everything(store).keys()
    made_at(folder, before)


def without_log(data: Path, damaged: Path, draw: random.Random) -> dict[str, str] | None:
    """What is in a killed service's folder when its log is lost, cut or altered; None where that is refused."""
    shutil.copytree(data, damaged)
    log = damaged / f"{DATABASE}-wal"
    content = bytearray(log.read_bytes())
    if content:
        place = draw.randrange(len(content))
        content[place] ^= 1 << draw.randrange(8)
        how = draw.choice(("lost", "cut", "altered"))
        log.unlink() if how == "lost" else log.write_bytes(content[:place] if how == "cut" else content)
    try:
        return stored(damaged)
    except StoreDamaged:
        return None


@killed(2, at_length=60)
def test_what_is_acknowledged_outlives_the_killed_service(tmp_path: Path, kills: int) -> None:
    """Fault F1: also where the log is lost with the process: then the start is refused, or nothing is missing.

    Products are what their events say after each kill, and after the next start each stored posting is in one. Whoever
    reads the feed, from the start or from where it was before the kill, has what is stored; no revision comes twice.
    """
    titles_and_hashes(tmp_path)
    draw, refused, more, numbers, follower = random.Random(60), 0, 0, dict[int, float](), Replica()
    clients = [Client(number, random.Random(number)) for number in range(CLIENTS)]
    for _ in range(kills):
        with service_of(tmp_path) as service:
            threads = [threading.Thread(target=client.write, args=(service,)) for client in clients]
            for thread in threads:
                thread.start()
            time.sleep(draw.uniform(0.2, 1.5))
            service.kill()
            for thread in threads:
                thread.join()
        left = without_log(tmp_path / "data", tmp_path / "damaged", draw)
        refused += left is None
        found = stored(shutil.copytree(tmp_path / "data", tmp_path / "copy"), follower)
        numbers |= made_at(tmp_path / "copy", numbers)
        for client in clients:
            if left is not None:
                client.check(left)
            if (there := client.check(found)) and client.in_flight is not None:
                client.learn(client.in_flight)
            client.in_flight, more = None, more + there
        for folder in ("damaged", "copy"):
            shutil.rmtree(tmp_path / folder)
    with service_of(tmp_path) as service:
        for client in clients:
            postings = {path: title for path, title in client.known.items() if path.startswith("/postings")}
            assert {path: service.ask("GET", path)[1]["title"] for path in postings} == postings
    check_all_in_products(tmp_path / "data", numbers)
    stored(tmp_path / "data", follower)
    made = sum(client.acknowledged for client in clients)
    assert made >= kills
    print(f"{kills} kills, {made} changes acknowledged, 0 lost, {more} more found; log lost: {refused} refused")
    print(f"{len(follower.seen)} changes told, {len(numbers)} products made")


@killed(1, at_length=15)
def test_an_import_goes_on_behind_a_kill(tmp_path: Path, kills: int) -> None:
    """Fault F1: every row of every import that was taken is stored once it is done."""
    titles_and_hashes(tmp_path)
    draw, expected, jobs, done = random.Random(15), dict[str, str](), set[str](), 0
    for number in range(kills + 1):
        with service_of(tmp_path) as service:
            if number == kills:
                eventually(lambda: all(service.ask("GET", f"/jobs/{job}")[1]["state"] == "done" for job in jobs))
                done = sum(service.ask("GET", f"/jobs/{job}")[1]["done"] for job in jobs)
                break
            rows = {f"i{number}-{row}": f"title {number} {row}" for row in range(400)}
            file = io.StringIO()
            csv.writer(file).writerows([("posting_id", "image", "title"), *((name, "", rows[name]) for name in rows)])
            body = form(("postings", file.getvalue().encode(), '; filename="x.csv"'))
            status, job = service.ask("POST", "/postings/import", body, FORM)
            assert status in {202, 429}, job  # so many wait as may
            if status == 202:
                jobs.add(job["job_id"])
                expected |= rows
            time.sleep(draw.uniform(0, 0.5))
    check_all_in_products(tmp_path / "data", {})
    with closing(open_store(tmp_path / "data", serve=True)) as store:
        found = {name: posting.title for name, posting in everything(store).items() if name.startswith("i")}
    assert found == expected
    assert done == len(expected)
    print(f"{kills} kills in {len(jobs)} imports of 400 rows, {len(found)} rows stored, 0 lost")


@killed(1, at_length=15)
def test_a_killed_backup_or_activation_leaves_a_whole_store(tmp_path: Path, kills: int) -> None:
    """Fault F1: there is a whole backup or none; the version before is active, or the one that was to be."""
    titles_and_hashes(tmp_path)
    export_matcher(tmp_path / "models", ["hash", "title"], version="2")
    data, backup, draw = tmp_path / "data", tmp_path / "backup", random.Random(16)
    with closing(open_store(data)) as store:
        store.models.activate("matcher", "1")
    took, whole, activated = 3.0, 0, 0
    for number in range(2 * kills):
        version = "12"[number // 2 % 2]
        command = ["backup", str(backup)] if number % 2 else ["models", "activate", f"matcher/{version}"]
        paths = [f"--data={data}"] if number % 2 else [f"--data={data}", f"--models={tmp_path / 'models'}"]
        began = time.monotonic()
        process = pricematch(*command, *paths, log=tmp_path / "log")
        with suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(took / 3, took * 1.1))
            took = time.monotonic() - began
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if backup.exists():
            restore(Settings(data=tmp_path / "again"), backup, lambda *_: None)
            backup.unlink()
            whole += 1
        with closing(open_store(data, serve=True)) as store:
            assert store.models.active()["matcher"] in {"1", "2"}
            activated += store.models.active()["matcher"] == version and not number % 2
        assert not any(checked.faults for checked in verify(Settings(data=data), lambda *_: None))
    print(f"{kills} backups killed: {whole} whole, the others not there; {kills} activations: {activated} made")
