-- Makes the store, unless it stands; one that is older gets what it lacks. Answers {"ok", incarnation}, {"old", schema}
-- or {"headless"}. Schema 1:
--
--   state        hash: incarnation, schema, min_reader, min_writer (the oldest schema whose code may read, or write),
--                last_seen (time never goes back behind it), last_epoch (of the leases of all lanes), shift (tests only:
--                added to the server's time)
--   heads        hash: key → "version end" of a record, the end empty for none    values  hash: key → value
--   ends         sorted set: key by the end of its record
--   sums         hash: key → sum, none for 0            sequences  hash: index → last number
--   m:<index>    hash: member → score                   i:<index>  sorted set, all scores 0: score and member
--   leases       hash: lane → "epoch end"               lease_ends, bucket_ends, answered  sorted sets by time
--   buckets      hash: key → "missing, in two words; units of a token; time"
--   answers      hash: op_id → "time, done, results" or "time, refused, guard, found, wait"
--
--   KEYS[1]  state   ARGV[1] prefix   [2] schema   [3] incarnation, if it is made

local found = redis.call('HMGET', KEYS[1], 'incarnation', 'schema', 'min_writer')
if found[1] then
  if tonumber(found[3]) > tonumber(ARGV[2]) then
    return {'old', found[2]}
  end
  -- Steps to each schema from the one before, beside processes of both: they only add. To 1, which knows buckets: they are
  -- made by their first use, and one that is not there is full.
  if tonumber(found[2]) < tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[1], 'schema', ARGV[2])
  end
  return {'ok', found[1]}
end
for _, suffix in ipairs({'heads', 'sums', 'sequences', 'leases', 'buckets', 'answers'}) do
  if redis.call('EXISTS', ARGV[1] .. suffix) == 1 then
    return {'headless'}
  end
end
redis.call('HSET', KEYS[1], 'incarnation', ARGV[3], 'schema', ARGV[2], 'min_reader', ARGV[2], 'min_writer', ARGV[2],
  'last_seen', '0', 'last_epoch', '0')
return {'ok', ARGV[3]}
