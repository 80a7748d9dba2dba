-- For tests of migration: makes of fresh tables of schema 1 those of the schema before, which no release ever had. Its
-- leases did not say when they were taken; but for that its claim was today's.
DO $do$
DECLARE
    claim text := replace(pg_get_functiondef('nbhd.claim_1'::regproc), 'claim_1', 'claim_0');
BEGIN
    claim := replace(claim, ', taken_at) VALUES (p_lane, v_epoch, v_end, v_now)', ') VALUES (p_lane, v_epoch, v_end)');
    EXECUTE regexp_replace(claim, ',\s*taken_at = excluded.taken_at', '');
    DROP FUNCTION nbhd.claim_1;
    ALTER TABLE nbhd.leases DROP COLUMN taken_at;
END
$do$;
