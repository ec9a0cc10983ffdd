-- Remove results from a run's queue and from their jobs: somebody has them.
-- The keys of results follow from the names of jobs; all have the hash tag of the first key.
-- KEYS: queue. ARGV: what the keys of results begin with, then receipts. Answer: how many were there.
local removed = 0
for i = 2, #ARGV do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if entry then
    redis.call('XDEL', ARGV[1] .. entry[2][2], entry[2][6])
  end
  redis.pcall('XACK', KEYS[1], 'consumers', ARGV[i])
  removed = removed + redis.call('XDEL', KEYS[1], ARGV[i])
end
return removed
