BEGIN TRANSACTION;
CREATE TABLE active_model (name TEXT PRIMARY KEY, version TEXT NOT NULL, checksum BLOB) STRICT;
INSERT INTO "active_model" VALUES('cae','3',X'D2D0D17D581EA72B');
CREATE TABLE catalogue (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    version INTEGER NOT NULL,  -- grows by one with every change of a posting or verdict
    floor INTEGER NOT NULL     -- what is gone since an earlier version is no longer known
, identity TEXT NOT NULL DEFAULT '', changes INTEGER NOT NULL DEFAULT 0, product_number INTEGER NOT NULL DEFAULT 0, product_revision INTEGER NOT NULL DEFAULT 0, products_by TEXT NOT NULL DEFAULT '', event_floor INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "catalogue" VALUES(1,10,0,'8bf0a80b7ad5f79e249e54cbc7837c85',8,0,0,'',0);
CREATE TABLE computed_key (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    dimension INTEGER  -- of embeddings; NULL for hashes
, checksum BLOB) STRICT;
INSERT INTO "computed_key" VALUES(1,'cae',4,X'C10F2B049E77767F');
INSERT INTO "computed_key" VALUES(2,'phash',NULL,X'36ECF05AA2B0C5AA');
CREATE TABLE embedding (
    number INTEGER NOT NULL REFERENCES computed_key ON DELETE CASCADE,
    digest BLOB NOT NULL,
    value BLOB NOT NULL, checksum BLOB,  -- float32, little-endian
    UNIQUE (digest, number)
) STRICT;
INSERT INTO "embedding" VALUES(1,X'FE43A59C9B7273251ED29BE054E33774AAE15EE91B4D1B1E282E944386463120',X'5E291C3F2B8C43BF81EDFF3DB5C52DBE',X'DBA2CE5429BCD60D');
INSERT INTO "embedding" VALUES(1,X'A52E5CC49A20FD6F5625A2D1626CCBDC416FBC0B0248D876DB92EF09DB6A2125',X'FA555DBE46D8D2BDBAEE76BFE9D1E2BD',X'8B3956036433011F');
INSERT INTO "embedding" VALUES(1,X'55C26680797866DCE6E9E9873543480A18D3AA7C0CCDAA897B39C25831971579',X'670F80BE25EB753FB8AC853D81C5D0BD',X'FE6E5FB94A662F81');
CREATE TABLE hash (
    number INTEGER NOT NULL REFERENCES computed_key ON DELETE CASCADE,
    digest BLOB NOT NULL,
    value TEXT NOT NULL, checksum BLOB,
    UNIQUE (digest, number)
) STRICT;
INSERT INTO "hash" VALUES(2,X'FE43A59C9B7273251ED29BE054E33774AAE15EE91B4D1B1E282E944386463120','0000000000000000',X'260A8FC40CBEFA20');
INSERT INTO "hash" VALUES(2,X'A52E5CC49A20FD6F5625A2D1626CCBDC416FBC0B0248D876DB92EF09DB6A2125','0000000000000001',X'8BFB419D570A02B6');
INSERT INTO "hash" VALUES(2,X'55C26680797866DCE6E9E9873543480A18D3AA7C0CCDAA897B39C25831971579','0000000000000002',X'4ABEE7C857832853');
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
, created INTEGER NOT NULL DEFAULT 0, replaced INTEGER NOT NULL DEFAULT 0, unchanged INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, checksum BLOB) STRICT;
INSERT INTO "job" VALUES(1,'00000000000000000000000000000000','import','{}','running',3,9,0,NULL,1.79607817333221173291e+09,1.79607817333596348763e+09,2,0,0,1,X'2A925CE59DA4E546');
CREATE TABLE job_problem (
    number INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    row INTEGER NOT NULL,
    column TEXT,
    message TEXT NOT NULL
, posting_id TEXT, checksum BLOB) STRICT;
INSERT INTO "job_problem" VALUES(1,1,4,'title','too long','003',X'17C2E6D5AE047612');
CREATE TABLE posting (
    posting_id TEXT PRIMARY KEY,
    image BLOB CHECK (length(image) = 32),  -- SHA-256 of the picture
    title TEXT NOT NULL,
    image_phash TEXT,
    label_group TEXT,
    revision INTEGER NOT NULL UNIQUE
, checksum BLOB) STRICT;
INSERT INTO "posting" VALUES('000',X'FE43A59C9B7273251ED29BE054E33774AAE15EE91B4D1B1E282E944386463120','title 0 é',NULL,NULL,1,X'729B88D0477F37B7');
INSERT INTO "posting" VALUES('001',X'A52E5CC49A20FD6F5625A2D1626CCBDC416FBC0B0248D876DB92EF09DB6A2125','title 1 é',NULL,NULL,2,X'EAABB3969921B781');
INSERT INTO "posting" VALUES('002',X'55C26680797866DCE6E9E9873543480A18D3AA7C0CCDAA897B39C25831971579','title 2 é',NULL,NULL,3,X'03E522491B7B78EA');
INSERT INTO "posting" VALUES('003',X'FE43A59C9B7273251ED29BE054E33774AAE15EE91B4D1B1E282E944386463120','title 3 é',NULL,NULL,4,X'9A2129A9FFBFBC71');
INSERT INTO "posting" VALUES('004',NULL,'title 4 é',NULL,NULL,5,X'F22B1C46E91CC49B');
CREATE TABLE posting_gone (posting_id TEXT PRIMARY KEY, revision INTEGER NOT NULL UNIQUE) STRICT;
INSERT INTO "posting_gone" VALUES('005',7);
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
CREATE TABLE product_member (
    posting_id TEXT PRIMARY KEY,  -- of a posting that may be gone, until the product follows
    number INTEGER NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
CREATE TABLE verdict (
    first TEXT NOT NULL,
    second TEXT NOT NULL CHECK (first < second),
    decision TEXT NOT NULL CHECK (decision IN ('same', 'different')),
    revision INTEGER NOT NULL UNIQUE,
    decided_at REAL NOT NULL, checksum BLOB,
    PRIMARY KEY (first, second)
) STRICT;
INSERT INTO "verdict" VALUES('000','001','same',8,1.7960781732875885963e+09,X'8567B14654A0A935');
CREATE TABLE verdict_gone (
    first TEXT NOT NULL, second TEXT NOT NULL, revision INTEGER NOT NULL UNIQUE, PRIMARY KEY (first, second)
) STRICT;
INSERT INTO "verdict_gone" VALUES('001','002',10);
CREATE INDEX posting_by_image ON posting (image) WHERE image IS NOT NULL;
CREATE INDEX job_problem_by_job ON job_problem (job);
CREATE INDEX product_by_size ON product (size DESC, number) WHERE size > 0;
CREATE INDEX product_by_doubt ON product (doubt DESC, number) WHERE size > 0;
CREATE INDEX product_by_revision ON product (revision DESC, number) WHERE size > 0;
CREATE INDEX product_by_into ON product (into_number) WHERE into_number IS NOT NULL;
CREATE INDEX product_member_by_number ON product_member (number, posting_id);
CREATE INDEX product_event_by_number ON product_event (number, revision);
COMMIT;
