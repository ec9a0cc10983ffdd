-- Hand results of a run's queue to a consumer: those that another did not acknowledge in its time, then new ones.
-- An entry is idle from when it was handed out; it is handed out again once it has been idle for the longest time, so
-- that it begins with what the longest time has over its own. An entry names its results, which are the job's; where
-- these have expired, it is removed.
-- The keys of results follow from the names of jobs; all have the hash tag of the first key.
-- KEYS: queue. ARGV: consumer, most rows, own time (ms), longest time (ms), what the keys of results begin with.
-- Answer: entries, each {receipt, job, payload}.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {}
end
redis.pcall('XGROUP', 'CREATE', KEYS[1], 'consumers', '0')
local found, rows, most = {}, 0, tonumber(ARGV[2])
local function hand_out(entry)
  local job, place = entry[2][2], entry[2][6]
  local kept = redis.call('XRANGE', ARGV[5] .. job, place, place)[1]
  if not kept then
    redis.call('XACK', KEYS[1], 'consumers', entry[1])
    redis.call('XDEL', KEYS[1], entry[1])
    return
  end
  redis.call('XCLAIM', KEYS[1], 'consumers', ARGV[1], 0, entry[1], 'IDLE', ARGV[4] - ARGV[3], 'JUSTID')
  found[#found + 1] = { entry[1], job, kept[2][4] }
  rows = rows + tonumber(entry[2][4])
end
local cursor = '0-0'
while rows < most do
  local claimed = redis.call('XAUTOCLAIM', KEYS[1], 'consumers', ARGV[1], ARGV[4], cursor, 'COUNT', 1)
  if claimed[2][1] then
    hand_out(claimed[2][1])
  end
  cursor = claimed[1]
  if cursor == '0-0' then
    break
  end
end
while rows < most do
  local fresh = redis.call('XREADGROUP', 'GROUP', 'consumers', ARGV[1], 'COUNT', 1, 'STREAMS', KEYS[1], '>')
  if not fresh then
    break
  end
  hand_out(fresh[1][2][1])
end
return found
