extension MessageCase {
    /// A status line and nothing else.
    private static func status(_ rule: String, _ line: String, _ want: String) -> MessageCase {
        MessageCase(rule: rule, text: line + "\r\nContent-Length: 0\r\n\r\n", want: want)
    }

    private static func answer(
        _ rule: String,
        _ text: String,
        _ want: String,
        closes: Bool = false
    ) -> MessageCase {
        MessageCase(rule: rule, text: text, want: want, closes: closes)
    }

    /// Status lines (RFC 9112 §4).
    static let statusLines: [MessageCase] = [
        .status("a reason", "HTTP/1.1 200 OK", "200 OK length 0 keep"),
        .status("a long reason", "HTTP/1.1 404 Not Found", "404 Not Found length 0 keep"),
        .status("an empty reason", "HTTP/1.1 200 ", "200  length 0 keep"),
        .status("no reason and no space", "HTTP/1.1 200", "200  length 0 keep"),
        .status("obs-text", "HTTP/1.1 200 Pr\u{EA}t", "200 Pr\u{EA}t length 0 keep"),
        .status("a tab", "HTTP/1.1 200 O\tK", "200 O\tK length 0 keep"),
        .status("HTTP/1.0", "HTTP/1.0 200 OK", "200 OK 1.0 length 0 close"),
        .status("the largest status", "HTTP/1.1 599 x", "599 x length 0 keep"),
        .status("status 600", "HTTP/1.1 600 x", "400 bad-status"),
        .status("status 999", "HTTP/1.1 999 x", "400 bad-status"),
        .status("status 099", "HTTP/1.1 099 x", "400 bad-status"),
        .status("two digits", "HTTP/1.1 20 OK", "400 bad-status-line"),
        .status("four digits", "HTTP/1.1 2000 OK", "400 bad-status-line"),
        .status("letters", "HTTP/1.1 2x0 OK", "400 bad-status-line"),
        .status("a minus", "HTTP/1.1 -20 OK", "400 bad-status-line"),
        .status("two spaces", "HTTP/1.1  200 OK", "400 bad-status-line"),
        .status("a tab between", "HTTP/1.1\t200 OK", "400 bad-request-line"),
        .status("a tab behind the status", "HTTP/1.1 200\tOK", "400 bad-status-line"),
        .status("a control in the reason", "HTTP/1.1 200 O\u{1}K", "400 bad-status-line"),
        .status("a bare CR in the reason", "HTTP/1.1 200 O\rK", "400 bare-carriage-return"),
        .status("a bare LF", "HTTP/1.1 200 OK\nX: y", "400 bare-line-feed"),
        .status("HTTP/2", "HTTP/2 200 OK", "400 bad-status-line"),
        .status("HTTP/2.0", "HTTP/2.0 200 OK", "505 unsupported-version"),
        .status("HTTP/1.2", "HTTP/1.2 200 OK", "505 unsupported-version"),
        .status("small letters", "http/1.1 200 OK", "400 bad-status-line"),
        .status("another protocol", "ICY 200 OK", "400 bad-status-line"),
        .status("no version", "200 OK", "400 bad-status-line"),
        .status("an empty line first", "\r\nHTTP/1.1 200 OK", "400 bad-status-line"),
        .status("garbage first", "\u{15}\u{3}\u{1}HTTP/1.1 200 OK", "400 bad-method"),
    ]

    /// Framing of answers to GET (RFC 9112 §6.3).
    static let answers: [MessageCase] = [
        .answer(
            "a length",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "200 OK length 2 keep; body hi"
        ),
        .answer(
            "white space around it",
            "HTTP/1.1 200 OK\r\nContent-Length:\t 2 \r\n\r\nhi",
            "200 OK length 2 keep; body hi"
        ),
        .answer(
            "chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: 1\r\n\r\n",
            "200 OK chunked keep; body hi; trailer A: 1"
        ),
        .answer(
            "until close",
            "HTTP/1.1 200 OK\r\n\r\nhi",
            "200 OK until close close; body hi",
            closes: true
        ),
        .answer(
            "until close, still open",
            "HTTP/1.1 200 OK\r\n\r\nhi",
            "200 OK until close close; body hi; in body"
        ),
        .answer(
            "until close, empty",
            "HTTP/1.1 200 OK\r\n\r\n",
            "200 OK until close close",
            closes: true
        ),
        .answer(
            "cut short",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
            "200 OK length 3 keep; body hi; 400 unexpected-end",
            closes: true
        ),
        .answer(
            "chunked cut short",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
            "200 OK chunked keep; body hi; 400 unexpected-end",
            closes: true
        ),
        .answer(
            "two answers",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 201 Yes\r\n"
                + "Content-Length: 0\r\n\r\n",
            "200 OK length 1 keep; body a; 201 Yes length 0 keep"
        ),
        .answer(
            "an interim answer first",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "100 Continue none keep; 200 OK length 0 keep"
        ),
        .answer(
            "early hints",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
            "103 Early Hints none keep; 204 x none keep"
        ),
        .answer("204", "HTTP/1.1 204 No Content\r\n\r\n", "204 No Content none keep"),
        .answer(
            "204 with length 0",
            "HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n",
            "204 x none (0) keep"
        ),
        .answer(
            "204 that announces a body",
            "HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n",
            "204 x none (5) close"
        ),
        .answer(
            "204 that announces chunks",
            "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "204 x none close"
        ),
        .answer(
            "100 that announces a body",
            "HTTP/1.1 100 x\r\nContent-Length: 5\r\n\r\n",
            "100 x none (5) close"
        ),
        .answer(
            "304 states a length",
            "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n",
            "304 x none (5) keep"
        ),
        .answer("304 without", "HTTP/1.1 304 x\r\n\r\n", "304 x none keep"),
        .answer(
            "101",
            "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "101 x none keep upgrades"
        ),
        .answer(
            "101 without Upgrade",
            "HTTP/1.1 101 x\r\nConnection: Upgrade\r\n\r\n",
            "400 bad-upgrade"
        ),
        .answer(
            "101 without Connection",
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n",
            "400 bad-upgrade"
        ),
        .answer(
            "101 with a length",
            "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: a\r\nContent-Length: 0\r\n\r\n",
            "400 bad-upgrade"
        ),
        .answer(
            "101 in HTTP/1.0",
            "HTTP/1.0 101 x\r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\n",
            "400 bad-upgrade"
        ),
        .answer(
            "Upgrade offered with 200",
            "HTTP/1.1 200 x\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
            "200 x length 0 keep"
        ),
        .answer(
            "close",
            "HTTP/1.1 200 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "200 x length 0 close"
        ),
        .answer(
            "HTTP/1.0 with keep-alive",
            "HTTP/1.0 200 x\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            "200 x 1.0 length 0 keep"
        ),
        .answer(
            "keep-alive without a length",
            "HTTP/1.0 200 x\r\nConnection: keep-alive\r\n\r\n",
            "200 x 1.0 until close close",
            closes: true
        ),
        .answer(
            "Connection names fields",
            "HTTP/1.1 200 x\r\nConnection: X-A\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n",
            "200 x length 0 keep -X-A"
        ),
        .answer(
            "Connection names framing",
            "HTTP/1.1 200 x\r\nConnection: Transfer-Encoding\r\nContent-Length: 0\r\n\r\n",
            "200 x length 0 keep"
        ),
        .answer(
            "two Content-Types",
            "HTTP/1.1 200 x\r\nContent-Type: a/b\r\nContent-Type: a/b\r\nContent-Length: 0\r\n\r\n",
            "200 x length 0 keep"
        ),
        .answer(
            "both",
            "HTTP/1.1 200 x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400 length-and-transfer-encoding"
        ),
        .answer(
            "two lengths",
            "HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "400 several-content-lengths"
        ),
        .answer(
            "two equal lengths",
            "HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "400 several-content-lengths"
        ),
        .answer(
            "a list of lengths",
            "HTTP/1.1 200 x\r\nContent-Length: 1, 1\r\n\r\n",
            "400 bad-content-length"
        ),
        .answer(
            "an odd length",
            "HTTP/1.1 200 x\r\nContent-Length: +1\r\n\r\n",
            "400 bad-content-length"
        ),
        .answer(
            "gzip",
            "HTTP/1.1 200 x\r\nTransfer-Encoding: gzip\r\n\r\n",
            "501 unsupported-transfer-coding"
        ),
        .answer(
            "gzip, chunked",
            "HTTP/1.1 200 x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "400 bad-transfer-encoding"
        ),
        .answer(
            "chunked in HTTP/1.0",
            "HTTP/1.0 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400 transfer-encoding-in-old-version"
        ),
        .answer("a folded line", "HTTP/1.1 200 x\r\nA: 1\r\n 2\r\n\r\n", "400 obsolete-fold"),
        .answer(
            "a space before the colon",
            "HTTP/1.1 200 x\r\nA : 1\r\n\r\n",
            "400 space-before-colon"
        ),
        .answer("NUL in a value", "HTTP/1.1 200 x\r\nA: \u{0}\r\n\r\n", "400 bad-field-value"),
        .answer(
            "a bare LF in the head",
            "HTTP/1.1 200 x\r\nA: 1\nB: 2\r\n\r\n",
            "400 bare-line-feed"
        ),
        .answer(
            "Connection that is no list",
            "HTTP/1.1 200 x\r\nConnection: a b\r\n\r\n",
            "400 bad-connection"
        ),
        .answer(
            "a bad chunk",
            "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi!",
            "200 x chunked keep; body hi; 400 bad-chunk-end"
        ),
        .answer("not complete", "HTTP/1.1 200", "in head"),
    ]

    /// Framing of answers to HEAD: no body, whatever is stated.
    static let answersToHead: [MessageCase] = [
        .answer("a length", "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n", "200 x none (5) keep"),
        .answer(
            "chunked",
            "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "200 x none keep"
        ),
        .answer("neither", "HTTP/1.1 200 x\r\n\r\n", "200 x none keep"),
        .answer("close", "HTTP/1.1 200 x\r\nConnection: close\r\n\r\n", "200 x none close"),
        .answer(
            "an odd length",
            "HTTP/1.1 200 x\r\nContent-Length: 5x\r\n\r\n",
            "400 bad-content-length"
        ),
    ]
}
