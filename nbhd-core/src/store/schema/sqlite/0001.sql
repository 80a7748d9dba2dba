-- nbhd store, schema 1. Times are microseconds since 1970, UTC.

-- What the whole store is: one row.
--   min_reader, min_writer  the oldest schema whose code may read, or write, this file
--   last_seen               the latest time that any commit saw: the store's clock never goes back behind it
--   last_epoch              the epoch of the latest lease: of all lanes, so that lease rows need not be kept
CREATE TABLE state (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    schema      INTEGER NOT NULL,
    min_reader  INTEGER NOT NULL,
    min_writer  INTEGER NOT NULL,
    incarnation TEXT    NOT NULL,
    last_seen   INTEGER NOT NULL,
    last_epoch  INTEGER NOT NULL
) STRICT;

CREATE TABLE records (
    key        TEXT    NOT NULL UNIQUE,
    value      TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE INDEX records_by_end ON records (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE sums (
    key TEXT    PRIMARY KEY,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last sequence number that an index gave, and how many entries it has.
CREATE TABLE indexes (
    name     TEXT    PRIMARY KEY,
    sequence INTEGER NOT NULL,
    count    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
    name   TEXT    NOT NULL,
    member TEXT    NOT NULL,
    score  INTEGER NOT NULL,
    PRIMARY KEY (name, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_by_score ON entries (name, score, member);

CREATE TABLE leases (
    lane       TEXT    PRIMARY KEY,
    epoch      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_by_end ON leases (expires_at);

CREATE TABLE buckets (
    key     TEXT    PRIMARY KEY,
    missing INTEGER NOT NULL,
    unit    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    full_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX buckets_by_end ON buckets (full_at);

-- Answers of commits that had an op_id, so that they can be repeated.
CREATE TABLE ops (
    op_id  TEXT    PRIMARY KEY,
    answer TEXT    NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ops_by_time ON ops (at);
