-- What a commit means, on the server: one call is one transaction, so that locks are held for no round trip and a
-- client that hangs or dies holds none. The meaning is that of apply.rs; the contract suite and random commits hold
-- both to it. A function is never changed after a release: another meaning has another number.

-- The store's time: the server's clock (or the caller's, in tests), held at the latest time seen. A clock above
-- `p_ceiling` stepped ahead of what the caller believes: its time goes on an hour below that, and `ahead` says how far
-- the clock is.
CREATE OR REPLACE FUNCTION nbhd.now_1(
    p_wall bigint, p_seen bigint, p_ceiling bigint, OUT at bigint, OUT ahead bigint
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    wall bigint := coalesce(p_wall, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
        + coalesce((SELECT s.clock_shift FROM nbhd.state s), 0));
BEGIN
    IF wall > p_ceiling THEN
        ahead := wall - (p_ceiling - 3600000000);
        wall := p_ceiling - 3600000000;
    END IF;
    at := greatest(p_seen, (SELECT max(s.at) FROM nbhd.seen s), wall);
END
$$;

-- Waits for the locks, in the order given. Everybody takes the first one shared, so that whoever takes it alone (a
-- commit of very many keys, a migration) has the whole store.
CREATE OR REPLACE FUNCTION nbhd.lock_1(p_store bigint, p_locks bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    one bigint;
BEGIN
    IF p_locks IS NULL THEN
        PERFORM pg_advisory_xact_lock(p_store);
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(p_store);
    FOREACH one IN ARRAY p_locks LOOP
        PERFORM pg_advisory_xact_lock(one);
    END LOOP;
END
$$;

-- 0: go on. 2: no state, so no store. 3: another store than the caller knew. 4: the caller is too old to write.
CREATE OR REPLACE FUNCTION nbhd.may_write_1(
    p_incarnation text, p_schema integer, OUT verdict integer, OUT incarnation text, OUT schema integer
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    oldest integer;
BEGIN
    SELECT s.incarnation, s.schema, s.min_writer INTO incarnation, schema, oldest FROM nbhd.state s;
    verdict := CASE
        WHEN incarnation IS NULL THEN 2
        WHEN incarnation <> p_incarnation THEN 3
        WHEN oldest > p_schema THEN 4
        ELSE 0
    END;
END
$$;

-- Keeps the time; removes a few rows of one kind that have ended. Last in every write: it waits for nobody who waits.
CREATE OR REPLACE FUNCTION nbhd.leave_1(p_now bigint, p_prune integer, p_most integer, p_answers bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO nbhd.seen AS s (stripe, at) VALUES (pg_backend_pid() % 64, p_now)
        ON CONFLICT (stripe) DO UPDATE SET at = greatest(s.at, excluded.at);
    CASE p_prune
        WHEN 0 THEN
            DELETE FROM nbhd.records WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM nbhd.records WHERE expires_at <= p_now LIMIT p_most FOR UPDATE SKIP LOCKED));
        WHEN 1 THEN
            DELETE FROM nbhd.ops WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM nbhd.ops WHERE at < p_now - p_answers LIMIT p_most FOR UPDATE SKIP LOCKED));
        WHEN 2 THEN
            DELETE FROM nbhd.leases WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM nbhd.leases WHERE expires_at <= p_now LIMIT p_most FOR UPDATE SKIP LOCKED));
        WHEN 3 THEN
            DELETE FROM nbhd.buckets WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM nbhd.buckets WHERE full_at <= p_now LIMIT p_most FOR UPDATE SKIP LOCKED));
        ELSE
            NULL;
    END CASE;
END
$$;

-- Guards in order, then writes in order. verdict 0: made; 1: `guard` did not hold; else as may_write_1.
--   guard kinds  1 absent(key)  2 version(key, a)  3 lease(key, a)  4 sum(key) + a <= b  5 count(key) < a
--                6 bucket(key) of capacity a, refilled in b, has c
--   write kinds  1 put(key, value, ttl a or null)  2 add(key, a)  3 append(key, member)  4 index(key, member, score a)
--                5 the same unless it is there  6 unindex(key, member)  7 delete(key)  8 release(key, epoch a)
CREATE OR REPLACE FUNCTION nbhd.commit_1(
    p_incarnation text, p_schema integer, p_wall bigint, p_seen bigint, p_ceiling bigint, p_store bigint, p_locks bigint[],
    p_relaxed boolean, p_prune integer, p_most integer, p_answers bigint, p_op bytea,
    g_kind smallint[], g_key bytea[], g_a bigint[], g_b bigint[], g_c bigint[],
    w_kind smallint[], w_key bytea[], w_member bytea[], w_value bytea[], w_a bigint[],
    OUT verdict integer, OUT incarnation text, OUT schema integer,
    OUT guard integer, OUT stood bigint, OUT wait bigint, OUT results bigint[], OUT at bigint, OUT ahead bigint
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    top        CONSTANT numeric := 9223372036854775807;
    kept       record;
    holds      boolean;
    level      nbhd.buckets;
    place      integer;
    l_key      bytea[]  := '{}';
    l_missing  bigint[] := '{}';
    l_unit     bigint[] := '{}';
    l_full     bigint[] := '{}';
    whole      numeric;
    lacks      numeric;
    after      numeric;
    fresh      boolean;
    result     bigint;
    v_now      bigint;
    v_results  bigint[] := '{}';
BEGIN
    PERFORM nbhd.lock_1(p_store, p_locks);
    SELECT m.verdict, m.incarnation, m.schema INTO verdict, incarnation, schema
        FROM nbhd.may_write_1(p_incarnation, p_schema) m;
    IF verdict <> 0 THEN
        RETURN;
    END IF;
    IF p_relaxed THEN
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    SELECT n.at, n.ahead INTO v_now, ahead FROM nbhd.now_1(p_wall, p_seen, p_ceiling) n;
    at := v_now;

    IF p_op IS NOT NULL THEN
        SELECT o.guard, o.stood, o.wait, o.results, o.at INTO kept
            FROM nbhd.ops o WHERE o.op_id = p_op AND o.at >= v_now - p_answers;
        IF FOUND THEN
            verdict := CASE WHEN kept.guard IS NULL THEN 0 ELSE 1 END;
            guard := kept.guard;
            stood := kept.stood;
            wait := kept.wait;
            results := kept.results;
            at := kept.at;
            RETURN;
        END IF;
    END IF;

    FOR i IN 1 .. cardinality(g_kind) LOOP
        stood := NULL;
        CASE g_kind[i]
            WHEN 1, 2 THEN
                SELECT r.version INTO stood FROM nbhd.records r
                    WHERE r.key = g_key[i] AND (r.expires_at IS NULL OR r.expires_at > v_now);
                stood := coalesce(stood, 0);
                holds := CASE WHEN g_kind[i] = 1 THEN stood = 0 ELSE stood <> 0 AND stood = g_a[i] END;
            WHEN 3 THEN
                SELECT l.epoch INTO stood FROM nbhd.leases l WHERE l.lane = g_key[i] AND l.expires_at > v_now;
                stood := coalesce(stood, 0);
                holds := stood <> 0 AND stood = g_a[i];
            WHEN 4 THEN
                SELECT s.sum INTO stood FROM nbhd.sums s WHERE s.key = g_key[i];
                stood := coalesce(stood, 0);
                holds := stood::numeric + g_a[i] <= g_b[i];
            WHEN 5 THEN
                SELECT x.count INTO stood FROM nbhd.indexes x WHERE x.name = g_key[i];
                stood := coalesce(stood, 0);
                holds := stood < g_a[i];
            WHEN 6 THEN
                whole := g_a[i]::numeric * g_b[i];
                IF whole <= 0 OR whole > div(top, 4) THEN
                    RAISE EXCEPTION 'the shape of a bucket' USING ERRCODE = 'NB001';
                END IF;
                IF g_c[i] > g_a[i] THEN
                    RAISE EXCEPTION 'more tokens than the bucket holds' USING ERRCODE = 'NB002';
                END IF;
                lacks := 0;
                place := array_position(l_key, g_key[i]);
                IF place IS NOT NULL THEN
                    level := ROW(g_key[i], l_missing[place], l_unit[place], v_now, l_full[place]);
                ELSE
                    -- One that is full by its own shape is full, whether or not it was removed already.
                    SELECT * INTO level FROM nbhd.buckets b WHERE b.key = g_key[i] AND b.full_at > v_now;
                END IF;
                IF level.key IS NOT NULL THEN
                    -- A bucket whose shape was changed keeps its missing tokens, rounded up.
                    lacks := CASE WHEN level.unit = g_b[i] THEN level.missing
                        ELSE div(level.missing + greatest(level.unit, 1)::numeric - 1, greatest(level.unit, 1))
                            * g_b[i] END;
                    lacks := greatest(least(lacks, whole) - greatest(v_now::numeric - level.at, 0) * g_a[i], 0);
                END IF;
                after := lacks + g_c[i]::numeric * g_b[i];
                holds := after <= whole;
                IF holds THEN
                    place := coalesce(place, cardinality(l_key) + 1);
                    l_key[place] := g_key[i];
                    l_missing[place] := after;
                    l_unit[place] := g_b[i];
                    l_full[place] := least(v_now + div(after + g_a[i] - 1, g_a[i]), top);
                ELSE
                    stood := div(whole - lacks, g_b[i]);
                    wait := div(after - whole + g_a[i] - 1, g_a[i]);
                END IF;
            ELSE
                RAISE EXCEPTION 'guard kind' USING ERRCODE = 'NB003';
        END CASE;
        IF NOT holds THEN
            verdict := 1;
            guard := i - 1;
            results := '{}';
            IF p_op IS NOT NULL THEN
                INSERT INTO nbhd.ops AS o (op_id, guard, stood, wait, results, at)
                    VALUES (p_op, i - 1, stood, wait, '{}', v_now)
                    ON CONFLICT (op_id) DO UPDATE SET guard = excluded.guard, stood = excluded.stood,
                        wait = excluded.wait, results = excluded.results, at = excluded.at;
                PERFORM nbhd.leave_1(v_now, p_prune, p_most, p_answers);
            END IF;
            RETURN;
        END IF;
    END LOOP;
    stood := NULL;

    FOR i IN 1 .. cardinality(l_key) LOOP
        INSERT INTO nbhd.buckets (key, missing, unit, at, full_at)
            VALUES (l_key[i], l_missing[i], l_unit[i], v_now, l_full[i])
            ON CONFLICT (key) DO UPDATE SET missing = excluded.missing, unit = excluded.unit, at = excluded.at,
                full_at = excluded.full_at;
    END LOOP;

    FOR i IN 1 .. cardinality(w_kind) LOOP
        result := 0;
        CASE w_kind[i]
            WHEN 1 THEN
                INSERT INTO nbhd.records AS r (key, value, version, expires_at)
                    VALUES (w_key[i], w_value[i], 1,
                        CASE WHEN w_a[i] IS NOT NULL THEN least(v_now::numeric + w_a[i], top) END)
                    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at,
                        version = CASE WHEN r.expires_at IS NULL OR r.expires_at > v_now THEN r.version + 1 ELSE 1 END
                    RETURNING r.version INTO result;
            WHEN 2 THEN
                INSERT INTO nbhd.sums AS s (key, sum) VALUES (w_key[i], w_a[i])
                    ON CONFLICT (key) DO UPDATE SET sum = s.sum + excluded.sum
                    RETURNING s.sum INTO result;
                IF result = 0 THEN
                    DELETE FROM nbhd.sums s WHERE s.key = w_key[i];
                END IF;
            WHEN 3 THEN
                PERFORM FROM nbhd.entries e WHERE e.name = w_key[i] AND e.member = w_member[i];
                fresh := NOT FOUND;
                INSERT INTO nbhd.indexes AS x (name, sequence, count) VALUES (w_key[i], 1, 1)
                    ON CONFLICT (name) DO UPDATE SET sequence = x.sequence + 1, count = x.count + fresh::integer
                    RETURNING x.sequence INTO result;
                INSERT INTO nbhd.entries (name, member, score) VALUES (w_key[i], w_member[i], result)
                    ON CONFLICT (name, member) DO UPDATE SET score = excluded.score;
            WHEN 4, 5 THEN
                PERFORM FROM nbhd.entries e WHERE e.name = w_key[i] AND e.member = w_member[i];
                IF NOT FOUND THEN
                    INSERT INTO nbhd.entries (name, member, score) VALUES (w_key[i], w_member[i], w_a[i]);
                    INSERT INTO nbhd.indexes AS x (name, sequence, count) VALUES (w_key[i], 0, 1)
                        ON CONFLICT (name) DO UPDATE SET count = x.count + 1;
                ELSIF w_kind[i] = 4 THEN
                    UPDATE nbhd.entries e SET score = w_a[i] WHERE e.name = w_key[i] AND e.member = w_member[i];
                END IF;
            WHEN 6 THEN
                DELETE FROM nbhd.entries e WHERE e.name = w_key[i] AND e.member = w_member[i];
                IF FOUND THEN
                    UPDATE nbhd.indexes x SET count = x.count - 1 WHERE x.name = w_key[i];
                END IF;
            WHEN 7 THEN
                DELETE FROM nbhd.records r WHERE r.key = w_key[i];
            WHEN 8 THEN
                DELETE FROM nbhd.leases l
                    WHERE l.lane = w_key[i] AND l.epoch = w_a[i] AND w_a[i] <> 0 AND l.expires_at > v_now;
            ELSE
                RAISE EXCEPTION 'write kind' USING ERRCODE = 'NB003';
        END CASE;
        v_results := v_results || result;
    END LOOP;
    results := v_results;

    IF p_op IS NOT NULL THEN
        INSERT INTO nbhd.ops AS o (op_id, guard, stood, wait, results, at)
            VALUES (p_op, NULL, NULL, NULL, v_results, v_now)
            ON CONFLICT (op_id) DO UPDATE SET guard = excluded.guard, stood = excluded.stood, wait = excluded.wait,
                results = excluded.results, at = excluded.at;
    END IF;
    PERFORM nbhd.leave_1(v_now, p_prune, p_most, p_answers);
END
$$;

-- Takes the lease on a lane unless it is live; `epoch` is null when it is.
CREATE OR REPLACE FUNCTION nbhd.claim_1(
    p_incarnation text, p_schema integer, p_wall bigint, p_seen bigint, p_ceiling bigint, p_store bigint, p_locks bigint[],
    p_prune integer, p_most integer, p_answers bigint, p_lane bytea, p_ttl bigint,
    OUT verdict integer, OUT incarnation text, OUT schema integer, OUT epoch bigint, OUT expires_at bigint,
    OUT at bigint, OUT ahead bigint
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    v_now   bigint;
    v_epoch bigint;
    v_end   bigint;
BEGIN
    PERFORM nbhd.lock_1(p_store, p_locks);
    SELECT m.verdict, m.incarnation, m.schema INTO verdict, incarnation, schema
        FROM nbhd.may_write_1(p_incarnation, p_schema) m;
    IF verdict <> 0 THEN
        RETURN;
    END IF;
    SELECT n.at, n.ahead INTO v_now, ahead FROM nbhd.now_1(p_wall, p_seen, p_ceiling) n;
    at := v_now;
    PERFORM FROM nbhd.leases l WHERE l.lane = p_lane AND l.expires_at > v_now;
    IF FOUND THEN
        RETURN;
    END IF;
    v_epoch := nextval('nbhd.epochs');
    v_end := least(v_now::numeric + p_ttl, 9223372036854775807);
    INSERT INTO nbhd.leases (lane, epoch, expires_at, taken_at) VALUES (p_lane, v_epoch, v_end, v_now)
        ON CONFLICT (lane) DO UPDATE SET epoch = excluded.epoch, expires_at = excluded.expires_at,
            taken_at = excluded.taken_at;
    PERFORM nbhd.leave_1(v_now, p_prune, p_most, p_answers);
    epoch := v_epoch;
    expires_at := v_end;
END
$$;

-- Prolongs a lease that is live and has this epoch; `epoch` is null when there is none.
CREATE OR REPLACE FUNCTION nbhd.renew_1(
    p_incarnation text, p_schema integer, p_wall bigint, p_seen bigint, p_ceiling bigint, p_store bigint, p_locks bigint[],
    p_prune integer, p_most integer, p_answers bigint, p_lane bytea, p_epoch bigint, p_ttl bigint,
    OUT verdict integer, OUT incarnation text, OUT schema integer, OUT epoch bigint, OUT expires_at bigint,
    OUT at bigint, OUT ahead bigint
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    v_now bigint;
    v_end bigint;
BEGIN
    PERFORM nbhd.lock_1(p_store, p_locks);
    SELECT m.verdict, m.incarnation, m.schema INTO verdict, incarnation, schema
        FROM nbhd.may_write_1(p_incarnation, p_schema) m;
    IF verdict <> 0 THEN
        RETURN;
    END IF;
    SELECT n.at, n.ahead INTO v_now, ahead FROM nbhd.now_1(p_wall, p_seen, p_ceiling) n;
    at := v_now;
    v_end := least(v_now::numeric + p_ttl, 9223372036854775807);
    UPDATE nbhd.leases l SET expires_at = v_end
        WHERE l.lane = p_lane AND l.epoch = p_epoch AND p_epoch <> 0 AND l.expires_at > v_now;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM nbhd.leave_1(v_now, p_prune, p_most, p_answers);
    epoch := p_epoch;
    expires_at := v_end;
END
$$;
