-- One commit: the answer that was given before, or the guards in order, then the sums, then the writes in order.
-- The same steps as `apply.rs`, which says why. Answers {"ok", now, answer} or {"invalid", why}.
--
--   ARGV[8…]  named, op_id, how long answers are kept, turn and size of pruning, guards, writes; each list led by its length

local LARGEST = 9000000000000000

local named, op = take() == '1', take()
local kept, turn, most = number(), number(), number()

if named then
  local answer = redis.call('HGET', answers, op)
  if answer and tonumber(string.match(answer, '^%d+')) >= now - kept then
    return {OK, text(now), answer}
  end
end

-- Whole numbers up to 2^63, as {high, low} to the base 2^32: a bucket counts in them.
local WORD = 4294967296
local function times(a, b) -- a < 2^53, b <= 2^32
  local high, low = math.floor(a / WORD), a % WORD
  local upper, lower = low * math.floor(b / 65536), low * (b % 65536)
  local rest = lower + (upper % 65536) * 65536
  return {high * b + math.floor(upper / 65536) + math.floor(rest / WORD), rest % WORD}
end
local function plus(x, y)
  local low = x[2] + y[2]
  return {x[1] + y[1] + math.floor(low / WORD), low % WORD}
end
local function minus(x, y)
  local high, low = x[1] - y[1], x[2] - y[2]
  if low < 0 then
    return {high - 1, low + WORD}
  end
  return {high, low}
end
local function less(x, y)
  return x[1] < y[1] or (x[1] == y[1] and x[2] < y[2])
end
-- Rounded down. The doubles give the quotient but for a few units; the whole numbers decide.
local function over(x, by)
  local function product(quotient)
    if by < WORD then
      return times(quotient, by)
    end
    return times(by, quotient)
  end
  local quotient = math.floor((x[1] * WORD + x[2]) / by)
  while less(x, product(quotient)) do
    quotient = quotient - 1
  end
  while not less(x, product(quotient + 1)) do
    quotient = quotient + 1
  end
  return quotient
end

-- Takes n tokens, or answers how many there are and how long until there are n.
local levels, level_keys = {}, {}
local function tokens(key, n, capacity, unit)
  local whole = times(unit, capacity)
  local missing = {0, 0}
  local level = levels[key]
  if not level then
    local found = redis.call('HGET', buckets, key)
    -- One that is full by its own shape is full, whether or not it was removed already.
    if found and tonumber(redis.call('ZSCORE', bucket_ends, key) or '0') > now then
      local high, low, units, at = string.match(found, '^(%d+) (%d+) (%d+) (%d+)$')
      level = {tonumber(high), tonumber(low), tonumber(units), tonumber(at)}
    end
  end
  if level then
    missing = {level[1], level[2]}
    if level[3] ~= unit then
      -- A bucket whose shape was changed keeps its missing tokens, rounded up.
      local before = level[3]
      local count = over(missing, before)
      if less(times(before, count), missing) then
        count = count + 1
      end
      missing = times(unit, count)
    end
    if less(whole, missing) then
      missing = whole
    end
    local passed = math.max(now - level[4], 0)
    local flowed = passed >= unit and whole or times(passed, capacity)
    missing = less(flowed, missing) and minus(missing, flowed) or {0, 0}
  end
  local after = plus(missing, times(unit, n))
  if less(whole, after) then
    local short = minus(after, whole)
    return over(minus(whole, missing), unit), over(plus(short, {0, capacity - 1}), capacity)
  end
  if not levels[key] then
    level_keys[#level_keys + 1] = key
  end
  levels[key] = {after[1], after[2], unit, now, math.min(now + over(plus(after, {0, capacity - 1}), capacity), FOREVER)}
end

-- nil when the guard holds, else what stood there and, for a bucket, how long to wait; false for one that cannot be.
local function check(kind)
  if kind == 'absent' then
    local live = version(take())
    if live ~= 0 then return live end
  elseif kind == 'version' then
    local live, wanted = version(take()), take()
    if live == 0 or text(live) ~= wanted then return live end
  elseif kind == 'lease' then
    local live, wanted = epoch(take()), take()
    if live == 0 or text(live) ~= wanted then return live end
  elseif kind == 'sum' then
    local found, delta, cap = sum(take()), number(), number()
    if found + delta > cap then return found end
  elseif kind == 'count' then
    local count, bound = redis.call('HLEN', name('m:' .. take())), number()
    if count >= bound then return count end
  elseif kind == 'bucket' then
    local key, n, capacity, unit = take(), number(), number(), number()
    return tokens(key, n, capacity, unit)
  else
    return false
  end
end

local function keep(answer)
  if named then
    redis.call('HSET', answers, op, answer)
    redis.call('ZADD', answered, text(now), op)
  end
end

for place = 0, number() - 1 do
  local found, wait = check(take())
  if found == false then
    return {'invalid', 'bucket'}
  end
  if found then
    local answer = text(now) .. ' refused ' .. place .. ' ' .. text(found) .. ' ' .. (wait and text(wait) or '-')
    if named then
      keep(answer)
      see()
      prune(turn, most, kept)
    end
    return {OK, text(now), answer}
  end
end

-- Sums that would leave the range refuse the commit; a running total for each, as several writes may add to one.
local count = number()
local first = argument
local totals = {}
local ARGUMENTS = {put = 3, add = 2, append = 2, index = 4, unindex = 2, delete = 1, release = 2}
for _ = 1, count do
  local kind = take()
  if kind == 'add' then
    local key, delta = take(), number()
    local total = (totals[key] or sum(key)) + delta
    if total > LARGEST or total < -LARGEST then
      return {'invalid', 'sum'}
    end
    totals[key] = total
  else
    argument = argument + ARGUMENTS[kind]
  end
end

-- From here on nothing refuses.
argument = first

for _, key in ipairs(level_keys) do
  local level = levels[key]
  redis.call('HSET', buckets, key, text(level[1]) .. ' ' .. text(level[2]) .. ' ' .. text(level[3]) .. ' ' .. text(level[4]))
  redis.call('ZADD', bucket_ends, text(level[5]), key)
end

-- Entries of an index stand in the order of their bytes: eight of the score, highest first, then the member's.
local function place(index, member, score)
  local members, order = name('m:' .. index), name('i:' .. index)
  local before = redis.call('HGET', members, member)
  if before == score then
    return
  end
  if before then
    redis.call('ZREM', order, before .. member)
  end
  redis.call('HSET', members, member, score)
  redis.call('ZADD', order, 0, score .. member)
end

local function make(kind)
  if kind == 'put' then
    local key, value, ttl = take(), take(), take()
    local live, ending = version(key)
    if ttl ~= '' then
      local last = later(tonumber(ttl))
      redis.call('HSET', heads, key, text(live + 1) .. ' ' .. text(last))
      redis.call('ZADD', ends, text(last), key)
    else
      redis.call('HSET', heads, key, text(live + 1) .. ' ')
      if ending then redis.call('ZREM', ends, key) end
    end
    redis.call('HSET', values, key, value)
    return live + 1
  elseif kind == 'add' then
    local key, delta = take(), number()
    local total = sum(key) + delta
    if total == 0 then
      redis.call('HDEL', sums, key)
    else
      redis.call('HSET', sums, key, text(total))
    end
    return total
  elseif kind == 'append' then
    local index, member = take(), take()
    local sequence = redis.call('HINCRBY', sequences, index, 1)
    place(index, member, struct.pack('>I4I4', 2147483648 + math.floor(sequence / WORD), sequence % WORD))
    return sequence
  elseif kind == 'index' then
    local index, member, score, stays = take(), take(), take(), take()
    if stays ~= '1' or redis.call('HEXISTS', name('m:' .. index), member) == 0 then
      place(index, member, score)
    end
  elseif kind == 'unindex' then
    local index, member = take(), take()
    local before = redis.call('HGET', name('m:' .. index), member)
    if before then
      redis.call('HDEL', name('m:' .. index), member)
      redis.call('ZREM', name('i:' .. index), before .. member)
    end
  elseif kind == 'delete' then
    local key = take()
    local _, ending = version(key)
    redis.call('HDEL', heads, key)
    redis.call('HDEL', values, key)
    if ending then redis.call('ZREM', ends, key) end
  elseif kind == 'release' then
    local lane, wanted = take(), take()
    local live = epoch(lane)
    if live ~= 0 and text(live) == wanted then
      redis.call('HDEL', leases, lane)
      redis.call('ZREM', lease_ends, lane)
    end
  end
  return 0
end

local results = {text(now) .. ' done'}
for n = 1, count do
  results[n + 1] = text(make(take()))
end
local answer = table.concat(results, ' ')
keep(answer)
see()
prune(turn, most, kept)
return {OK, text(now), answer}
