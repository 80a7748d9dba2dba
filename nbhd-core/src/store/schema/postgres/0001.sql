-- nbhd store, schema 1. Times are microseconds since 1970, UTC. Keys, members and values are bytes: `text` holds no
-- NUL, and bytes sort the same under every locale.
--
-- `nbhd.` stands for the schema that the address names.

-- What the whole store is: one row.
--   min_reader, min_writer  the oldest schema whose code may read, or write, this store
--   clock_shift             added to the server's clock: 0, except where a test moves the time of every process
CREATE TABLE nbhd.state (
    id          smallint PRIMARY KEY CHECK (id = 1),
    schema      integer  NOT NULL,
    min_reader  integer  NOT NULL,
    min_writer  integer  NOT NULL,
    incarnation text     NOT NULL,
    clock_shift bigint   NOT NULL DEFAULT 0
);

-- The latest time that commits saw, spread over rows so that commits which share no key do not wait for each other:
-- the store's clock never goes back behind the highest.
CREATE TABLE nbhd.seen (
    stripe integer PRIMARY KEY,
    at     bigint  NOT NULL
) WITH (fillfactor = 20);

-- Epochs of leases, of all lanes: what it gave, it never gives again, whatever is rolled back.
CREATE SEQUENCE nbhd.epochs AS bigint;

CREATE TABLE nbhd.records (
    key        bytea  PRIMARY KEY,
    value      bytea  NOT NULL,
    version    bigint NOT NULL,
    expires_at bigint
);
CREATE INDEX records_by_end ON nbhd.records (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE nbhd.sums (
    key bytea  PRIMARY KEY,
    sum bigint NOT NULL
) WITH (fillfactor = 50);

-- The last sequence number that an index gave, and how many entries it has.
CREATE TABLE nbhd.indexes (
    name     bytea  PRIMARY KEY,
    sequence bigint NOT NULL,
    count    bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE nbhd.entries (
    name   bytea  NOT NULL,
    member bytea  NOT NULL,
    score  bigint NOT NULL,
    PRIMARY KEY (name, member)
);
CREATE INDEX entries_by_score ON nbhd.entries (name, score, member);

-- `taken_at` is for whoever looks: nothing is decided by it.
CREATE TABLE nbhd.leases (
    lane       bytea  PRIMARY KEY,
    epoch      bigint NOT NULL,
    expires_at bigint NOT NULL,
    taken_at   bigint
);
CREATE INDEX leases_by_end ON nbhd.leases (expires_at);

CREATE TABLE nbhd.buckets (
    key     bytea  PRIMARY KEY,
    missing bigint NOT NULL,
    unit    bigint NOT NULL,
    at      bigint NOT NULL,
    full_at bigint NOT NULL
);
CREATE INDEX buckets_by_end ON nbhd.buckets (full_at);

-- Answers of commits that had an op_id, so that they can be repeated. `guard` is null for one that was made.
CREATE TABLE nbhd.ops (
    op_id   bytea PRIMARY KEY,
    guard   integer,
    stood   bigint,
    wait    bigint,
    results bigint[] NOT NULL,
    at      bigint   NOT NULL
);
CREATE INDEX ops_by_time ON nbhd.ops (at);
