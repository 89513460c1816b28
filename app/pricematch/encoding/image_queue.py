"""Images that wait to be encoded: those of requests first, and which of them may be encoded together."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice
from typing import TypeAlias

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.errors import ImageError

MAX_BATCH = 4
"""Images that are encoded together, at most: more make nothing cheaper, and each would wait for more others."""
ImageResult: TypeAlias = ImageFeatures | ImageError
"""The features of an image, or why it is bad."""


class Company(IntEnum):
    """With whom an image may be encoded."""

    ALL = 0
    ITS_REQUEST = 1
    """A batch failed that it was in: the other requests are not to fail with its own."""
    NONE = 2
    """A process was lost with it: the other images are not to be lost with it."""


@dataclass(eq=False)
class WaitingImage:
    """One image that waits, or is being encoded.

    Attributes:
        image: its bytes.
        wanted: which features.
        request: number of its request.
        background: whether requests go before.
        result: gets the features, or an error.
        queued: when it came.
        company: with whom it may be encoded.
        losses: how many processes were lost with it.
    """

    image: bytes
    wanted: Wanted
    request: int
    background: bool
    result: "asyncio.Future[ImageResult]"
    queued: float = field(default_factory=time.perf_counter)
    company: Company = Company.ALL
    losses: int = 0

    def fail(self, error: Exception) -> None:
        """Let the request fail, unless nobody waits for it any more."""
        if not self.result.done():
            self.result.set_exception(error)

    def end(self, result: ImageResult) -> None:
        """Give the result, unless nobody waits for it any more."""
        if not self.result.done():
            self.result.set_result(result)


class ImageQueue:
    """Images of requests, and behind them those of the background. For one event loop."""

    def __init__(self) -> None:
        self._requests: OrderedDict[WaitingImage, None] = OrderedDict()
        self._background: OrderedDict[WaitingImage, None] = OrderedDict()

    @property
    def depth(self) -> int:
        """How many images of requests wait."""
        return len(self._requests)

    def add(self, items: Iterable[WaitingImage]) -> None:
        """Let these wait behind the others."""
        for item in items:
            self._of(item)[item] = None

    def add_first(self, items: Sequence[WaitingImage]) -> None:
        """Let those of these that somebody waits for go before the others, in their order."""
        for item in reversed(items):
            if not item.result.done():
                queue = self._of(item)
                queue[item] = None
                queue.move_to_end(item, last=False)

    def discard(self, items: Iterable[WaitingImage]) -> None:
        """Drop those of these that wait."""
        for item in items:
            self._of(item).pop(item, None)

    def fail_all(self, error: Exception, *, background: bool = True) -> None:
        """Let everything fail that waits, in the background too or not."""
        for item in (*self._requests, *(self._background if background else ())):
            item.fail(error)

    def take(self) -> Sequence[WaitingImage]:
        """The first images that may be encoded together, out of the queue; none if none waits."""
        queue = self._requests or self._background
        if not queue:
            return []
        first = next(iter(queue))
        batch = list(islice((item for item in queue if _together(first, item)), MAX_BATCH))
        for item in batch:
            del queue[item]
        return batch

    def _of(self, item: WaitingImage) -> OrderedDict[WaitingImage, None]:
        return self._background if item.background else self._requests


def _together(first: WaitingImage, other: WaitingImage) -> bool:
    if other.wanted != first.wanted or Company.NONE in (first.company, other.company):
        return first is other
    if Company.ITS_REQUEST in (first.company, other.company):
        return first.request == other.request
    return True
