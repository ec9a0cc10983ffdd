-- Close a session.
-- KEYS: session, ends of the tenant's sessions. ARGV: name. Answer: 1, or 0 if it was over.
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])
