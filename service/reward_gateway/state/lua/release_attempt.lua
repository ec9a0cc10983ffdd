-- Give a lease back; an attempt without a record is forgotten.
-- KEYS: attempt, lease. ARGV: token.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[2])
if redis.call('HEXISTS', KEYS[1], 'record') == 0 then
  redis.call('DEL', KEYS[1])
end
return 1
