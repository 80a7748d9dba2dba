-- From schema 0 to 1, beside processes of both: adds only. Who knows no buckets leaves none, and one that is not there is full.
CREATE TABLE buckets (
    key     TEXT    PRIMARY KEY,
    missing INTEGER NOT NULL,
    unit    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    full_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX buckets_by_end ON buckets (full_at);
