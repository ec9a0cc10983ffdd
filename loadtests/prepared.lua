-- wrk's posts: the lines of a file in turn, each a body. Written as bytes once, so that wrk only sends them. Where a body
-- has ten @, each post of it has a number of its own there.
local prepared, sent, numbers = {}, 0, 0

function init(arguments)
  local headers = { ["Content-Type"] = "application/json" }
  for body in io.lines(arguments[1]) do
    local post = wrk.format("POST", nil, headers, body)
    local from, to = post:find("@@@@@@@@@@", 1, true)
    prepared[#prepared + 1] = from and { post:sub(1, from - 1), post:sub(to + 1) } or post
  end
end

function request()
  sent = sent % #prepared + 1
  local post = prepared[sent]
  if type(post) == "string" then
    return post
  end
  numbers = numbers + 1
  return post[1] .. string.format("%010d", numbers) .. post[2]
end
