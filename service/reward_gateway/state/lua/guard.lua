-- Stands before every script that changes state: nothing is changed in a store that has lost its state, and nothing by
-- what arrives after its sender has given up, as when a store goes on that was frozen.
-- The last key: the marker of the store. The last arguments: the id that the marker must have ('': none), and the span of
-- the store's clock, in microseconds, in which the sender waits for the answer.
do
  local latest, earliest = tonumber(table.remove(ARGV)), tonumber(table.remove(ARGV))
  local expected, marker = table.remove(ARGV), table.remove(KEYS)
  local clock = redis.call('TIME')
  local now = clock[1] * 1000000 + clock[2]
  if now < earliest or now > latest then
    return redis.error_reply('LATE nobody waits for the answer')
  end
  if (redis.call('HGET', marker, 'id') or '') ~= expected then
    return redis.error_reply('RESET the store has another epoch')
  end
end
