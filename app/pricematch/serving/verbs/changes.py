"""Verbs on the feed of changes."""

from collections.abc import AsyncGenerator

from pricematch.catalogue.feed import ChangeKind, Position
from pricematch.serving.change_readers import ReadChanges
from pricematch.serving.results import ChangesRead
from pricematch.serving.verbs.verbs import Verbs


class ChangeVerbs(Verbs):
    """Read changes, and wait for them."""

    async def changes(
        self, since: Position, limit: int, kinds: frozenset[ChangeKind], wait_seconds: float
    ) -> ChangesRead:
        """The changes behind a position, up to the version that serves, once there are any, or none after some seconds.

        Raises HistoryLost, VersionUnknown, StoreError, and Overloaded where as many read changes as may.
        """
        return await self._readers.page(self.read_changes(limit, kinds), since, wait_seconds)

    def follow_changes(
        self, since: Position, limit: int, kinds: frozenset[ChangeKind]
    ) -> AsyncGenerator[ChangesRead, None]:
        """Pages of changes until the service stops, the first at once, and an empty one now and then; as `changes`."""
        return self._readers.pages(self.read_changes(limit, kinds), since, self.settings.heartbeat_seconds)

    def read_changes(self, limit: int, kinds: frozenset[ChangeKind]) -> ReadChanges:
        """Reads the changes behind a position that there are, up to the version that serves; for one reader."""
        backend = self._ready

        async def read(since: Position) -> ChangesRead:
            snapshot = backend.snapshot
            version, held = snapshot.version, snapshot.held.version
            asked = str(since), limit, kinds, version, held
            found = await self._readers.shared(
                asked, lambda: self._workers.store(backend.feed.changes, since, limit, kinds, held)
            )
            return ChangesRead(version, found)

        return read
