-- Sends the requests of a file, one after another and again from the start: a line holds method,
-- path, session and body, apart by tabs. Answers counts, errors and latencies as a line of JSON.
local sent, lines, at = 0, {}, 0
local cookie = os.getenv("BENCH_COOKIE")

function init(args)
  for line in io.lines(args[1]) do
    local method, path, token, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    lines[#lines + 1] = {method, path, token, body}
  end
  math.randomseed(os.time() + tonumber(args[2]))
  at = math.random(#lines)
end

function request()
  at = at % #lines + 1
  local method, path, token, body = unpack(lines[at])
  local headers = {}
  if token ~= "" then
    if cookie ~= "" then headers["Cookie"] = cookie .. "=" .. token
    else headers["Authorization"] = "Bearer " .. token end
  end
  if body ~= "" then
    headers["Content-Type"] = "application/json"
    if path == "/api/posts" then
      sent = sent + 1
      headers["Idempotency-Key"] = string.format("%d-%d-%d", sent, math.random(2^30), math.random(2^30))
    end
    return wrk.format(method, path, headers, body)
  end
  return wrk.format(method, path, headers)
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\nBENCH {"requests": %d, "seconds": %.6f, "bytes": %d, "p50": %.3f, "p95": %.3f, ' ..
    '"p99": %.3f, "longest": %.3f, "broken": %d, "refused": %d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000,
    latency:percentile(99) / 1000, latency.max / 1000,
    e.connect + e.read + e.write + e.timeout, e.status))
end
