-- Take the messages off a run's queue that have a label by now: another run's annotator gave it.
-- KEYS: labels, queued (digest -> stream id), queue (stream).
for _, digest in ipairs(redis.call('HKEYS', KEYS[2])) do
  if redis.call('HEXISTS', KEYS[1], digest) == 1 then
    redis.call('XDEL', KEYS[3], redis.call('HGET', KEYS[2], digest))
    redis.call('HDEL', KEYS[2], digest)
  end
end
return redis.status_reply('OK')
