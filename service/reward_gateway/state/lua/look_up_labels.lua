-- The labels of messages; unknown messages are queued, each once, while the queue has room.
-- KEYS: labels, queued (digest -> stream id), queue (stream), index, clock.  ARGV: name, cap, digest and message by turns.
local labels, changed = {}, false
local waiting = redis.call('XLEN', KEYS[3])
for i = 3, #ARGV, 2 do
  local label = redis.call('HGET', KEYS[1], ARGV[i])
  labels[#labels + 1] = label
  if not label and waiting < tonumber(ARGV[2]) and redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then
    redis.call('HSET', KEYS[2], ARGV[i], redis.call('XADD', KEYS[3], '*', 'message', ARGV[i + 1]))
    waiting, changed = waiting + 1, true
  end
end
if changed then
  redis.call('HSET', KEYS[4], ARGV[1], redis.call('INCR', KEYS[5]))
end
return labels
