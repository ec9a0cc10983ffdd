-- Give up the lease of a piece, so that another worker may take it at once.
-- KEYS: stream of the lane, lanes. ARGV: entry, worker, time for which it then counts as idle (ms).
local held = redis.call('XPENDING', KEYS[1], 'workers', ARGV[1], ARGV[1], 1)[1]
if not held or held[2] ~= ARGV[2] then
  return 0
end
redis.call('XCLAIM', KEYS[1], 'workers', ARGV[2], 0, ARGV[1], 'IDLE', ARGV[3], 'JUSTID')
redis.call('PUBLISH', KEYS[2], 'work')
return 1
