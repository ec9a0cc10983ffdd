-- Renew the lease of a piece. KEYS: stream of the lane, inputs. ARGV: entry, worker, piece.
-- Answer: 1; 0 where it is not this worker's any more, or was answered or dropped.
if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 0 then
  return 0
end
local held = redis.call('XPENDING', KEYS[1], 'workers', ARGV[1], ARGV[1], 1)[1]
if not held or held[2] ~= ARGV[2] then
  return 0
end
redis.call('XCLAIM', KEYS[1], 'workers', ARGV[2], 0, ARGV[1], 'JUSTID')
return 1
