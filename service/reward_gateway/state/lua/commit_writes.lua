-- Everything that one request changes, at once or not at all; with it the records of its idempotency keys.
-- KEYS: the attempt and the lease of each record, then the keys of each write in their order.
-- ARGV: a MessagePack map {records, writes}, where a record is {token, record, complete, ttl_ms} and a write is {kind,
-- first key (from 1), its arguments}; then the bytes that they name by their place in ARGV: records, vectors, messages,
-- rewards.
-- Answer: 'ok'; or why nothing was written: {'lease_lost'}, {'unequal', archive, bytes a vector},
-- {'version_taken', set}.
local request = cmsgpack.unpack(ARGV[1])

local function change(index, clock, name)
  redis.call('HSET', index, name, redis.call('INCR', clock))
end

-- 17 significant digits carry a double without loss.
local function text(number) return string.format('%.17g', number) end

-- What refuses the whole. Nothing is written before all of it was looked at.
for i, record in ipairs(request.records) do
  if redis.call('GET', KEYS[2 * i]) ~= record[1] then
    return { 'lease_lost' }
  end
end
for _, write in ipairs(request.writes) do
  local kind, k = write[1], write[2]
  if kind == 'archives' then
    local first = redis.call('LINDEX', KEYS[k], 0)
    if first and #first ~= #ARGV[write[5][1]] then
      return { 'unequal', write[3], #first }
    end
  elseif kind == 'sets' and tonumber(redis.call('GET', KEYS[k]) or '0') ~= write[4] - 1 then
    return { 'version_taken', write[3] }
  end
end

local commit = {}

-- Chan's parallel update. Keys: data, index, clock. Arguments: name, count, mean, m2.
function commit.moments(k, name, nb, mean_b, m2_b)
  local stored = redis.call('HMGET', KEYS[k], 'count', 'mean', 'm2')
  local na, mean_a, m2_a = tonumber(stored[1] or '0'), tonumber(stored[2] or '0'), tonumber(stored[3] or '0')
  local count = na + nb
  local delta = mean_b - mean_a
  local mean = mean_a + delta * nb / count
  local m2 = m2_a + m2_b + delta * delta * na * nb / count
  redis.call('HSET', KEYS[k], 'count', text(count), 'mean', text(mean), 'm2', text(m2))
  change(KEYS[k + 1], KEYS[k + 2], name)
end

-- Change a value by rules. Keys: data, index, clock. Arguments: name, largest exponent, {rule, amount, start, least,
-- most}s.
function commit.coefficients(k, name, largest_exponent, updates)
  local stored = redis.call('HMGET', KEYS[k], 'value', 'updates')
  local value, count = tonumber(stored[1] or updates[1][3]), tonumber(stored[2] or '0')
  for _, update in ipairs(updates) do
    local rule, amount, least, most = update[1], update[2], update[4], update[5]
    if rule == 'add' then
      value = value + amount
    elseif rule == 'grow' then
      value = value * math.exp(math.min(value * amount, largest_exponent))
    else
      value = value * amount
    end
    value = math.min(math.max(value, least), most)
  end
  redis.call('HSET', KEYS[k], 'value', text(value), 'updates', text(count + #updates))
  change(KEYS[k + 1], KEYS[k + 2], name)
end

-- Append packed vectors and keep the newest. Keys: data, index, clock. Arguments: name, cap, vectors.
function commit.archives(k, name, cap, vectors)
  for _, vector in ipairs(vectors) do
    redis.call('RPUSH', KEYS[k], ARGV[vector])
  end
  redis.call('LTRIM', KEYS[k], -cap, -1)
  change(KEYS[k + 1], KEYS[k + 2], name)
end

-- Queue unknown messages, each once, while there is room.
-- Keys: labels, queued (digest -> stream id), queue (stream), index, clock. Arguments: name, cap, {digest, message}s.
function commit.labels(k, name, cap, messages)
  local waiting, changed = redis.call('XLEN', KEYS[k + 2]), false
  for _, entry in ipairs(messages) do
    local digest, message = entry[1], entry[2]
    local known = redis.call('HEXISTS', KEYS[k], digest) == 1 or redis.call('HEXISTS', KEYS[k + 1], digest) == 1
    if not known and waiting < cap then
      redis.call('HSET', KEYS[k + 1], digest, redis.call('XADD', KEYS[k + 2], '*', 'message', ARGV[message]))
      waiting, changed = waiting + 1, true
    end
  end
  if changed then
    change(KEYS[k + 3], KEYS[k + 4], name)
  end
end

-- Append packed rewards to groups and keep the newest of each, or put them in the place of what is there.
-- Keys: data, index, clock. Arguments: name, cap, replace, {group, packed}s.
function commit.references(k, name, cap, replace, groups)
  for _, entry in ipairs(groups) do
    local before = not replace and redis.call('HGET', KEYS[k], entry[1]) or ''
    redis.call('HSET', KEYS[k], entry[1], string.sub(before .. ARGV[entry[2]], -cap * 8))
  end
  change(KEYS[k + 1], KEYS[k + 2], name)
end

-- Store the next version of a set, under its own name and as the newest.
-- Keys: count, data of the version, data of the newest, index, clock. Arguments: name, version, names, text.
function commit.sets(k, name, version, names, text)
  redis.call('SET', KEYS[k], version)
  for i, own in ipairs(names) do
    redis.call('SET', KEYS[k + i], text)
    change(KEYS[k + 3], KEYS[k + 4], own)
  end
end

for _, write in ipairs(request.writes) do
  commit[write[1]](write[2], unpack(write, 3))
end
for i, record in ipairs(request.records) do
  local attempt, lease = KEYS[2 * i - 1], KEYS[2 * i]
  redis.call('HSET', attempt, 'record', ARGV[record[2]])
  if record[3] then
    redis.call('HSET', attempt, 'complete', 1)
  end
  redis.call('PEXPIRE', attempt, record[4])
  redis.call('DEL', lease)
end
return { 'ok' }
