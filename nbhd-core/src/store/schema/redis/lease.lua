-- Takes or prolongs the lease on a lane. Answers {"ok", now} when it is somebody else's or lost, else
-- {"ok", now, epoch, end}.
--
--   ARGV[8…]  "claim" or "renew", lane, epoch of the lease to renew, its time to live, turn and size of pruning, how long
--             answers are kept

local verb, lane, held = take(), take(), take()
local last = later(number())
local turn, most, kept = number(), number(), number()
local live = epoch(lane)
if verb == 'claim' then
  if live ~= 0 then
    return {OK, text(now)}
  end
  -- One counter for all lanes: epochs rise also when the row of an old lease was removed.
  live = redis.call('HINCRBY', KEYS[1], 'last_epoch', 1)
elseif live == 0 or text(live) ~= held then
  return {OK, text(now)}
end
redis.call('HSET', leases, lane, text(live) .. ' ' .. text(last))
redis.call('ZADD', lease_ends, text(last), lane)
see()
prune(turn, most, kept)
return {OK, text(now), text(live), text(last)}
