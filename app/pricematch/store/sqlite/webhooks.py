"""How far webhooks were told of changes, in SQLite."""

from pricematch.catalogue.feed import Position
from pricematch.store.sqlite.changes import version
from pricematch.store.sqlite.checksums import insertion, opened, sealed, selected
from pricematch.store.sqlite.database import Database

_FIND = f"SELECT {selected('webhook')} FROM webhook WHERE url = ?"


class SqliteWebhooks:
    """Implements `ports.WebhookStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def position(self, url: str) -> Position:
        """See the port."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, (url,)).fetchone()
            if row is not None:
                return Position(*opened("webhook", row)[1:])
            now = Position(version(connection))
        self.keep(url, now)
        return now

    def keep(self, url: str, position: Position) -> None:
        """See the port."""
        with self._database.write() as connection:
            row = sealed(url, position.revision, position.began)
            connection.execute(insertion("webhook", "INSERT OR REPLACE"), row)
