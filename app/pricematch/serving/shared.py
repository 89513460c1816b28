"""What the services of all namespaces of a process share, so that its limits hold for all of them together."""

import asyncio
from dataclasses import dataclass, field
from threading import Lock

from pricematch.serving.backend import Workers
from pricematch.serving.change_readers import Places
from pricematch.serving.outgoing import Outgoing
from pricematch.settings import Settings

_FETCHES = 8
"""Images that are fetched at a time, which bounds the memory they take."""


@dataclass(frozen=True)
class Turns:
    """What one catalogue of a process does at a time, since it takes all the cores, or much memory.

    Attributes:
        scoring: whitening an encoder, or reading and scoring a catalogue anew.
        training: of a matcher.
    """

    scoring: Lock = field(default_factory=Lock)
    training: Lock = field(default_factory=Lock)


class Shared:
    """Threads, places and turns. What is computed for one namespace is kept for it alone, and is not in here.

    Attributes:
        workers: threads for the work of requests, and how many requests there may be.
        reading: places of whoever reads changes.
        outgoing: fetches images that requests name by URL, and
        fetches: bounds how many at a time.
        turns: of what goes on behind the requests.
    """

    def __init__(self, settings: Settings) -> None:
        self.workers = Workers(settings)
        self.reading = Places(settings.max_feed_readers)
        self.outgoing = Outgoing(
            private=settings.image_host_private_addresses,
            seconds=settings.fetch_seconds,
            max_bytes=settings.max_image_bytes,
            hosts=frozenset(settings.image_hosts),
        )
        self.fetches = asyncio.Semaphore(_FETCHES)
        self.turns = Turns()
