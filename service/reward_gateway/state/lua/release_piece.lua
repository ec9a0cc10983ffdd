-- Give up a piece, leased or parked, so that another worker may take it at once.
-- KEYS: stream of the lane, lanes, parked pieces. ARGV: entry, worker, time for which it then counts as idle (ms), its
-- name among the parked.
local held = redis.pcall('XPENDING', KEYS[1], 'workers', ARGV[1], ARGV[1], 1)[1]
if held and held[2] == ARGV[2] then
  redis.call('XCLAIM', KEYS[1], 'workers', ARGV[2], 0, ARGV[1], 'IDLE', ARGV[3], 'JUSTID')
elseif redis.call('ZADD', KEYS[3], 'XX', 'CH', 0, ARGV[4]) == 0 then
  return 0
end
redis.call('PUBLISH', KEYS[2], 'work')
return 1
