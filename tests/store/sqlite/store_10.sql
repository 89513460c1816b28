BEGIN TRANSACTION;
CREATE TABLE active_model (name TEXT PRIMARY KEY, version TEXT NOT NULL, checksum BLOB, revision INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "active_model" VALUES('cae','3',X'B05548F15AD87F89',11);
CREATE TABLE answer (  -- to requests with an idempotency key
    key BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    at REAL NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
INSERT INTO "answer" VALUES(X'6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B',X'6666666666666666666666666666666666666666666666666666666666666666',200,'{}',X'78',1.79611168748648762703e+09,X'07D1444345D52E61');
CREATE TABLE catalogue (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    version INTEGER NOT NULL,  -- grows by one with every change of a posting or verdict
    floor INTEGER NOT NULL     -- what is gone since an earlier version is no longer known
, identity TEXT NOT NULL DEFAULT '', changes INTEGER NOT NULL DEFAULT 0, product_number INTEGER NOT NULL DEFAULT 0, product_revision INTEGER NOT NULL DEFAULT 0, products_by TEXT NOT NULL DEFAULT '', event_floor INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "catalogue" VALUES(1,11,0,'30a453f81f1b626976d6eb756be721f8',9,2,1,'one',0);
CREATE TABLE computed_key (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    dimension INTEGER  -- of embeddings; NULL for hashes
, checksum BLOB) STRICT;
INSERT INTO "computed_key" VALUES(1,'cae',4,X'C10F2B049E77767F');
INSERT INTO "computed_key" VALUES(2,'pil',NULL,X'645FFE0F658306FB');
CREATE TABLE embedding (
    number INTEGER NOT NULL REFERENCES computed_key ON DELETE CASCADE,
    digest BLOB NOT NULL,
    value BLOB NOT NULL, checksum BLOB,  -- float32, little-endian
    UNIQUE (digest, number)
) STRICT;
INSERT INTO "embedding" VALUES(1,X'FE43A59C9B7273251ED29BE054E33774AAE15EE91B4D1B1E282E944386463120',X'0000003F0000003F0000003F0000003F',X'ED8C4B631DD10283');
CREATE TABLE field (
    name TEXT PRIMARY KEY,  -- its path in metadata, or of a posting's own
    type TEXT NOT NULL CHECK (type IN ('number', 'text')),
    checksum BLOB NOT NULL
, evidence INTEGER NOT NULL DEFAULT 0 CHECK (evidence IN (0, 1))) STRICT;
INSERT INTO "field" VALUES('price','number',X'316B813788149925',1);
CREATE TABLE hash (
    number INTEGER NOT NULL REFERENCES computed_key ON DELETE CASCADE,
    digest BLOB NOT NULL,
    value TEXT NOT NULL, checksum BLOB,
    UNIQUE (digest, number)
) STRICT;
INSERT INTO "hash" VALUES(2,X'FE43A59C9B7273251ED29BE054E33774AAE15EE91B4D1B1E282E944386463120','0000000000000000',X'260A8FC40CBEFA20');
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
, created INTEGER NOT NULL DEFAULT 0, replaced INTEGER NOT NULL DEFAULT 0, unchanged INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, checksum BLOB, result TEXT) STRICT;
INSERT INTO "job" VALUES(1,'47e4d9b1c128bad07ee185a29988e3bd','import','{}','queued',0,NULL,0,NULL,1.79611168749445486068e+09,1.79611168749445486068e+09,0,0,0,0,X'2950D7022A75AD7C',NULL);
CREATE TABLE job_problem (
    number INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    row INTEGER NOT NULL,
    column TEXT,
    message TEXT NOT NULL
, posting_id TEXT, checksum BLOB) STRICT;
CREATE TABLE posting (
    posting_id TEXT PRIMARY KEY,
    image BLOB CHECK (length(image) = 32),  -- SHA-256 of the picture
    title TEXT NOT NULL,
    image_phash TEXT,
    label_group TEXT,
    revision INTEGER NOT NULL UNIQUE
, checksum BLOB, metadata TEXT) STRICT;
INSERT INTO "posting" VALUES('000',X'FE43A59C9B7273251ED29BE054E33774AAE15EE91B4D1B1E282E944386463120','title 0 é',NULL,'g0',1,X'0BD45F55E2C6F2B5',NULL);
INSERT INTO "posting" VALUES('001',X'A52E5CC49A20FD6F5625A2D1626CCBDC416FBC0B0248D876DB92EF09DB6A2125','title 1 é','0000000000000001','g0',2,X'097C02F3BE538609','{"price":1}');
INSERT INTO "posting" VALUES('002',X'55C26680797866DCE6E9E9873543480A18D3AA7C0CCDAA897B39C25831971579','title 2 é',NULL,'g1',3,X'BD618EDC698C33A2',NULL);
INSERT INTO "posting" VALUES('003',X'FE43A59C9B7273251ED29BE054E33774AAE15EE91B4D1B1E282E944386463120','title 3 é','0000000000000003','g1',4,X'58E3AD52C0C80E66','{"price":3}');
INSERT INTO "posting" VALUES('004',NULL,'title 4 é',NULL,NULL,5,X'E5BEE9412200F9EE',NULL);
CREATE TABLE posting_gone (posting_id TEXT PRIMARY KEY, revision INTEGER NOT NULL UNIQUE) STRICT;
INSERT INTO "posting_gone" VALUES('gone',7);
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
INSERT INTO "product" VALUES(1,2,NULL,0.0,1.79611168745099186901e+09,1.79611168745099186901e+09,9,X'8B2BFD3152A228CE');
INSERT INTO "product" VALUES(2,2,NULL,0.0,1.79611168745099186901e+09,1.79611168745099186901e+09,10,X'1A54749C61E6B00E');
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
INSERT INTO "product_event" VALUES(9,1,'created','change','["000", "001"]','[]',2,NULL,1.79611168745099186901e+09,X'D6255477B2B1222E');
INSERT INTO "product_event" VALUES(10,2,'created','change','["002", "003"]','[]',2,NULL,1.79611168745099186901e+09,X'F9956B364B2877CD');
CREATE TABLE product_member (
    posting_id TEXT PRIMARY KEY,  -- of a posting that may be gone, until the product follows
    number INTEGER NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
INSERT INTO "product_member" VALUES('000',1,X'5EC578D3E1138EBD');
INSERT INTO "product_member" VALUES('001',1,X'38F3CFE5501A14B3');
INSERT INTO "product_member" VALUES('002',2,X'7880BCB8B49F301F');
INSERT INTO "product_member" VALUES('003',2,X'C7B7297FA745BFFA');
CREATE TABLE verdict (
    first TEXT NOT NULL,
    second TEXT NOT NULL CHECK (first < second),
    decision TEXT NOT NULL CHECK (decision IN ('same', 'different')),
    revision INTEGER NOT NULL UNIQUE,
    decided_at REAL NOT NULL, checksum BLOB, decided_by TEXT, note TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (first, second)
) STRICT;
INSERT INTO "verdict" VALUES('000','001','same',8,1.79611168744265103339e+09,X'733FE6F6AC2605DC','Ann','note é');
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
CREATE TABLE verdict_gone (
    first TEXT NOT NULL, second TEXT NOT NULL, revision INTEGER NOT NULL UNIQUE, PRIMARY KEY (first, second)
) STRICT;
CREATE TABLE webhook (
    url TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,  -- it was told of all changes up to this
    began INTEGER NOT NULL,     -- version at which it began with nothing, while it has not come up to it
    checksum BLOB NOT NULL
) STRICT;
INSERT INTO "webhook" VALUES('http://shop.example/',3,0,X'5B4ECC16AD21F6ED');
CREATE INDEX posting_by_image ON posting (image) WHERE image IS NOT NULL;
CREATE INDEX job_problem_by_job ON job_problem (job);
CREATE INDEX product_by_size ON product (size DESC, number) WHERE size > 0;
CREATE INDEX product_by_doubt ON product (doubt DESC, number) WHERE size > 0;
CREATE INDEX product_by_revision ON product (revision DESC, number) WHERE size > 0;
CREATE INDEX product_by_into ON product (into_number) WHERE into_number IS NOT NULL;
CREATE INDEX product_member_by_number ON product_member (number, posting_id);
CREATE INDEX product_event_by_number ON product_event (number, revision);
CREATE INDEX verdict_by_second ON verdict (second, first);
CREATE INDEX verdict_by_time ON verdict (decided_at, first, second);
CREATE UNIQUE INDEX active_model_by_revision ON active_model (revision);
CREATE INDEX answer_by_time ON answer (at);
COMMIT;
