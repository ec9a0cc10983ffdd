-- wrk's posts: the lines of a file in turn, each a body. Written as bytes once, so that wrk only sends them.
local prepared, sent = {}, 0

function init(arguments)
  local headers = { ["Content-Type"] = "application/json" }
  for body in io.lines(arguments[1]) do
    prepared[#prepared + 1] = wrk.format("POST", nil, headers, body)
  end
end

function request()
  sent = sent % #prepared + 1
  return prepared[sent]
end
