"""What became different in a catalogue since a version of it."""

import sqlite3

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Changes, FeedbackChange, PostingChange
from pricematch.store.sqlite.revisions import version_since

_POSTINGS = """
SELECT posting_id, revision, 1 AS there, image, title, image_phash, label_group FROM posting WHERE revision > ?1
UNION ALL SELECT posting_id, revision, 0, NULL, NULL, NULL, NULL FROM posting_gone WHERE revision > ?1
ORDER BY revision
"""
_VERDICTS = """
SELECT first, second, revision, decision FROM verdict WHERE revision > ?1
UNION ALL SELECT first, second, revision, NULL FROM verdict_gone WHERE revision > ?1
ORDER BY revision
"""


def changes_since(connection: sqlite3.Connection, since: int) -> Changes:
    """What is different now from what it was at version `since`; raises HistoryLost."""
    now = version_since(connection, since)
    if now == since:
        return Changes(now, (), ())
    postings = [_posting_change(*row) for row in connection.execute(_POSTINGS, (since,))]
    verdicts = [FeedbackChange(*row) for row in connection.execute(_VERDICTS, (since,))]
    return Changes(now, postings, verdicts)


def _posting_change(
    posting_id: str,
    revision: int,
    there: int,
    image: bytes | None,
    title: str,
    image_phash: str | None,
    label_group: str | None,
) -> PostingChange:
    if not there:
        return PostingChange(posting_id, revision, None)
    posting = Posting(posting_id, None if image is None else image.hex(), title, image_phash, label_group)
    return PostingChange(posting_id, revision, posting)
