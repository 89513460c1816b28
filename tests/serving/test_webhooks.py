"""Webhooks are told of every change, in order, signed, and again until they take it."""

import asyncio
import hmac
import json
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pricematch.api.links import Links
from pricematch.api.schemas.changes import webhook_message
from pricematch.catalogue.feed import Position
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.errors import HistoryLost, SettingsError, StoreUnavailable
from pricematch.serving import webhooks
from pricematch.serving.backend import Backend
from pricematch.serving.service import Service
from pricematch.serving.webhooks import Webhooks, backoff, check_webhooks, signed
from pricematch.settings import Settings, load_settings
from pricematch.store.sqlite.store import Store, open_store
from tests.support.encoding import TinyEncoding
from tests.support.feeds import Replica
from tests.support.memory_store import MemoryStore
from tests.support.product_shop import ProductShop
from tests.support.receivers import OK, Answer, Received, Receiver, receiver
from tests.support.waiting import SAFETY_SECONDS

BYTES = bytes(range(32))
SECRET = f"whsec_{b64encode(BYTES).decode()}"


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@contextmanager
def shop_of(data: Path) -> Iterator[tuple[ProductShop, Store]]:
    """A catalogue that follows a store in a folder, whose products are kept."""
    from pricematch.encoding.stored_images import StoredImages

    with closing(open_store(data, serve=True)) as store:
        images = StoredImages(store.images, store.computed, TinyEncoding().encode, lambda *_: None)
        yield ProductShop(store.postings, store.feedback, store.products, store.feed, images, 0), store


@asynccontextmanager
async def told(shop: ProductShop, store: Store, *urls: str, **given: Any) -> AsyncIterator[Webhooks]:
    """Webhooks that are told without pauses, until the end of the block."""
    settings = {"webhooks": ",".join(urls), "webhook_secret": SECRET, "webhook_private_addresses": True, **given}
    service = Service(Settings(**settings))
    service.open(
        Backend(
            encode=TinyEncoding(),
            intake=shop.intake,
            products=shop.products,
            feed=store.feed,
            jobs=MemoryStore(),
            fields=store.fields,
            answers=store.answers,
            open_image=lambda name: (store.folder / name).open("rb"),
        )
    )
    found = Webhooks(service, store.webhooks, partial(webhook_message, links=Links()), lambda _: 0.001)
    found.begin()
    try:
        yield found
    finally:
        await found.aclose()
        service.close()


async def until(happens: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(SAFETY_SECONDS):
        while not happens():
            await asyncio.sleep(0.005)


def is_at(hooks: Webhooks, version: int) -> bool:
    """Whether the first webhook was told of everything up to a version."""
    return hooks.telling[0].position == Position(version)


def messages(hook: Receiver) -> list[Any]:
    return [json.loads(it.body) for it in hook.received]


def changes(hook: Receiver) -> list[Any]:
    """Of all messages, in the order in which they came."""
    return [change for message in messages(hook) for change in message["changes"]]


def test_a_webhook_is_told_what_comes_after_it_was_first_set(hook: Receiver, tmp_path: Path) -> None:
    """Not what was there; every message is a page, signed, with an id of its own."""

    async def run(shop: ProductShop, store: Store) -> None:
        shop.put("before", 0)
        async with told(shop, store, hook.url) as hooks:
            await until(lambda: hooks.telling[0].position is not None)
            for number in range(5):
                await asyncio.to_thread(shop.put, f"p{number}", 20 + 9 * number)
            last = shop.snapshots.current.held.version
            await until(lambda: hooks.telling[0].position == Position(last))
            await until(lambda: store.webhooks.position(hook.url) == Position(last))
        assert [it["posting_id"] for it in changes(hook) if it["kind"] == "posting"] == [f"p{it}" for it in range(5)]
        assert len([it for it in changes(hook) if it["kind"] == "product"]) == 5

    with shop_of(tmp_path) as (shop, store):
        asyncio.run(run(shop, store))
    for request in hook.received:
        check_signature(request)
        assert (request.method, request.path) == ("POST", "/hook?a=b")
        assert request.headers["content-type"] == "application/json"
        assert set(json.loads(request.body)) == {"catalogue_version", "changes", "next_since", "more"}
    identities = [it.headers["webhook-id"] for it in hook.received]
    assert len(set(identities)) == len(identities)


def check_signature(request: Received) -> None:
    """As Standard Webhooks checks it."""
    timestamp = request.headers["webhook-timestamp"]
    assert abs(time.time() - int(timestamp)) < 300
    content = b".".join([request.headers["webhook-id"].encode(), timestamp.encode(), request.body])
    version, _, signature = request.headers["webhook-signature"].partition(",")
    assert version == "v1"
    assert hmac.compare_digest(b64decode(signature), hmac.digest(BYTES, content, "sha256"))


def test_the_signature_is_that_of_the_specification() -> None:
    """Its own example."""
    secret = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "refused", [(500, {}, b""), (302, {"Location": "/"}, b""), (200, {"Content-Length": "9"}, b"")]
)
def test_what_was_not_taken_is_told_again(hook: Receiver, tmp_path: Path, refused: Answer) -> None:
    """The same message under the same id, however often, and only then the next one."""
    hook.answer = lambda _: refused if len(hook.received) % 4 else OK

    async def run(shop: ProductShop, store: Store) -> None:
        async with told(shop, store, hook.url) as hooks:
            await until(lambda: hooks.telling[0].position is not None)
            for number in range(3):
                await asyncio.to_thread(shop.put, f"p{number}", 20 * number)
                await until(partial(is_at, hooks, shop.snapshots.current.held.version))
        assert hooks.telling[0].failures == len(hook.received) - hooks.telling[0].messages > 0

    with shop_of(tmp_path) as (shop, store):
        asyncio.run(run(shop, store))
    taken = [hook.received[place] for place in range(3, len(hook.received), 4)]
    for first in range(0, len(hook.received), 4):
        attempts = hook.received[first : first + 4]
        assert len({it.headers["webhook-id"] for it in attempts}) == len({it.body for it in attempts}) == 1
    revisions = [it["revision"] for request in taken for it in json.loads(request.body)["changes"]]
    assert revisions == sorted(set(revisions))
    assert len(revisions) == 6


def test_nothing_is_skipped_through_restarts_and_failures(hook: Receiver, tmp_path: Path) -> None:
    """A receiver that takes every second message, of a service that is stopped at any time, has what is stored."""
    hook.answer = lambda _: OK if len(hook.received) % 2 else (503, {}, b"")

    async def run(shop: ProductShop, store: Store, number: int, *, settled: bool) -> None:
        async with told(shop, store, hook.url) as hooks:
            await until(lambda: hooks.telling[0].position is not None)
            for step in range(6):
                await asyncio.to_thread(shop.put, f"p{(number + step) % 9}", 7 * ((number * step) % 9), str(number))
            await asyncio.to_thread(shop.intake.remove, f"p{number}")
            if settled:
                last = shop.snapshots.current.held.version
                await until(lambda: hooks.telling[0].position == Position(last))

    for number in range(5):
        with shop_of(tmp_path) as (shop, store):
            asyncio.run(run(shop, store, number, settled=number == 4))
    with closing(open_store(tmp_path)) as store:
        replica, expected = dict[str, int](), Replica()
        expected.read(store.feed)
        for change in changes(hook):
            if change["kind"] == "posting" and change["change"] == "put":
                replica[change["posting_id"]] = change["revision"]
            elif change["kind"] == "posting":
                replica.pop(change["posting_id"], None)
        assert replica.keys() == expected.postings.keys()
        stored = {it: store.postings.get(it) for it in replica}
        assert replica == {it: one.revision for it, one in stored.items() if one is not None}


def test_lost_history_is_told_with_where_it_goes_on(
    hook: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(shop: ProductShop, store: Store) -> None:
        changes_of, lost = store.feed.changes, list[int]()

        def forgetful(since: Position, *given: Any, **named: Any) -> Any:
            if given and not lost:  # it is the webhook that reads
                lost.append(since.revision)
                raise HistoryLost("forgotten", shop.snapshots.current.held.version)
            return changes_of(since, *given, **named)

        shop.put("a", 0)
        monkeypatch.setattr(store.feed, "changes", forgetful)
        async with told(shop, store, hook.url) as hooks:
            await until(lambda: hooks.telling[0].messages == 1)
            await asyncio.to_thread(shop.put, "b", 60)
            await until(lambda: hooks.telling[0].messages == 2)

    with shop_of(tmp_path) as (shop, store):
        asyncio.run(run(shop, store))
    first, second = messages(hook)
    start = first["changes"][0]["start_at"]
    assert first["changes"] == [{"revision": start, "kind": "history", "change": "lost", "start_at": start}]
    assert first["next_since"] == str(start)
    assert second["changes"][0]["revision"] > start


def test_a_position_that_cannot_be_kept_stops_nothing(
    hook: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged; after the next start it may be told again."""

    async def run(shop: ProductShop, store: Store) -> None:
        def full(*_: object) -> None:
            raise StoreUnavailable("read-only")

        monkeypatch.setattr(store.webhooks, "keep", full)
        async with told(shop, store, hook.url) as hooks:
            await until(lambda: hooks.telling[0].position is not None)
            for posting_id, bits in (("a", 0), ("b", 60)):
                await asyncio.to_thread(shop.put, posting_id, bits)
            await until(lambda: len(changes(hook)) == 4)

    with shop_of(tmp_path) as (shop, store):
        asyncio.run(run(shop, store))
    assert "how far it was told is not kept: read-only" in caplog.text


def test_private_addresses_are_not_told_unless_allowed(
    hook: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(shop: ProductShop, store: Store) -> None:
        async with told(shop, store, hook.url, webhook_private_addresses=False) as hooks:
            await until(lambda: hooks.telling[0].position is not None)
            await asyncio.to_thread(shop.put, "a", 0)
            await until(lambda: hooks.telling[0].failures > 1)

    with shop_of(tmp_path) as (shop, store):
        asyncio.run(run(shop, store))
    assert hook.received == []
    assert "127.0.0.1 is at 127.0.0.1, which is not public" in caplog.text


def test_webhooks_do_not_wait_for_each_other(hook: Receiver, tmp_path: Path) -> None:
    """One that is not there costs the others nothing."""

    async def run(shop: ProductShop, store: Store) -> None:
        async with told(shop, store, "http://127.0.0.1:9/", hook.url) as hooks:
            await until(lambda: all(it.position is not None for it in hooks.telling))
            shop.intake.store.put([Put(Posting("a", None, "x"))])
            await asyncio.to_thread(shop.snapshots.complete)
            await until(lambda: hooks.telling[1].messages > 0 and hooks.telling[0].failures > 1)
            assert [it.name for it in hooks.telling] == ["1 127.0.0.1", "2 127.0.0.1"]

    with shop_of(tmp_path) as (shop, store):
        asyncio.run(run(shop, store))
    assert changes(hook)[0]["posting_id"] == "a"


def test_pauses_grow_to_an_hour() -> None:
    """Each between the half and the whole of twice the one before."""
    for failures in range(40):
        longest = min(3600, 2**failures)
        assert all(longest / 2 <= backoff(failures) <= longest for _ in range(20))
    assert webhooks._LONGEST_PAUSE == 3600


@pytest.mark.parametrize(
    "url", ["shop.example", "ftp://shop.example/", "https:///x", "https://a:b@shop.example/", "https://shop.example/#a"]
)
def test_what_is_no_webhook_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^webhooks\.0: .*expected http:// or https://"):
        load_settings(webhooks=url)


@pytest.mark.parametrize("secret", ["x", "whsec_", "whsec_x", f"whsec_{b64encode(bytes(8)).decode()}", SECRET[6:]])
def test_a_secret_of_another_form_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"webhook_secret: .*expected whsec_ and Base64 of 24") as caught:
        load_settings(webhook_secret=secret)
    assert "got" not in str(caught.value)


def test_webhooks_need_a_secret() -> None:
    check_webhooks(load_settings())
    check_webhooks(load_settings(webhooks="https://shop.example/", webhook_secret=SECRET))
    with pytest.raises(SettingsError, match="PRICEMATCH_WEBHOOK_SECRET"):
        check_webhooks(load_settings(webhooks="https://shop.example/"))


def test_a_webhook_is_told_of_its_namespace_alone() -> None:
    """An entry without a name is of the default one; that of a URL is no name."""
    entries = "https://a.example/x,shop-a=https://b.example/?q=1,shop-a=http://c.example,https://d.example/?shop-a=1"
    settings = load_settings(webhooks=entries)
    assert settings.webhooks_of("default") == ("https://a.example/x", "https://d.example/?shop-a=1")
    assert settings.webhooks_of("shop-a") == ("https://b.example/?q=1", "http://c.example")
    assert settings.webhooks_of("shop-b") == ()
    for name in ("default", "shop-a", "shop-b"):
        service = Service(settings, namespace=name)
        assert service.webhooks == settings.webhooks_of(name)
        service.close()
    for wrong in ("Shop=https://a.example", "shop-a=", "shop-a=ftp://a.example", "=https://a.example"):
        with pytest.raises(SettingsError, match="a namespace and ="):
            load_settings(webhooks=wrong)
