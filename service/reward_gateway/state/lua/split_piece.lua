-- Replace a piece, which has cost too many workers, by parts of it.
-- KEYS: inputs, stream of the lane, what was scored ahead. ARGV: piece, entry, job, then the names of the parts, each with its input.
redis.call('XACK', KEYS[2], 'workers', ARGV[2])
redis.call('XDEL', KEYS[2], ARGV[2])
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 or redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  return 0
end
for i = 4, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  redis.call('XADD', KEYS[2], '*', 'job', ARGV[3], 'piece', ARGV[i])
end
return 1
