-- Reads. Answers {"ok", now, …}.
--
--   ARGV[8…]  "now", or "get", key, or "sum", key, or "count", index, or "scan", index, from, to, limit

local verb = take()
if verb == 'get' then
  local key = take()
  local live = version(key)
  if live == 0 then
    return {OK, text(now)}
  end
  local last = string.match(redis.call('HGET', heads, key), ' (%d*)$')
  return {OK, text(now), text(live), last, redis.call('HGET', values, key)}
elseif verb == 'sum' then
  return {OK, text(now), text(sum(take()))}
elseif verb == 'count' then
  return {OK, text(now), text(redis.call('HLEN', name('m:' .. take())))}
elseif verb == 'scan' then
  local index, from, to, limit = take(), take(), take(), take()
  return {OK, text(now), redis.call('ZRANGEBYLEX', name('i:' .. index), from, to, 'LIMIT', 0, limit)}
end
return {OK, text(now)}
