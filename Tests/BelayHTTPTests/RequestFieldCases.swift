extension MessageCase {
    /// Field lines (RFC 9112 §5, RFC 9110 §5.5 and §5.6).
    static let fieldLines: [MessageCase] = [
        .fields("a value", "X: y", "POST / none keep"),
        .fields("no space behind the colon", "X:y", "POST / none keep"),
        .fields("white space around", "X: \t y \t", "POST / none keep"),
        .fields("an empty value", "X:", "POST / none keep"),
        .fields("only white space", "X: \t ", "POST / none keep"),
        .fields("a tab inside", "X: a\tb\tc", "POST / none keep"),
        .fields("a tab in a long value", "X: abcdefghijkl\tmnopqrstuvw", "POST / none keep"),
        .fields("every character of a token", "!#$%&'*+-.^_`|~09azAZ: y", "POST / none keep"),
        .fields("obs-text in a value", "X: D\u{FC}sseldorf\u{FF}\u{80}", "POST / none keep"),
        .fields("a colon in a value", "X: a:b:c", "POST / none keep"),
        .fields("no colon", "NoColon", "400 no-colon"),
        .fields("no colon but characters of a token", "No_Colon", "400 no-colon"),
        .fields("an empty name", ": y", "400 bad-field-name"),
        .fields("a space before the colon (§5.1)", "X : y", "400 space-before-colon"),
        .fields("a tab before the colon", "X\t: y", "400 space-before-colon"),
        .fields("several before the colon", "X \t : y", "400 space-before-colon"),
        .fields("a space in a name", "X Y: z", "400 bad-field-name"),
        .fields("a bracket in a name", "X[: y", "400 bad-field-name"),
        .fields("a parenthesis in a name", "X(y): z", "400 bad-field-name"),
        .fields("a quote in a name", "\"X\": y", "400 bad-field-name"),
        .fields("an at sign in a name", "Fo@: y", "400 bad-field-name"),
        .fields("a comma in a name", "X,Y: z", "400 bad-field-name"),
        .fields("a slash in a name", "X/Y: z", "400 bad-field-name"),
        .fields("NUL in a name", "X\u{0}: y", "400 bad-field-name"),
        .fields("DEL in a name", "X\u{7F}: y", "400 bad-field-name"),
        .fields("a high byte in a name", "X-T\u{EB}st: y", "400 bad-field-name"),
        .fields("a high byte before a name", "\u{A0}X: y", "400 bad-field-name"),
        .fields("a folded line (§5.2)", "X: y\r\n z", "400 obsolete-fold"),
        .fields("a folded line with a tab", "X: y\r\n\tz", "400 obsolete-fold"),
        .fields("a folded empty value", "X:\r\n y", "400 obsolete-fold"),
        .fields("a line of white space", " ", "400 obsolete-fold"),
        .fields("NUL in a value", "X: a\u{0}b", "400 bad-field-value"),
        .fields("BEL in a value", "X: a\u{7}b", "400 bad-field-value"),
        .fields("a vertical tab in a value", "X: \u{B}b", "400 bad-field-value"),
        .fields("DEL in a value", "X: a\u{7F}b", "400 bad-field-value"),
        .fields("a control far in a value", "X: abcdefghijklmnopq\u{1F}", "400 bad-field-value"),
        .fields("DEL far in a value", "X: abcdefghijklmnopqr\u{7F}s", "400 bad-field-value"),
        .fields("a bare CR in a value", "X: a\rb", "400 bare-carriage-return"),
        .fields("a bare CR before the end", "X: a\r", "400 bare-carriage-return"),
        .fields("a bare CR in a name", "X\rY: a", "400 bare-carriage-return"),
        .fields("a bare CR first", "\rX: a", "400 bare-carriage-return"),
        .fields("a bare LF in a value", "X: a\nb", "400 bare-line-feed"),
        .fields("a bare LF between lines", "X: a\nY: b", "400 bare-line-feed"),
        .fields("a bare LF in a name", "X\nY: a", "400 bare-line-feed"),
        .fields(
            "Content-Type twice",
            "Content-Type: a/b\r\nContent-Type: c/d",
            "400 repeated-field"
        ),
        .fields("Content_Length", "Content_Length: 5", "400 bad-field-name"),
        .fields("Transfer_Encoding", "Transfer_Encoding: chunked", "400 bad-field-name"),
        .fields("X_Forwarded_For", "X_Forwarded_For: 1.2.3.4", "400 bad-field-name"),
        .fields("X-Forwarded_Proto", "X-Forwarded_Proto: https", "400 bad-field-name"),
        .fields("Keep_Alive", "Keep_Alive: 5", "400 bad-field-name"),
        .fields("ContentLength", "ContentLength: 5", "400 bad-field-name"),
        .fields("Content--Length", "Content--Length: 5", "400 bad-field-name"),
        .fields("Content.Length", "Content.Length: 5", "400 bad-field-name"),
        .fields("TransferEncoding", "TransferEncoding: chunked", "400 bad-field-name"),
        .fields("Transfer-Encoding-", "Transfer-Encoding-: chunked", "400 bad-field-name"),
        .fields("-Content-Length", "-Content-Length: 5", "400 bad-field-name"),
        .fields("+Transfer-Encoding", "+Transfer-Encoding: chunked", "400 bad-field-name"),
        .fields("an honest underscore", "X_Trace_Id: 5", "POST / none keep"),
        .fields("names that begin alike", "Content-Length-Hint: 5", "POST / none keep"),
        .fields(
            "as many fields as fit",
            (1...15).map { "X\($0): y" }.joined(separator: "\r\n"),
            "POST / none keep"
        ),
        .fields(
            "one field too many",
            (1...16).map { "X\($0): y" }.joined(separator: "\r\n"),
            "431 too-many-fields"
        ),
        .fields("a large head", "X: " + String(repeating: "y", count: 600), "431 head-too-large"),
        .fields("a large name", String(repeating: "y", count: 600), "431 head-too-large"),
        .requestLine(
            "a large target",
            "GET /" + String(repeating: "y", count: 600) + " HTTP/1.1",
            "414 target-too-long"
        ),
        MessageCase(
            rule: "Host missing (§3.2)",
            text: "GET / HTTP/1.1\r\n\r\n",
            want: "400 missing-host"
        ),
        MessageCase(
            rule: "Host missing in HTTP/1.0",
            text: "GET / HTTP/1.0\r\n\r\n",
            want: "GET / 1.0 none close"
        ),
        MessageCase(
            rule: "Host bad in HTTP/1.0",
            text: "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n",
            want: "400 bad-host"
        ),
        .fields("Host twice", "Host: b.example", "400 several-hosts"),
        .fields("Host twice the same", "Host: a.example", "400 several-hosts"),
        .fields("Host twice in other letters", "hOST: a.example", "400 several-hosts"),
    ]

    /// Content-Length and Transfer-Encoding (RFC 9112 §6).
    static let framing: [MessageCase] = [
        MessageCase(
            rule: "a length and its body",
            text: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            want: "POST / length 5 keep; body hello"
        ),
        MessageCase(
            rule: "a body and another request",
            text: "POST / HTTP/1.1\r\nHost: a\r\ncontent-length:5\r\n\r\nhello"
                + "GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            want: "POST / length 5 keep; body hello; GET /b none keep"
        ),
        MessageCase(
            rule: "an empty line behind a body",
            text: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n"
                + "GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            want: "POST / length 1 keep; body x; GET /b none keep"
        ),
        MessageCase(
            rule: "a body shorter than said",
            text: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello",
            want: "POST / length 9 keep; body hello; in body"
        ),
        MessageCase(
            rule: "a body cut short",
            text: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello",
            want: "POST / length 9 keep; body hello; 400 unexpected-end",
            closes: true
        ),
        MessageCase(
            rule: "GET with a body",
            text: "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
            want: "GET / length 2 keep; body hi"
        ),
        MessageCase(
            rule: "TRACE with a body (RFC 9110 §9.3.8)",
            text: "TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
            want: "400 body-not-allowed"
        ),
        MessageCase(
            rule: "CONNECT with a body",
            text: "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nTransfer-Encoding: chunked\r\n\r\n",
            want: "400 body-not-allowed"
        ),
        .fields("a length of zero", "Content-Length: 0", "POST / length 0 keep"),
        .fields(
            "the largest length",
            "Content-Length: 9223372036854775807",
            "POST / length 9223372036854775807 keep; in body"
        ),
        .fields("2^63", "Content-Length: 9223372036854775808", "400 bad-content-length"),
        .fields("2^64 - 1", "Content-Length: 18446744073709551615", "400 bad-content-length"),
        .fields("2^64", "Content-Length: 18446744073709551616", "400 bad-content-length"),
        .fields("many digits", "Content-Length: 99999999999999999999999", "400 bad-content-length"),
        .fields("empty", "Content-Length:", "400 bad-content-length"),
        .fields("a plus", "Content-Length: +5", "400 bad-content-length"),
        .fields("a minus", "Content-Length: -1", "400 bad-content-length"),
        .fields("minus zero", "Content-Length: -0", "400 bad-content-length"),
        .fields("letters", "Content-Length: abc", "400 bad-content-length"),
        .fields("a letter behind", "Content-Length: 5x", "400 bad-content-length"),
        .fields("hexadecimal", "Content-Length: 0x5", "400 bad-content-length"),
        .fields("octal", "Content-Length: 0o5", "400 bad-content-length"),
        .fields("zeros before", "Content-Length: 005", "400 bad-content-length"),
        .fields("two zeros", "Content-Length: 00", "400 bad-content-length"),
        .fields("a point", "Content-Length: 5.0", "400 bad-content-length"),
        .fields("an exponent", "Content-Length: 5e1", "400 bad-content-length"),
        .fields("an underscore", "Content-Length: 1_0", "400 bad-content-length"),
        .fields("a space inside", "Content-Length: 1 0", "400 bad-content-length"),
        .fields("a list", "Content-Length: 5, 5", "400 bad-content-length"),
        .fields("a list of two", "Content-Length: 5, 6", "400 bad-content-length"),
        .fields("a quoted number", "Content-Length: \"5\"", "400 bad-content-length"),
        .fields("a high digit", "Content-Length: \u{B2}", "400 bad-content-length"),
        .fields("a tab before", "Content-Length:\t5", "400 bad-content-length"),
        .fields("two spaces before", "Content-Length:  5", "400 bad-content-length"),
        .fields("a space behind", "Content-Length: 5 ", "400 bad-content-length"),
        .fields("twice", "Content-Length: 5\r\nContent-Length: 6", "400 several-content-lengths"),
        .fields(
            "twice the same",
            "Content-Length: 5\r\nContent-Length: 5",
            "400 several-content-lengths"
        ),
        .fields(
            "both (§6.3)",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "400 length-and-transfer-encoding"
        ),
        .fields(
            "both the other way",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "400 length-and-transfer-encoding"
        ),
        .fields(
            "both, with a coding that is none",
            "Transfer-Encoding: xchunked\r\nContent-Length: 5",
            "400 length-and-transfer-encoding"
        ),
        .fields("chunked", "Transfer-Encoding: chunked", "POST / chunked keep; in body"),
        .fields("Chunked", "Transfer-Encoding: Chunked", "POST / chunked keep; in body"),
        .fields("CHUNKED", "TRANSFER-ENCODING:CHUNKED", "POST / chunked keep; in body"),
        .fields("gzip", "Transfer-Encoding: gzip", "501 unsupported-transfer-coding"),
        .fields("identity", "Transfer-Encoding: identity", "501 unsupported-transfer-coding"),
        .fields("xchunked", "Transfer-Encoding: xchunked", "501 unsupported-transfer-coding"),
        .fields("chunkedx", "Transfer-Encoding: chunkedx", "501 unsupported-transfer-coding"),
        .fields(
            "chunked twice",
            "Transfer-Encoding: chunked, chunked",
            "400 bad-transfer-encoding"
        ),
        .fields("gzip, chunked", "Transfer-Encoding: gzip, chunked", "400 bad-transfer-encoding"),
        .fields("chunked, gzip", "Transfer-Encoding: chunked, gzip", "400 bad-transfer-encoding"),
        .fields("a comma before", "Transfer-Encoding: , chunked", "400 bad-transfer-encoding"),
        .fields("a comma behind", "Transfer-Encoding: chunked,", "400 bad-transfer-encoding"),
        .fields("a parameter", "Transfer-Encoding: chunked;q=1", "400 bad-transfer-encoding"),
        .fields("quoted", "Transfer-Encoding: \"chunked\"", "400 bad-transfer-encoding"),
        .fields("no coding", "Transfer-Encoding:", "400 bad-transfer-encoding"),
        .fields("a high byte", "Transfer-Encoding: \u{A0}chunked", "400 bad-transfer-encoding"),
        .fields("a tab before chunked", "Transfer-Encoding:\tchunked", "400 bad-transfer-encoding"),
        .fields(
            "spaces before chunked",
            "Transfer-Encoding:  chunked",
            "400 bad-transfer-encoding"
        ),
        .fields(
            "a space behind chunked",
            "Transfer-Encoding: chunked ",
            "400 bad-transfer-encoding"
        ),
        .fields("a vertical tab", "Transfer-Encoding: \u{B}chunked", "400 bad-field-value"),
        .fields("NUL behind", "Transfer-Encoding: chunked\u{0}", "400 bad-field-value"),
        .fields("folded", "Transfer-Encoding:\r\n chunked", "400 obsolete-fold"),
        .fields(
            "Transfer-Encoding twice",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            "400 several-transfer-encodings"
        ),
        .fields(
            "Transfer-Encoding twice the same",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "400 several-transfer-encodings"
        ),
        MessageCase(
            rule: "chunked in HTTP/1.0 (§6.1)",
            text: "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            want: "400 transfer-encoding-in-old-version"
        ),
    ]

    /// Connection, Expect and Upgrade (RFC 9110 §7.6.1, §10.1.1, §7.8).
    static let connections: [MessageCase] = [
        .fields("close", "Connection: close", "POST / none close"),
        .fields("Close", "Connection: Close", "POST / none close"),
        .fields("keep-alive", "Connection: keep-alive", "POST / none keep"),
        .fields("close wins", "Connection: keep-alive, close", "POST / none close"),
        .fields(
            "close wins in another line",
            "Connection: close\r\nConnection: keep-alive",
            "POST / none close"
        ),
        .fields("other options", "Connection: close, token, upgrade", "POST / none close"),
        .fields("empty elements", "Connection: , ,close,, ", "POST / none close"),
        .fields("an empty value", "Connection:", "POST / none keep"),
        .fields("tabs between", "Connection: keep-alive\t,\tTE", "POST / none keep"),
        .fields("options are tokens", "Connection: clo se", "400 bad-connection"),
        .fields("a quoted option", "Connection: \"close\"", "400 bad-connection"),
        .fields("an option with a colon", "Connection: a:b", "400 bad-connection"),
        .fields("a semicolon", "Connection: close;q=1", "400 bad-connection"),
        .fields("it names a field", "Connection: X-Y\r\nx-y: z", "POST / none keep -x-y"),
        .fields(
            "it names several",
            "X-A: 1\r\nConnection: close, x-a, X-B, none\r\nX-B: 2\r\nX-A: 3",
            "POST / none close -X-A -X-B -X-A"
        ),
        .fields("it names TE", "Connection: TE\r\nTE: trailers", "POST / none keep -TE"),
        .fields("it names Host", "Connection: Host", "400 bad-connection"),
        .fields(
            "it names Content-Length",
            "Connection: content-length\r\nContent-Length: 0",
            "400 bad-connection"
        ),
        .fields(
            "it names Transfer-Encoding",
            "Connection: close, Transfer-Encoding",
            "400 bad-connection"
        ),
        .fields("it names Cookie", "Connection: Cookie", "400 bad-connection"),
        .fields("it names Authorization", "Connection: Authorization", "400 bad-connection"),
        .fields("it names X-Forwarded-For", "Connection: X-Forwarded-For", "400 bad-connection"),
        .fields(
            "it names X-Forwarded-Proto",
            "Connection: X-Forwarded-Proto",
            "400 bad-connection"
        ),
        .fields("it names X-Forwarded-Host", "Connection: X-Forwarded-Host", "400 bad-connection"),
        .fields("it names Forwarded", "Connection: Forwarded", "400 bad-connection"),
        .fields("it names Via", "Connection: Via", "400 bad-connection"),
        .fields("it names Expect", "Connection: Expect", "400 bad-connection"),
        .fields("it names Cache-Control", "Connection: Cache-Control", "400 bad-connection"),
        .fields(
            "as many options as allowed",
            "Connection: " + String(repeating: "a,", count: 32),
            "POST / none keep"
        ),
        .fields(
            "too many options",
            "Connection: " + String(repeating: "a,", count: 33),
            "400 bad-connection"
        ),
        MessageCase(
            rule: "HTTP/1.0 with keep-alive",
            text: "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            want: "GET / 1.0 none keep"
        ),
        MessageCase(
            rule: "HTTP/1.0 with both",
            text: "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
            want: "GET / 1.0 none close"
        ),
        .fields(
            "100-continue",
            "Expect: 100-continue\r\nContent-Length: 1",
            "POST / length 1 keep expects; in body"
        ),
        .fields(
            "100-Continue",
            "Expect: 100-Continue\r\nTransfer-Encoding: chunked",
            "POST / chunked keep expects; in body"
        ),
        .fields("100-continue without a body", "Expect: 100-continue", "POST / none keep"),
        .fields(
            "100-continue and an empty body",
            "Expect: 100-continue\r\nContent-Length: 0",
            "POST / length 0 keep"
        ),
        .fields("another expectation", "Expect: 200-ok", "417 bad-expectation"),
        .fields("no expectation", "Expect:", "417 bad-expectation"),
        .fields("two expectations", "Expect: 100-continue, x", "417 bad-expectation"),
        .fields("one good, one bad", "Expect: 100-continue\r\nExpect: x", "417 bad-expectation"),
        MessageCase(
            rule: "100-continue in HTTP/1.0 is passed over",
            text: "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
            want: "POST / 1.0 length 1 close; in body"
        ),
        .fields(
            "WebSocket",
            "Connection: Upgrade\r\nUpgrade: websocket",
            "POST / none keep upgrades"
        ),
        .fields(
            "Firefox's WebSocket",
            "Connection: keep-alive, Upgrade\r\nUpgrade: websocket",
            "POST / none keep upgrades"
        ),
        .fields(
            "Upgrade with a version",
            "Connection: upgrade\r\nUpgrade: IRC/6.9, RTA/x11",
            "POST / none keep upgrades"
        ),
        .fields("Upgrade that Connection does not name", "Upgrade: websocket", "POST / none keep"),
        .fields("Connection without Upgrade", "Connection: upgrade", "POST / none keep"),
        .fields("no protocol", "Connection: upgrade\r\nUpgrade:", "POST / none keep"),
        .fields(
            "Upgrade with a body is passed over",
            "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1",
            "POST / length 1 keep; in body"
        ),
        .fields("h2c gets no tunnel", "Connection: upgrade\r\nUpgrade: h2c", "POST / none keep"),
        .fields("nor H2C", "Connection: upgrade\r\nUpgrade: websocket, H2C", "POST / none keep"),
        .fields("nor HTTP/2.0", "Connection: upgrade\r\nUpgrade: HTTP/2.0", "POST / none keep"),
        .fields("nor TLS/1.0", "Connection: upgrade\r\nUpgrade: TLS/1.0", "POST / none keep"),
        .fields("protocols are tokens", "Upgrade: web socket", "400 bad-upgrade"),
        .fields("a protocol without a version", "Upgrade: a/", "400 bad-upgrade"),
        .fields("a protocol with two versions", "Upgrade: a/b/c", "400 bad-upgrade"),
        MessageCase(
            rule: "Upgrade in HTTP/1.0 is passed over",
            text: "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            want: "GET / 1.0 none close"
        ),
    ]

    /// Streams of requests, and what is not complete.
    static let streams: [MessageCase] = [
        MessageCase(rule: "nothing", text: "", want: ""),
        MessageCase(rule: "half a method", text: "GE", want: "in head"),
        MessageCase(rule: "half a request line", text: "GET /a HTT", want: "in head"),
        MessageCase(rule: "no empty line", text: "GET / HTTP/1.1\r\nHost: a\r\n", want: "in head"),
        MessageCase(
            rule: "half an empty line",
            text: "GET / HTTP/1.1\r\nHost: a\r\n\r",
            want: "in head"
        ),
        MessageCase(rule: "only an empty line", text: "\r\n", want: "in head"),
        MessageCase(
            rule: "three in a row",
            text: "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                + "GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /4 HT",
            want: "GET /1 none keep; GET /2 none keep; GET /3 none close"
        ),
        MessageCase(
            rule: "a good one, then a bad one",
            text: "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\nHost: a\r\n\r\n",
            want: "GET /1 none keep; 400 bare-line-feed"
        ),
        MessageCase(
            rule: "a bare CR where a line begins, before its end has come",
            text: "PUT /a HTTP/1.1\r\nHost: a\r\n\rabc",
            want: "400 bare-carriage-return"
        ),
        MessageCase(
            rule: "LF only",
            text: "GET / HTTP/1.1\nHost: a\n\n",
            want: "400 bare-line-feed"
        ),
        MessageCase(
            rule: "a long word and no space",
            text: String(repeating: "A", count: 40),
            want: "400 bad-method"
        ),
    ]
}
