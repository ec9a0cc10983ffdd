-- Stands before every script that changes state, whose text is the body of `change`: nothing is changed in a store that
-- has lost its state, and nothing by what arrives after its sender has given up, as when a store goes on that was frozen.
-- The last key: the marker of the store. The last arguments: the id that the marker must have ('': none), the number of
-- writes that it must have counted at least, and the span of the store's clock, in microseconds, in which the sender
-- waits for the answer.
local marker = table.remove(KEYS)
do
  local latest, earliest = tonumber(table.remove(ARGV)), tonumber(table.remove(ARGV))
  local counted, expected = tonumber(table.remove(ARGV)), table.remove(ARGV)
  local clock = redis.call('TIME')
  local now = clock[1] * 1000000 + clock[2]
  if now < earliest or now > latest then
    return redis.error_reply('LATE nobody waits for the answer')
  end
  local stored = redis.call('HMGET', marker, 'id', 'writes')
  if (stored[1] or '') ~= expected or tonumber(stored[2] or '0') < counted then
    return redis.error_reply('RESET the store has another epoch, or lacks writes')
  end
end
local function change()
