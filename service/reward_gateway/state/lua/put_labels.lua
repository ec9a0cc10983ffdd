-- Label messages, and take them off the queue.
-- KEYS: labels, queued (digest -> stream id), queue (stream), index, clock.  ARGV: name, digest and label by turns.
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  local waiting = redis.call('HGET', KEYS[2], ARGV[i])
  if waiting then
    redis.call('XDEL', KEYS[3], waiting)
    redis.call('HDEL', KEYS[2], ARGV[i])
  end
end
redis.call('HSET', KEYS[4], ARGV[1], redis.call('INCR', KEYS[5]))
return redis.status_reply('OK')
