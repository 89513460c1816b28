"""Tells webhooks of changes, in order and at least once, signed as Standard Webhooks has it."""

import asyncio
import hashlib
import hmac
import logging
import random
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias
from urllib.parse import urlsplit

from pricematch.catalogue.feed import EVERY_KIND, Position
from pricematch.errors import HistoryLost, OutgoingError, PricematchError, SettingsError, StoreError, VersionUnknown
from pricematch.serving.change_readers import Telling
from pricematch.serving.outgoing import Outgoing
from pricematch.serving.results import ChangesRead
from pricematch.serving.service import Service
from pricematch.settings import KIB, SECRET_PREFIX, Settings
from pricematch.store.service_ports import WebhookStore

Render: TypeAlias = Callable[[ChangesRead | HistoryLost], bytes]
"""Writes a message: a page of changes, or that those before a version are lost."""
_CHANGES = 100
"""Of a message, at most."""
_SECONDS = 20.0
_ANSWER_BYTES = 64 * KIB
_LONGEST_PAUSE = 3600.0
_draw = random.Random()  # noqa: S311 — spreads retries
_log = logging.getLogger("pricematch")


def check_webhooks(settings: Settings) -> None:
    """Raise SettingsError where webhooks are to be told and nothing signs that."""
    if settings.webhooks and not settings.webhook_secret.get_secret_value():
        raise SettingsError(
            "webhooks are set, and no webhook_secret: give PRICEMATCH_WEBHOOK_SECRET, "
            f"{SECRET_PREFIX} and Base64 of 24 to 64 random bytes"
        )


def backoff(failures: int) -> float:
    """Seconds until the next attempt after so many failures in a row: twice as many each time, an hour at most."""
    return min(_LONGEST_PAUSE, 2.0 ** min(failures, 12)) * _draw.uniform(0.5, 1.0)


class Webhooks:
    """Tells every webhook of the settings, each in a task of its own, from where it was told last.

    Args:
        service: whose changes they are told.
        store: keeps how far each was told.
        render: writes a message.
        pause: gives the seconds until the next attempt after so many failures.
    """

    def __init__(
        self, service: Service, store: WebhookStore, render: Render, pause: Callable[[int], float] = backoff
    ) -> None:
        settings = service.settings
        self._service, self._store, self._render, self._pause = service, store, render, pause
        self._secret = b64decode(settings.webhook_secret.get_secret_value().removeprefix(SECRET_PREFIX))
        private = settings.webhook_private_addresses
        self._outgoing = Outgoing(private=private, seconds=_SECONDS, max_bytes=_ANSWER_BYTES)
        self._tasks: Sequence[asyncio.Task[None]] = ()
        self.telling = [
            Telling(f"{place} {urlsplit(url).hostname}") for place, url in enumerate(service.webhooks, start=1)
        ]

    def begin(self) -> None:
        """Tell from now on."""
        self._service.telling = self.telling
        pairs = zip(self._service.webhooks, self.telling, strict=True)
        self._tasks = [asyncio.create_task(self._tell(url, telling)) for url, telling in pairs]

    async def aclose(self) -> None:
        """Stop; what was not taken yet is told again after the next start."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _tell(self, url: str, telling: Telling) -> None:
        """Tell a webhook for ever; what cannot be read or written now may be later."""
        failures = 0
        while True:
            try:
                await self._tell_next(url, telling)
                failures = 0
                continue
            except PricematchError as error:
                _log.warning("webhook %s cannot be told of changes now: %s", telling.name, error)
            except Exception:  # noqa: BLE001 — whatever it is, the next attempt may do better
                _log.exception("webhook %s cannot be told of changes now", telling.name)
            await asyncio.sleep(self._pause(failures))
            failures += 1

    async def _tell_next(self, url: str, telling: Telling) -> None:
        """Tell a webhook of the next page of changes, or wait for some."""
        if telling.position is None:
            known = await asyncio.to_thread(self._store.position, url)
            telling.position = known or Position(self._service.snapshot.held.version)
            if known is None:
                await self._keep(url, telling)
        arrival = self._service.arrivals.next()
        content, after = await self._message(telling.position)
        if content is None:
            telling.position = after
            await arrival.wait()
        else:
            await self._post(url, telling, content, after)
            telling.messages, telling.position = telling.messages + 1, after
            await self._keep(url, telling)

    async def _keep(self, url: str, telling: Telling) -> None:
        """Keep how far a webhook was told; where that cannot be done it may be told again after the next start."""
        if telling.position is not None:
            try:
                await asyncio.to_thread(self._store.keep, url, telling.position)
            except StoreError as error:
                _log.warning("webhook %s: how far it was told is not kept: %s", telling.name, error)

    async def _message(self, since: Position) -> tuple[bytes | None, Position]:
        """The next message behind a position, None where there is none, and the position behind it."""
        try:
            found = await self._service.read_changes(_CHANGES, EVERY_KIND)(since)
        except HistoryLost as error:
            return self._render(error), Position(error.start_at)
        except VersionUnknown as error:
            lost = HistoryLost("the store is another one", error.latest)
            return self._render(lost), Position(lost.start_at)
        return self._render(found) if found.page.changes else None, found.page.next

    async def _post(self, url: str, telling: Telling, content: bytes, after: Position) -> None:
        """Post a message until it is taken; the same id each time, since it is the same message."""
        digest = hashlib.sha256(content).hexdigest()[:16]
        identity, failures = f"msg_{after.revision}_{digest}", 0
        while True:
            headers = signed(self._secret, identity, int(time.time()), content)
            try:
                answer = await self._outgoing.post(url, content, headers)
                if answer.ok:
                    return
                reason = answer.reason
            except OutgoingError as error:
                reason = str(error)
            telling.failures += 1
            seconds = self._pause(failures)
            failures += 1
            _log.warning(
                "webhook %s did not take %s (%s); the next attempt, the %d., is in %.0f s",
                *(telling.name, identity, reason, failures + 1, seconds),
            )
            await asyncio.sleep(seconds)


def signed(secret: bytes, identity: str, timestamp: int, content: bytes) -> Mapping[str, str]:
    """The headers of a message, as Standard Webhooks 1.0.0 has them."""
    text = f"{identity}.{timestamp}.".encode() + content
    signature = b64encode(hmac.digest(secret, text, "sha256")).decode("ascii")
    return {
        "Content-Type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
