-- Remove everything from a run's queue. KEYS: queue. Answer: how many entries were there.
local entries = redis.call('XLEN', KEYS[1])
redis.call('DEL', KEYS[1])
return entries
