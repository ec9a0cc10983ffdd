-- Remove results from a run's queue. KEYS: queue. ARGV: receipts. Answer: how many were there.
local removed = 0
for _, receipt in ipairs(ARGV) do
  redis.pcall('XACK', KEYS[1], 'consumers', receipt)
  removed = removed + redis.call('XDEL', KEYS[1], receipt)
end
return removed
