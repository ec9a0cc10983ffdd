-- Close a cohort whose time is up, if it is still the open one; nobody joins it after this.
-- KEYS: open. ARGV: cohort id, prefix of member lists, channel. Answer: its members.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[3], ARGV[1])
end
return redis.call('LRANGE', ARGV[2] .. ARGV[1], 0, -1)
