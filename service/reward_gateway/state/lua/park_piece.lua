-- Take a piece out of the line while its worker waits for other samples; it comes back in time (take_piece.lua).
-- KEYS: stream of the lane, inputs, parked pieces. ARGV: entry, lane, job, piece, time until it comes back (ms).
redis.pcall('XACK', KEYS[1], 'workers', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
if redis.call('HEXISTS', KEYS[2], ARGV[4]) == 0 then
  return 0
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZADD', KEYS[3], now + ARGV[5], ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[2])
return 1
