-- Hand results of a run's queue to a consumer: those that another did not acknowledge in its time, then new ones.
-- An entry is idle from when it was handed out; it is handed out again once it has been idle for the longest time, so
-- that it begins with what the longest time has over its own.
-- KEYS: queue. ARGV: consumer, most rows, own time (ms), longest time (ms).
-- Answer: entries, each {receipt, job, payload}.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {}
end
redis.pcall('XGROUP', 'CREATE', KEYS[1], 'consumers', '0')
local found, rows, most = {}, 0, tonumber(ARGV[2])
local function hand_out(entry)
  redis.call('XCLAIM', KEYS[1], 'consumers', ARGV[1], 0, entry[1], 'IDLE', ARGV[4] - ARGV[3], 'JUSTID')
  found[#found + 1] = { entry[1], entry[2][2], entry[2][6] }
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
