"""Answers that are kept so that a request which is sent again is not done again."""

import time

from pricematch.catalogue.records import KeptAnswer
from pricematch.store.sqlite.checksums import insertion, opened, sealed, selected
from pricematch.store.sqlite.database import Database

KEPT_SECONDS = 24 * 3600.0
KEPT_ANSWERS = 10_000


class SqliteAnswers:
    """Implements `service_ports.AnswerStore`: the last ten thousand answers of the last day."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def answer(self, key: bytes) -> KeptAnswer | None:
        """See the port."""
        with self._database.read() as connection:
            row = connection.execute(f"SELECT {selected('answer')} FROM answer WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        _, fingerprint, status, headers, body, at = opened("answer", row)
        return None if time.time() - at > KEPT_SECONDS else KeptAnswer(fingerprint, status, headers, body)

    def keep_answer(self, key: bytes, answer: KeptAnswer) -> None:
        """See the port."""
        now = time.time()
        values = (key, answer.fingerprint, answer.status, answer.headers, answer.body, now)
        with self._database.write() as connection:
            connection.execute(insertion("answer", "INSERT OR REPLACE"), sealed(*values))
            connection.execute("DELETE FROM answer WHERE at < ?", (now - KEPT_SECONDS,))
            connection.execute(
                "DELETE FROM answer WHERE at < (SELECT at FROM answer ORDER BY at DESC LIMIT 1 OFFSET ?)",
                (KEPT_ANSWERS - 1,),
            )
