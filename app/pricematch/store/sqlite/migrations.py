"""The tables of a store, version by version of its schema."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

_FIRST = """
CREATE TABLE catalogue (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    version INTEGER NOT NULL,  -- grows by one with every change of a posting or verdict
    floor INTEGER NOT NULL     -- what is gone since an earlier version is no longer known
) STRICT;
INSERT INTO catalogue VALUES (1, 0, 0);

CREATE TABLE posting (
    posting_id TEXT PRIMARY KEY,
    image BLOB CHECK (length(image) = 32),  -- SHA-256 of the picture
    title TEXT NOT NULL,
    image_phash TEXT,
    label_group TEXT,
    revision INTEGER NOT NULL UNIQUE
) STRICT;
CREATE INDEX posting_by_image ON posting (image) WHERE image IS NOT NULL;
CREATE TABLE posting_gone (posting_id TEXT PRIMARY KEY, revision INTEGER NOT NULL UNIQUE) STRICT;

CREATE TABLE verdict (
    first TEXT NOT NULL,
    second TEXT NOT NULL CHECK (first < second),
    decision TEXT NOT NULL CHECK (decision IN ('same', 'different')),
    revision INTEGER NOT NULL UNIQUE,
    decided_at REAL NOT NULL,
    PRIMARY KEY (first, second)
) STRICT;
CREATE TABLE verdict_gone (
    first TEXT NOT NULL, second TEXT NOT NULL, revision INTEGER NOT NULL UNIQUE, PRIMARY KEY (first, second)
) STRICT;

CREATE TABLE computed_key (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    dimension INTEGER  -- of embeddings; NULL for hashes
) STRICT;
CREATE TABLE embedding (
    number INTEGER NOT NULL REFERENCES computed_key ON DELETE CASCADE,
    digest BLOB NOT NULL,
    value BLOB NOT NULL,  -- float32, little-endian
    UNIQUE (digest, number)
) STRICT;
CREATE TABLE hash (
    number INTEGER NOT NULL REFERENCES computed_key ON DELETE CASCADE,
    digest BLOB NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (digest, number)
) STRICT;

CREATE TABLE active_model (name TEXT PRIMARY KEY, version TEXT NOT NULL) STRICT;

CREATE TABLE job (
    number INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    spec TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    done INTEGER NOT NULL,
    total INTEGER,
    cancelling INTEGER NOT NULL,
    reason TEXT,
    created_at REAL NOT NULL,
    changed_at REAL NOT NULL
) STRICT;
CREATE TABLE job_problem (
    number INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    row INTEGER NOT NULL,
    column TEXT,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX job_problem_by_job ON job_problem (job);
"""

_SECOND = """
ALTER TABLE job ADD COLUMN created INTEGER NOT NULL DEFAULT 0;  -- what became of the items that are done
ALTER TABLE job ADD COLUMN replaced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN unchanged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job_problem ADD COLUMN posting_id TEXT;
"""

_THIRD = """
ALTER TABLE catalogue ADD COLUMN identity TEXT NOT NULL DEFAULT '';   -- of this database, for its witness
ALTER TABLE catalogue ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;  -- grows by one with every transaction
UPDATE catalogue SET identity = lower(hex(randomblob(16))), changes = version > 0;
ALTER TABLE posting ADD COLUMN checksum BLOB;  -- of the columns that `checksums` names
ALTER TABLE verdict ADD COLUMN checksum BLOB;
ALTER TABLE active_model ADD COLUMN checksum BLOB;
ALTER TABLE job ADD COLUMN checksum BLOB;
ALTER TABLE job_problem ADD COLUMN checksum BLOB;
ALTER TABLE computed_key ADD COLUMN checksum BLOB;
ALTER TABLE embedding ADD COLUMN checksum BLOB;
ALTER TABLE hash ADD COLUMN checksum BLOB;
"""

_FOURTH = """
CREATE TABLE product (
    number INTEGER PRIMARY KEY CHECK (number > 0),
    size INTEGER NOT NULL CHECK (size >= 0),  -- 0: it is no more
    into_number INTEGER,                      -- of the product it merged into, which has not merged itself
    doubt REAL NOT NULL,
    created_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    revision INTEGER NOT NULL,                -- of its last event
    checksum BLOB NOT NULL
) STRICT;
CREATE INDEX product_by_size ON product (size DESC, number) WHERE size > 0;
CREATE INDEX product_by_doubt ON product (doubt DESC, number) WHERE size > 0;
CREATE INDEX product_by_revision ON product (revision DESC, number) WHERE size > 0;
CREATE INDEX product_by_into ON product (into_number) WHERE into_number IS NOT NULL;

CREATE TABLE product_member (
    posting_id TEXT PRIMARY KEY,  -- of a posting that may be gone, until the product follows
    number INTEGER NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
CREATE INDEX product_member_by_number ON product_member (number, posting_id);

CREATE TABLE product_event (
    revision INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('created', 'changed', 'split', 'merged', 'removed')),
    cause TEXT NOT NULL,
    joined TEXT NOT NULL,  -- posting_ids that came, as JSON
    gone TEXT NOT NULL,    -- those that left
    size INTEGER NOT NULL,
    into_number INTEGER,
    at REAL NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
CREATE INDEX product_event_by_number ON product_event (number, revision);

ALTER TABLE catalogue ADD COLUMN product_number INTEGER NOT NULL DEFAULT 0;    -- highest that a product ever had
ALTER TABLE catalogue ADD COLUMN product_revision INTEGER NOT NULL DEFAULT 0;  -- grows with every write of products
ALTER TABLE catalogue ADD COLUMN products_by TEXT NOT NULL DEFAULT '';         -- matcher that made them
ALTER TABLE catalogue ADD COLUMN event_floor INTEGER NOT NULL DEFAULT 0;       -- events up to this are forgotten
"""

_FIFTH = """
ALTER TABLE verdict ADD COLUMN decided_by TEXT;
ALTER TABLE verdict ADD COLUMN note TEXT NOT NULL DEFAULT '';
CREATE INDEX verdict_by_second ON verdict (second, first);
CREATE INDEX verdict_by_time ON verdict (decided_at, first, second);

CREATE TABLE verdict_batch (
    number INTEGER PRIMARY KEY,
    batch_id TEXT NOT NULL UNIQUE,
    decided_by TEXT,
    note TEXT NOT NULL,
    decided_at REAL NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    undone_at REAL,
    restored INTEGER NOT NULL,
    kept INTEGER NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
CREATE TABLE verdict_batch_item (
    batch INTEGER NOT NULL REFERENCES verdict_batch ON DELETE CASCADE,
    first TEXT NOT NULL,
    second TEXT NOT NULL CHECK (first < second),
    decision TEXT NOT NULL CHECK (decision IN ('same', 'different')),
    before_decision TEXT CHECK (before_decision IN ('same', 'different')),  -- NULL: nobody had decided
    before_at REAL,
    before_by TEXT,
    before_note TEXT,
    checksum BLOB NOT NULL,
    PRIMARY KEY (batch, first, second)
) STRICT;

ALTER TABLE job ADD COLUMN result TEXT;  -- JSON
"""

_SIXTH = """
ALTER TABLE posting ADD COLUMN metadata TEXT;  -- an object as canonical JSON; NULL where there is no field
"""

_FEED = """
ALTER TABLE active_model ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;  -- those of before are told as if chosen now
UPDATE active_model SET revision = (SELECT version FROM catalogue)
    + (SELECT count(*) FROM active_model AS other WHERE other.name <= active_model.name);
UPDATE catalogue SET version = version + (SELECT count(*) FROM active_model);
CREATE UNIQUE INDEX active_model_by_revision ON active_model (revision);

CREATE TABLE webhook (
    url TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,  -- it was told of all changes up to this
    began INTEGER NOT NULL,     -- version at which it began with nothing, while it has not come up to it
    checksum BLOB NOT NULL
) STRICT;
"""

_FIELDS = """
CREATE TABLE field (
    name TEXT PRIMARY KEY,  -- its path in metadata, or of a posting's own
    type TEXT NOT NULL CHECK (type IN ('number', 'text')),
    checksum BLOB NOT NULL
) STRICT;
"""

_ANSWERS = """
CREATE TABLE answer (  -- to requests with an idempotency key
    key BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    at REAL NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
CREATE INDEX answer_by_time ON answer (at);
"""

_EVIDENCE = """
ALTER TABLE field ADD COLUMN evidence INTEGER NOT NULL DEFAULT 0 CHECK (evidence IN (0, 1));
"""

_MORE_IMAGES = """
ALTER TABLE posting ADD COLUMN more_images BLOB  -- digests of those behind the first; NULL where there are none
    CHECK (more_images IS NULL OR (image IS NOT NULL AND length(more_images) > 0 AND length(more_images) % 32 = 0));
CREATE TABLE more_image (  -- which postings show an image behind their first: what `posting` says, made anew of it
    image BLOB NOT NULL,
    posting_id TEXT NOT NULL,
    PRIMARY KEY (image, posting_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX more_image_by_posting ON more_image (posting_id);
"""

MIGRATIONS = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH, _FEED, _FIELDS, _ANSWERS, _EVIDENCE, _MORE_IMAGES)
"""Statements that make version n + 1 of the schema out of version n; what is here never changes, more is appended."""
SEALED = 3
"""Version whose rows have checksums; those of an older store are taken for right."""
SEALED_BEFORE: Mapping[int, Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        5: {
            "verdict": ("first", "second", "decision", "revision", "decided_at"),
            "job": (
                *("job_id", "kind", "spec", "state", "done", "total", "cancelling", "reason", "created_at"),
                *("changed_at", "created", "replaced", "unchanged", "failed"),
            ),
        },
        6: {"posting": ("posting_id", "image", "title", "image_phash", "label_group", "revision")},
        7: {"active_model": ("name", "version")},
        10: {"field": ("name", "type")},
        11: {"posting": ("posting_id", "image", "title", "image_phash", "label_group", "revision", "metadata")},
    }
)
"""By the version that adds columns to tables, those that checksums covered before."""
