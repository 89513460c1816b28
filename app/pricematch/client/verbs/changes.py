"""What has changed since a version, also as it comes."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from pricematch.client.calls import Call, Items, Listing, Pause, as_result, ask, listing, verb
from pricematch.client.errors import ConnectionFailed, DeadlineExceeded, Overloaded, Unavailable
from pricematch.client.results.changes import Changes

ChangeKind: TypeAlias = Literal["posting", "verdict", "product", "model"]
_PAGE = 1000
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


class ChangeVerbs:
    """What has changed?"""

    @verb
    def changes(
        self,
        since: str | int = 0,
        *,
        kinds: Sequence[ChangeKind] | None = None,
        wait: float = 0,
        limit: int = _PAGE,
    ) -> Call[Changes]:
        """A page of changes since a version or a `next_since`; where there are none it may wait some seconds.

        Raises HistoryLost where that is too long ago.
        """
        return _page(since, kinds, wait, limit)

    @listing
    def follow_changes(
        self,
        since: str | int = 0,
        *,
        kinds: Sequence[ChangeKind] | None = None,
        wait: float = 20,
        page_size: int = _PAGE,
    ) -> Listing[Changes]:
        """Pages of changes since a version or a `next_since`, as they are made, without an end.

        Once it has begun it goes on through restarts of the service. Store the `next_since` of each page, and go on
        from there. Raises HistoryLost where that is too long ago.
        """
        return _followed(since, kinds, wait, page_size)


def _followed(since: str | int, kinds: Sequence[ChangeKind] | None, wait: float, page_size: int) -> Listing[Changes]:
    has_begun, pause = False, _FIRST_PAUSE
    while True:
        try:
            page = yield from ask(_page(since, kinds, wait, page_size))
        except (ConnectionFailed, Unavailable, Overloaded, DeadlineExceeded):
            if not has_begun:
                raise
            yield Pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            continue
        if page.changes:
            yield Items([page])
        has_begun, pause, since = True, _FIRST_PAUSE, page.next_since


def _page(since: str | int, kinds: Sequence[ChangeKind] | None, wait: float, limit: int) -> Call[Changes]:
    query = {"since": since, "kinds": ",".join(kinds) if kinds else None, "wait": wait or None, "limit": limit}
    return Call(method="GET", path="/changes", read=as_result(Changes), query=query, waits=wait)
