-- Give a name the next version.
-- KEYS: index, clock.  ARGV: name.
redis.call('HSET', KEYS[1], ARGV[1], redis.call('INCR', KEYS[2]))
return redis.status_reply('OK')
