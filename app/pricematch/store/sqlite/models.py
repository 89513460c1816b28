"""Which versions of models are to serve, in SQLite."""

from collections.abc import Mapping

from pricematch.store.sqlite.changes import next_revision
from pricematch.store.sqlite.checksums import insertion, is_sound, opened, sealed, selected
from pricematch.store.sqlite.database import Database

_ACTIVE = f"SELECT {selected('active_model')} FROM active_model"


class SqliteModels:
    """Keeps which version of a model is to serve; raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def active(self) -> Mapping[str, str]:
        """Version by name of the models of which one was activated."""
        with self._database.read() as connection:
            rows = [opened("active_model", row) for row in connection.execute(f"{_ACTIVE} ORDER BY name")]
        return {name: version for name, version, _ in rows}

    def activate(self, name: str, version: str) -> None:
        """Let a version serve; the one that is active already keeps its revision."""
        with self._database.write() as connection:
            stored = connection.execute(f"{_ACTIVE} WHERE name = ?", (name,)).fetchone()
            if stored is None or not is_sound(stored) or stored[1] != version:
                row = sealed(name, version, next_revision(connection))
                connection.execute(insertion("active_model", "INSERT OR REPLACE"), row)
