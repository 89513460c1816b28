"""How far webhooks were told of changes, in SQLite."""

from pricematch.catalogue.feed import Position
from pricematch.store.sqlite.checksums import insertion, opened, sealed, selected
from pricematch.store.sqlite.database import Database

_FIND = f"SELECT {selected('webhook')} FROM webhook WHERE url = ?"


class SqliteWebhooks:
    """Implements `service_ports.WebhookStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def position(self, url: str) -> Position | None:
        """See the port."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, (url,)).fetchone()
        return None if row is None else Position(*opened("webhook", row)[1:])

    def keep(self, url: str, position: Position) -> None:
        """See the port."""
        with self._database.write(witness=False) as connection:  # where it is lost they are told again
            row = sealed(url, position.revision, position.began)
            connection.execute(insertion("webhook", "INSERT OR REPLACE"), row)
