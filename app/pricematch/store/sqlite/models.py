"""Which versions of models are to serve, in SQLite."""

from collections.abc import Mapping

from pricematch.store.sqlite.database import Database


class SqliteModels:
    """Implements `ports.ActiveModels`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def active(self) -> Mapping[str, str]:
        """See the port."""
        with self._database.read() as connection:
            return dict(connection.execute("SELECT name, version FROM active_model ORDER BY name"))

    def activate(self, name: str, version: str) -> None:
        """See the port."""
        with self._database.write() as connection:
            connection.execute("INSERT OR REPLACE INTO active_model VALUES (?, ?)", (name, version))
