-- For tests of migration: makes of fresh tables of schema 1 those of the schema before, which no release ever had. Its
-- leases did not say when they were taken.
DROP FUNCTION nbhd.claim_1;
ALTER TABLE nbhd.leases DROP COLUMN taken_at;

-- Takes the lease on a lane unless it is live; `epoch` is null when it is.
CREATE FUNCTION nbhd.claim_0(
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
    INSERT INTO nbhd.leases (lane, epoch, expires_at) VALUES (p_lane, v_epoch, v_end)
        ON CONFLICT (lane) DO UPDATE SET epoch = excluded.epoch, expires_at = excluded.expires_at;
    PERFORM nbhd.leave_1(v_now, p_prune, p_most, p_answers);
    epoch := v_epoch;
    expires_at := v_end;
END
$$;
