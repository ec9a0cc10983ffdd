-- Take the lease of an attempt that nobody holds and that was not answered.
-- KEYS: attempt, lease. ARGV: digest of the body, token, lease (ms), time to live (ms).
-- Answer: {'conflict'}; {'done', record}; {'busy'}; {'begun', record of a part, if there is one}.
local known = redis.call('HMGET', KEYS[1], 'digest', 'record', 'complete')
if known[1] and known[1] ~= ARGV[1] then
  return { 'conflict' }
end
if known[3] then
  return { 'done', known[2] }
end
if not redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then
  return { 'busy' }
end
redis.call('HSET', KEYS[1], 'digest', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { 'begun', known[2] }
