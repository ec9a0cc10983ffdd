-- Delete a run's queue of a table. KEYS: queued, queue. Answer: how many of them there were.
return redis.call('DEL', KEYS[1], KEYS[2])
