-- Asks the gateway about a request, and does what it says.

local decisions = "http://127.0.0.1:8091/verify"

-- What the decision says replaces what the caller sent; what it does not say goes.
local decided = { "authorization", "x-user", "x-group" }
-- Only HAProxy says what the request in question is.
local described = {
    "x-forwarded-method", "x-forwarded-host", "x-forwarded-uri",
    "x-original-method", "x-original-host", "x-original-uri",
}
-- These are about the body and the connection, which stay here.
local framing = {
    ["host"] = true, ["content-length"] = true, ["transfer-encoding"] = true,
    ["connection"] = true, ["upgrade"] = true, ["expect"] = true,
}

local function question(txn)
    local headers = {}
    for name, values in pairs(txn.http:req_get_headers()) do
        if not framing[name] then
            headers[name] = {}
            for index = 0, #values do
                table.insert(headers[name], values[index])
            end
        end
    end
    for _, name in ipairs(described) do
        headers[name] = nil
    end
    headers["x-forwarded-method"] = { txn.sf:method() }
    headers["x-forwarded-host"] = { txn.sf:req_hdr("host") }
    headers["x-forwarded-uri"] = { txn.sf:pathq() }
    return headers
end

local function refuse(txn, answer)
    -- Without an answer nobody goes on.
    local reply = txn:reply({ status = 503 })
    if answer and answer.status >= 400 then
        reply:set_status(answer.status)
        reply:set_body(answer.body or "")
        for _, name in ipairs({ "www-authenticate", "content-type", "retry-after" }) do
            for _, value in pairs(answer.headers[name] or {}) do
                reply:add_header(name, value)
            end
        end
    end
    txn:done(reply)
end

core.register_action("verify", { "http-req" }, function(txn)
    local asked, answer = pcall(function()
        return core.httpclient():get({ url = decisions, headers = question(txn) })
    end)
    if not asked or not answer or answer.status ~= 200 then
        refuse(txn, asked and answer or nil)
        return
    end
    for _, name in ipairs(decided) do
        txn.http:req_del_header(name)
        for _, value in pairs(answer.headers[name] or {}) do
            if value ~= "" then
                txn.http:req_add_header(name, value)
            end
        end
    end
end, 0)
