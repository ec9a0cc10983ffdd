-- Store an answer for a while.
-- KEYS: the answer's key. ARGV: its text, time to live (ms).
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
