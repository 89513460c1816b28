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
