-- What every script of the store begins with: is this the store, may we, what time is it.
--
--   KEYS[1]  the hash of the store's own state
--   ARGV[1]  prefix of all keys   [2] schema of the caller   [3] "r" or "w"   [4] incarnation that the caller knows, or ""
--   ARGV[5]  time instead of the server's, for tests, or ""   [6] the last time that the caller saw
--   ARGV[7]  the latest time that the caller believes, or ""
--
-- Times are microseconds since 1970; every number here stays below 2^53, where Lua counts exactly.
-- Redis does not roll a script back: nothing may be written before everything that can refuse was looked at.

local FOREVER = 9000000000000000

local state = redis.call('HMGET', KEYS[1], 'incarnation', 'schema', 'min_reader', 'min_writer', 'last_seen', 'shift')
if not state[1] then
  return {'absent'}
end
if ARGV[4] ~= '' and ARGV[4] ~= state[1] then
  return {'other'}
end
if tonumber(state[ARGV[3] == 'r' and 3 or 4]) > tonumber(ARGV[2]) then
  return {'old', state[2]}
end
if tonumber(state[2]) < tonumber(ARGV[2]) then
  return {'behind', state[2]}
end

local function name(suffix)
  return ARGV[1] .. suffix
end

local function text(number)
  return string.format('%.0f', number)
end

local now
if ARGV[5] ~= '' then
  now = tonumber(ARGV[5])
else
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2]) + tonumber(state[6] or '0')
end
-- A step ahead that the caller does not believe: its time goes on an hour below what it would. It is told how far it is.
local OK = 'ok'
if ARGV[7] ~= '' and now > tonumber(ARGV[7]) then
  local expected = tonumber(ARGV[7]) - 3600000000
  OK = 'ahead ' .. text(now - expected)
  now = expected
end
-- A step back is held at the last time that anybody saw.
now = math.max(now, tonumber(ARGV[6]), tonumber(state[5]))

local argument = 7
local function take()
  argument = argument + 1
  return ARGV[argument]
end
local function number()
  return tonumber(take())
end

local heads, values, ends = name('heads'), name('values'), name('ends')
local sums, sequences = name('sums'), name('sequences')
local leases, lease_ends = name('leases'), name('lease_ends')
local buckets, bucket_ends = name('buckets'), name('bucket_ends')
local answers, answered = name('answers'), name('answered')

-- The version of the live record, else 0; whether an end of it stands in `ends`.
local function version(key)
  local head = redis.call('HGET', heads, key)
  if not head then
    return 0, false
  end
  local live, last = string.match(head, '^(%d+) (%d*)$')
  if last == '' then
    return tonumber(live), false
  end
  return now < tonumber(last) and tonumber(live) or 0, true
end

local function sum(key)
  return tonumber(redis.call('HGET', sums, key) or '0')
end

-- The epoch of the live lease, else 0.
local function epoch(lane)
  local lease = redis.call('HGET', leases, lane)
  if not lease then
    return 0
  end
  local live, last = string.match(lease, '^(%d+) (%d+)$')
  return now < tonumber(last) and tonumber(live) or 0
end

local function later(duration)
  return math.min(now + duration, FOREVER)
end

-- Removes what has ended: one kind a write, so that four writes see to all.
local function prune(turn, most, kept)
  local function old(index, before)
    return redis.call('ZRANGEBYSCORE', index, '-inf', before, 'LIMIT', 0, most)
  end
  local function drop(found, index, ...)
    if #found > 0 then
      redis.call('ZREM', index, unpack(found))
      for _, hash in ipairs({...}) do
        redis.call('HDEL', hash, unpack(found))
      end
    end
  end
  if turn == 0 then
    drop(old(ends, text(now)), ends, heads, values)
  elseif turn == 1 then
    drop(old(answered, '(' .. text(now - kept)), answered, answers)
  elseif turn == 2 then
    drop(old(lease_ends, text(now)), lease_ends, leases)
  else
    drop(old(bucket_ends, text(now)), bucket_ends, buckets)
  end
end

-- The last word of every write.
local function see()
  redis.call('HSET', KEYS[1], 'last_seen', text(now))
end
