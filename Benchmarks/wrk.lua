-- What wrk sends: a browser's head with the binding cookies that were collected before.
-- wrk ... -s wrk.lua URL -- METHOD BODY_BYTES CLOSE COOKIES_FILE
-- Requests are written once, so that the load costs one call of Lua an exchange.

local requests, count, index = {}, 0, 0

function init(arguments)
    local method, size, close = arguments[1], tonumber(arguments[2]), arguments[3] == "close"
    local body = size > 0 and string.rep("u", size) or nil
    for cookie in io.lines(arguments[4]) do
        local headers = {
            ["Host"] = "shop.example",
            ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) "
                .. "Gecko/20100101 Firefox/128.0",
            ["Accept"] = "*/*",
            ["Accept-Language"] = "en-GB,en;q=0.5",
            ["Accept-Encoding"] = "gzip, deflate",
            ["Cookie"] = cookie,
        }
        if close then headers["Connection"] = "close" end
        if body then headers["Content-Type"] = "application/octet-stream" end
        count = count + 1
        requests[count] = wrk.format(method, nil, headers, body)
    end
end

function request()
    index = index % count + 1
    return requests[index]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"exchanges": %d, "seconds": %.6f, "bytes": %d, "p50_us": %d, "p99_us": %d, '
        .. '"errors": {"connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}}\n',
        summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(50),
        latency:percentile(99), errors.connect, errors.read, errors.write, errors.timeout,
        errors.status))
end
