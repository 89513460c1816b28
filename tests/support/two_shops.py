"""A service with two shops beside the default namespace: the same ids of postings, and else nothing in common."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
from starlette.testclient import TestClient

from pricematch.api.app import create_app
from pricematch.client import Client, NewPosting, PricematchHTTPError
from pricematch.client.results import ProductChange
from tests.support.clients import URL, Through
from tests.support.contract import client_of
from tests.support.fakes import image_bytes
from tests.support.matchers import export_matcher
from tests.support.namespaces import keys_for, make_namespaces, served_namespaces
from tests.support.operations import POSTINGS
from tests.support.served import coloured

A, B = "shop-a", "shop-b"
KEYS, LINES = keys_for(
    of_a=("admin", A), of_b=("admin", B), of_all=("admin", "*"), of_default=("admin", "default"), reads_a=("read", A)
)


@dataclass(frozen=True)
class Things:
    """What a namespace has and the other one has not: ids, and the version of its images."""

    job: str
    batch: str
    product: str
    image: str


class Answers(Through):
    """Keeps what came back.

    Attributes:
        answers: in their order.
    """

    def __init__(self, client: TestClient) -> None:
        super().__init__(client)
        self.answers: list[httpx2.Response] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.answers.append(super().handle_request(request))
        return self.answers[-1]


@dataclass(frozen=True)
class Shops:
    """A service with two shops of the same posting ids.

    Attributes:
        http: asks it.
        file: of postings to import.
        of_b: what only the second one has.
    """

    http: TestClient
    file: Path
    of_b: Things

    def ask(self, verb: Callable[[Any], Any], key: str | None = None, namespace: str | None = None) -> Answers:
        """What is answered to the requests of a verb."""
        through = Answers(self.http)
        with Client(URL, None if key is None else KEYS[key], namespace=namespace, transport=through, attempts=1) as it:
            it.file = self.file  # type: ignore[attr-defined]  # verbs of operations read it
            with suppress(PricematchHTTPError):
                found = verb(it)
                if isinstance(found, Iterator):
                    list(found)
        return through

    def marks(self) -> list[str]:
        """Texts that are told of the second shop alone."""
        return ["bravo", B, *vars(self.of_b).values()]


def fill(http: TestClient, file: Path, key: str, mark: str, colours: list[str]) -> Things:
    """Give a shop postings, verdicts, a batch, a field, a job and kept answers, all of which say whose they are."""
    with Client(URL, KEYS[key], transport=Through(http)) as client:
        postings = [
            NewPosting(
                posting_id=f"p{row}",
                title=f"{mark}{row}",
                image=image_bytes(colour),
                metadata={f"{mark}field": mark, "seller": mark, "price": row},
            )
            for row, colour in enumerate(colours)
        ]
        assert all(it.outcome == "created" for it in client.put_many(postings))
        if mark == "bravo":
            client.put("only-bravo", "bravo alone", image_bytes("#808080"))
            list(
                client.put_many(
                    [NewPosting(posting_id=f"more-{row}", title=sha256(bytes([row])).hexdigest()) for row in range(40)]
                )
            )
        client.declare_field(f"{mark}field", "text")
        client.decide("p0", "p1", "same", by=f"{mark} person", note=f"{mark} note")
        batch = client.decide_batch([("p0", "p1", "different")], by=f"{mark} person")
        found = client.posting("p0")
        numbers = [int(it.product_id[1:]) for it in client.changes().changes if isinstance(it, ProductChange)]
        file.write_text(f"posting_id,image,title\n{mark}-imported,,{mark} imported\n")
        job = client.wait(client.import_postings(file))
        assert job.state == "done"
    assert kept(http, key, mark).is_success
    version = str(found.image_url).partition("v=")[2].partition("&")[0]
    return Things(job.job_id, batch.batch_id, f"p{max(numbers)}", version)


def kept(http: TestClient, key: str, mark: str, namespace: str | None = None) -> httpx2.Response:
    """What is answered to a request whose Idempotency-Key is the same in all shops."""
    path = "" if namespace is None else f"/namespaces/{namespace}"
    decided = {"decisions": [{"left": "p0", "right": "p1", "decision": "same"}], "by": f"{mark} kept"}
    headers = {**bearer(key), "Idempotency-Key": "the same everywhere"}
    return http.post(f"{path}/v1/verdicts:batch", json=decided, headers=headers)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[key]}"}


@contextmanager
def two_shops(folder: Path) -> Iterator[Shops]:
    """The service, ready until the end of the block."""
    settings = coloured(folder, ["hash", "title"], api_keys=LINES, refusals_at_once=10_000)
    make_namespaces(settings, A, B)
    export_matcher(settings.in_namespace(B).models, ["hash", "title"], version="22")
    (folder / "postings.csv").write_bytes(POSTINGS)
    with served_namespaces(settings) as namespaces, client_of(create_app(namespaces)) as http:
        fill(http, folder / "imported.csv", "of_a", "alfa", ["#123456", "#fedcba"])
        things = fill(
            http,
            folder / "imported.csv",
            "of_b",
            "bravo",
            ["#102030", "#203010", "#301020", "#405060"],
        )
        yield Shops(http, folder / "postings.csv", things)
