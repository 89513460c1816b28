"""How often each of many may do something: token buckets, on a clock that nobody sets."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MAX_CALLERS = 10_000
"""Beyond, the one that asked longest ago is forgotten, so that memory does not grow with callers."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class Rates:
    """A bucket of tokens for each caller, which holds `burst` and gets `per_second`. For one thread only."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        max_callers: int = MAX_CALLERS,
    ) -> None:
        self._per_second, self._burst = per_second, burst
        self._clock, self._max_callers = clock, max_callers
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: Hashable) -> float:
        """Take a token of the caller's; returns 0, or the seconds until there is one, and then nothing was taken."""
        now = self._clock()
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(self._burst, now)
            if len(self._buckets) > self._max_callers:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(caller)
            bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled) * self._per_second)
            bucket.filled = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._per_second
        bucket.tokens -= 1
        return 0.0
