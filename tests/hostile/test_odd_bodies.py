"""Metadata, images as texts, URLs and many changes at once, nearly right or not at all: each is answered or refused."""

import json
import random
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.support.applications import served_app
from tests.support.contract import assert_still_answers, client_of
from tests.support.fakes import image_bytes
from tests.support.http_bytes import FORM, field, file, form
from tests.support.served import settings_of

RED = image_bytes("#ff0000")
IDS = ("p0", "p1", "new", "é", "..", "%00", "\ud800", "", "x" * 200)
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a service over a store, which would fetch images of this machine if they were at public addresses."""
    settings = settings_of(tmp_path_factory.mktemp("odd"), image_hosts="127.0.0.1,localhost,::1", access_log=False)
    with served_app(settings) as app, client_of(app) as client:
        yield client


def value(rng: random.Random, depth: int = 0) -> Any:
    """Something that JSON can hold, and some that it cannot."""
    if depth > 6 or rng.random() < 0.4:
        odd = [None, True, 0, -1.5, 10**400, float("nan"), float("inf"), "", "acme", "\ud800", "\0", "é" * 300, "$set"]
        return rng.choice(odd)
    if rng.random() < 0.3:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    names = ("price", "seller", "a.b", "$a", "", "\ud800", "x" * 120, "size", "size")
    return {rng.choice(names): value(rng, depth + 1) for _ in range(rng.randrange(5))}


def image(rng: random.Random) -> Any:
    """An image as a text, whole, cut, changed, or something else."""
    text = b64encode(RED).decode()
    ways = (
        lambda: text,
        lambda: f"data:image/png;base64,{text}",
        lambda: text[: rng.randrange(len(text))],
        lambda: text.replace(text[rng.randrange(len(text))], rng.choice("-_é=\0 ")),
        lambda: f"data:{rng.choice(['', ',', ';', 'a' * 300, ';base64', 'x/y;a=b'])};base64,{text}",
        lambda: b64encode(rng.randbytes(rng.randrange(60))).decode(),
        lambda: value(rng),
    )
    return rng.choice(ways)()


def url(rng: random.Random) -> Any:
    """A URL that leads inside, or is none."""
    schemes = ("http://", "https://", "HTTP://", "ftp://", "file://", "gopher://", "//", "http:", "javascript:", "")
    users = ("", "a@", "a:b@", "127.0.0.1@", "%40@")
    hosts = (
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:7f00:1]",
        "0x7f.1",
        "2130706433",
        "127.1",
        "é.example",
        "",
        "[",
        "a b",
    )
    ports = ("", ":0", ":80", ":65536", ":x", ":-1", ":99999999999")
    paths = ("", "/", "/a?b#c", "/\0", "/é", "\\", "/%zz", "/" + "a" * 3000)
    return rng.choice((lambda: "".join(map(rng.choice, (schemes, users, hosts, ports, paths))), lambda: value(rng)))()


def several(rng: random.Random, one: Callable[[random.Random], Any]) -> Any:
    """One of a kind; or a list of none, some, too many, with nothing or another list among them."""
    if rng.random() < 0.5:
        return one(rng)
    each = [one(rng) for _ in range(rng.choice((0, 1, 2, 3, 8, 9, 40)))]
    return rng.choice((each, [*each, None], [None, *each], [each], [*each, each], {"0": each}, [*each, {}]))


def posting(rng: random.Random) -> dict[str, Any]:
    """Fields of a posting, some of them odd."""
    ways: dict[str, Callable[[], Any]] = {
        "title": lambda: rng.choice(["kopi", "", None, 7, "\ud800", "x" * 2000]),
        "metadata": lambda: value(rng),
        "image": lambda: several(rng, image),
        "image_url": lambda: several(rng, url),
        "label_group": lambda: value(rng, 6),
        "colour": lambda: 1,
    }
    return {name: make() for name, make in ways.items() if rng.random() < 0.35}


def ask(client: TestClient, seed: int) -> None:
    rng = random.Random(seed)
    what = rng.randrange(8)
    if what == 0:
        method, path, body = rng.choice(["PUT", "PATCH"]), "/postings/new", posting(rng)
    elif what == 1:
        ops = ("put", "patch", "delete", "move", 1)
        items = [
            {"op": rng.choice(ops), "posting_id": rng.choice(IDS), **posting(rng)} for _ in range(rng.randrange(4))
        ]
        method, path, body = "POST", "/postings:batch", {"items": items if rng.random() < 0.9 else value(rng)}
    elif what == 2:
        method, path, body = "POST", "/match", {**posting(rng), **rng.choice([{}, {"images": [image(rng)]}])}
    elif what == 3:
        sides = [{**posting(rng), **rng.choice([{}, {"posting_id": rng.choice(IDS)}])} for _ in range(2)]
        method, path, body = "POST", "/compare", {"left": sides[0], "right": sides[1]}
    elif what == 4:
        pairs = [{"left": rng.choice(IDS), "right": rng.choice(IDS), "decision": rng.choice(["same", "x"])}]
        method, path, body = "POST", "/verdicts:batch", {"decisions": pairs, "note": value(rng, 6), "preview": True}
    elif what == 5:
        method, path, body = "POST", "/cluster", {"posting_ids": ["p0"], "images": [image(rng)]}
    elif what == 6:
        answered(sent(client, *drawn_form(rng)), seed)
        return
    else:
        query = rng.choice(
            ["since=x", "since=-1", "since=0:0", "limit=0", "wait=nan", "kinds=a,b", "since=99999999999999"]
        )
        answered(client.get(f"/changes?{query}"), seed)
        return
    content = json.dumps(body, ensure_ascii=rng.random() < 0.7).encode("utf-8", "surrogatepass")
    answered(client.request(method, path, content=content, headers=JSON), seed)


def drawn_form(rng: random.Random) -> tuple[str, str, bytes, dict[str, str]]:
    """A form whose images are repeated, and other parts as well; its method, path and content type."""
    method, path = rng.choice(
        [("PUT", "/postings/new"), ("PATCH", "/postings/new"), ("POST", "/match"), ("POST", "/compare")]
    )
    names = ("image", "images", "image_url", "left_image", "right_image", "left_image_url", "title", "metadata", "x")
    parts = list[bytes]()
    for _ in range(rng.randrange(5)):
        name, count = rng.choice(names), rng.choice((1, 2, 3, 8, 9, 70))
        content = rng.choice((RED, RED, RED[:60], b"", b"http://localhost/", b"{}", b"\xff"))
        parts += [rng.choice((file, field))(name, content) for _ in range(count)]
    rng.shuffle(parts)
    return method, path, form(parts), {"Content-Type": FORM}


def sent(client: TestClient, method: str, path: str, content: bytes, headers: dict[str, str]) -> Response:
    return client.request(method, path, content=content, headers=headers)


def answered(response: Response, seed: int) -> None:
    """No answer says that the service failed, or what is inside."""
    assert response.status_code < 500, (seed, response.text)
    assert "127.0.0.1" not in response.text or response.status_code < 400, (seed, response.text)


@pytest.mark.slow
def test_any_body_is_answered_or_refused(client: TestClient) -> None:
    """A thousand drawn ones; none reaches what is inside, and the service goes on."""
    for seed in range(1_000):
        ask(client, seed)
    client.delete("/postings/new")
    assert_still_answers(client)


@pytest.mark.long
def test_ten_thousand_more_are(client: TestClient) -> None:
    for seed in range(1_000, 11_000):
        ask(client, seed)
