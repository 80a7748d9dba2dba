-- From schema 0 to 1, beside processes of both: adds only. Leases of before say not when they were taken.
ALTER TABLE nbhd.leases ADD COLUMN taken_at bigint;
