import Testing

/// Requests and what becomes of them.
struct HeadCase: Sendable, CustomTestStringConvertible {
    var rule: String
    var fields: [(String, String)]
    /// The text; nil for a head that is malformed.
    var want: String?
    var isLast = true

    var testDescription: String { self.rule }

    static let good: [HeadCase] = [
        HeadCase(
            rule: "a plain request",
            fields: Frames.get("/a?b=c"),
            want: "GET /a?b=c HTTP/1.1\r\nHost: a.example\r\n\r\n"
        ),
        HeadCase(
            rule: "pseudo-header fields in any order",
            fields: [
                (":path", "/"), (":authority", "a.example:8443"), (":scheme", "http"),
                (":method", "POST"), ("x", "y"),
            ],
            want: "POST / HTTP/1.1\r\nHost: a.example:8443\r\nx: y\r\n\r\n"
        ),
        HeadCase(
            rule: "pieces of a cookie become one line",
            fields: Frames.get("/", [("cookie", "a=b"), ("x", "y"), ("cookie", "c=d")]),
            want: "GET / HTTP/1.1\r\nHost: a.example\r\nx: y\r\ncookie: a=b; c=d\r\n\r\n"
        ),
        HeadCase(
            rule: "a Host that says the same",
            fields: Frames.get("/", [("host", "A.example")]),
            want: "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
        ),
        HeadCase(
            rule: "a Host instead of an authority",
            fields: [
                (":method", "GET"), (":scheme", "https"), (":path", "/"), ("host", "b.example"),
            ],
            want: "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n"
        ),
        HeadCase(
            rule: "OPTIONS of the server",
            fields: [
                (":method", "OPTIONS"), (":scheme", "https"), (":authority", "a.example"),
                (":path", "*"),
            ],
            want: "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n"
        ),
        HeadCase(
            rule: "CONNECT",
            fields: [(":method", "CONNECT"), (":authority", "a.example:443")],
            want: "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
            isLast: false
        ),
        HeadCase(
            rule: "TE: trailers",
            fields: Frames.get("/", [("te", "trailers")]),
            want: "GET / HTTP/1.1\r\nHost: a.example\r\nte: trailers\r\n\r\n"
        ),
        HeadCase(
            rule: "an empty value, and bytes beyond ASCII in one",
            fields: Frames.get("/", [("a", ""), ("b", "\u{E9}\t\u{FF}")]),
            want: "GET / HTTP/1.1\r\nHost: a.example\r\na: \r\nb: \u{E9}\t\u{FF}\r\n\r\n"
        ),
        HeadCase(
            rule: "a length that the body will have",
            fields: Frames.get("/", [("content-length", "5")]),
            want: "GET / HTTP/1.1\r\nHost: a.example\r\ncontent-length: 5\r\n\r\n",
            isLast: false
        ),
        HeadCase(
            rule: "a method of somebody's own",
            fields: [
                (":method", "M-SEARCH"), (":scheme", "https"), (":authority", "[::1]:80"),
                (":path", "/%20"),
            ],
            want: "M-SEARCH /%20 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"
        ),
    ]

    private static func bad(_ rule: String, _ more: [(String, String)]) -> HeadCase {
        HeadCase(rule: rule, fields: Frames.get("/", more), want: nil)
    }

    /// A request with one pseudo-header field replaced, or without it.
    private static func pseudo(_ rule: String, _ name: String, _ value: String?) -> HeadCase {
        let fields = Frames.get().compactMap { field -> (String, String)? in
            field.0 == name ? value.map { (name, $0) } : field
        }
        return HeadCase(rule: rule, fields: fields, want: nil)
    }

    static let badPseudo: [HeadCase] = [
        pseudo("no method", ":method", nil),
        pseudo("no scheme", ":scheme", nil),
        pseudo("no path", ":path", nil),
        pseudo("no authority and no Host", ":authority", nil),
        HeadCase(rule: "no fields at all", fields: [], want: nil),
        HeadCase(rule: "two methods", fields: Frames.get() + [(":method", "GET")], want: nil),
        HeadCase(rule: "two paths", fields: Frames.get() + [(":path", "/")], want: nil),
        HeadCase(rule: "two schemes", fields: Frames.get() + [(":scheme", "https")], want: nil),
        HeadCase(
            rule: "two authorities",
            fields: Frames.get() + [(":authority", "a.example")],
            want: nil
        ),
        HeadCase(rule: "an unknown one", fields: Frames.get() + [(":foo", "bar")], want: nil),
        HeadCase(rule: "one of responses", fields: Frames.get() + [(":status", "200")], want: nil),
        HeadCase(
            rule: "one behind a field",
            fields: Array(Frames.get().dropLast()) + [("x", "y"), (":path", "/")],
            want: nil
        ),
        pseudo("an empty path", ":path", ""),
        pseudo("a path without a slash", ":path", "a"),
        pseudo("an absolute target", ":path", "https://a.example/"),
        pseudo("an asterisk for GET", ":path", "*"),
        pseudo("a space in the path", ":path", "/a b"),
        pseudo("a request line in the path", ":path", "/ HTTP/1.1\r\nx: y"),
        pseudo("a fragment", ":path", "/a#b"),
        pseudo("NUL in the path", ":path", "/\u{0}"),
        pseudo("a tab in the path", ":path", "/\t"),
        pseudo("a byte beyond ASCII in the path", ":path", "/\u{E9}"),
        pseudo("DEL in the path", ":path", "/\u{7F}"),
        pseudo("an empty method", ":method", ""),
        pseudo("a space in the method", ":method", "GET /x"),
        pseudo("a line end in the method", ":method", "GET\r\n"),
        pseudo("a method that is no token", ":method", "GE(T"),
        pseudo("an empty authority", ":authority", ""),
        pseudo("user information", ":authority", "me@a.example"),
        pseudo("a path in the authority", ":authority", "a.example/x"),
        pseudo("a query in the authority", ":authority", "a.example?x"),
        pseudo("a fragment in the authority", ":authority", "a.example#x"),
        pseudo("a backslash in the authority", ":authority", "a.example\\x"),
        pseudo("a space in the authority", ":authority", "a example"),
        pseudo("a line end in the authority", ":authority", "a.example\r\nx: y"),
        pseudo("NUL in the authority", ":authority", "a\u{0}"),
        pseudo("a byte beyond ASCII in the authority", ":authority", "\u{E9}.example"),
        pseudo("an empty scheme", ":scheme", ""),
        pseudo("a scheme of another kind", ":scheme", "ftp"),
        pseudo("white space around the scheme", ":scheme", " https"),
        pseudo("CONNECT with scheme and path", ":method", "CONNECT"),
        HeadCase(rule: "CONNECT without authority", fields: [(":method", "CONNECT")], want: nil),
        HeadCase(
            rule: "CONNECT with a path only",
            fields: [(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")],
            want: nil
        ),
        HeadCase(
            rule: ":protocol without CONNECT",
            fields: Frames.get() + [(":protocol", "websocket")],
            want: nil
        ),
        HeadCase(
            rule: "extended CONNECT without a path",
            fields: [
                (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
                (":authority", "a.example"),
            ],
            want: nil
        ),
        HeadCase(
            rule: "extended CONNECT without an authority",
            fields: [
                (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
                (":path", "/"), ("host", "a.example"),
            ],
            want: nil
        ),
    ]

    static let badFields: [HeadCase] = [
        bad("a name in upper case", [("X", "y")]),
        bad("an empty name", [("", "y")]),
        bad("a colon in a name", [("x:y", "z")]),
        bad("a space in a name", [("x y", "z")]),
        bad("a space behind a name", [("x ", "z")]),
        bad("a line end in a name", [("x\r\ny", "z")]),
        bad("NUL in a name", [("x\u{0}", "z")]),
        bad("a byte beyond ASCII in a name", [("\u{E9}", "z")]),
        bad("a name that is no token", [("x(y", "z")]),
        bad("LF in a value", [("x", "a\nb: c")]),
        bad("CR in a value", [("x", "a\rb")]),
        bad("a line end in a value", [("x", "a\r\nb: c")]),
        bad("NUL in a value", [("x", "a\u{0}")]),
        bad("a control character in a value", [("x", "a\u{1}")]),
        bad("DEL in a value", [("x", "a\u{7F}")]),
        bad("a space before a value", [("x", " a")]),
        bad("a space behind a value", [("x", "a ")]),
        bad("a tab before a value", [("x", "\ta")]),
        bad("a tab behind a value", [("x", "a\t")]),
        bad("Connection", [("connection", "close")]),
        bad("Keep-Alive", [("keep-alive", "5")]),
        bad("Proxy-Connection", [("proxy-connection", "close")]),
        bad("Transfer-Encoding", [("transfer-encoding", "chunked")]),
        bad("Upgrade", [("upgrade", "websocket")]),
        bad("TE other than trailers", [("te", "gzip")]),
        bad("TE with more than trailers", [("te", "trailers, gzip")]),
        bad("two lengths that differ", [("content-length", "1"), ("content-length", "2")]),
        bad("two lengths that agree", [("content-length", "0"), ("content-length", "0")]),
        bad("a length that is none", [("content-length", "+1")]),
        bad("a list of lengths", [("content-length", "1, 1")]),
        bad("an empty length", [("content-length", "")]),
        bad("a length without a body", [("content-length", "1")]),
        bad("a Host that says something else", [("host", "b.example")]),
        bad("a Host with user information", [("host", "me@a.example")]),
        bad("an empty Host", [("host", "")]),
        bad("two Hosts", [("host", "a.example"), ("host", "a.example")]),
        HeadCase(
            rule: "a line end in a Host without authority",
            fields: [
                (":method", "GET"), (":scheme", "https"), (":path", "/"),
                ("host", "b.example\r\nx: y"),
            ],
            want: nil
        ),
        bad("a line end in a cookie", [("cookie", "a=b\r\nx: y")]),
    ]

    static let responses: [HeadCase] = [
        HeadCase(
            rule: "a plain response",
            fields: [(":status", "204"), ("a", "b")],
            want: "HTTP/1.1 204 \r\na: b\r\n\r\n"
        ),
        HeadCase(
            rule: "several Set-Cookies stay apart",
            fields: [(":status", "200"), ("set-cookie", "a=b"), ("set-cookie", "c=d")],
            want: "HTTP/1.1 200 \r\nset-cookie: a=b\r\nset-cookie: c=d\r\n\r\n"
        ),
        HeadCase(rule: "no status", fields: [("a", "b")], want: nil),
        HeadCase(rule: "no fields at all", fields: [], want: nil),
        HeadCase(
            rule: "two statuses",
            fields: [(":status", "200"), (":status", "200")],
            want: nil
        ),
        HeadCase(
            rule: "a status behind a field",
            fields: [("a", "b"), (":status", "200")],
            want: nil
        ),
        HeadCase(rule: "101", fields: [(":status", "101")], want: nil),
        HeadCase(rule: "a status below 100", fields: [(":status", "099")], want: nil),
        HeadCase(rule: "a status above 599", fields: [(":status", "600")], want: nil),
        HeadCase(rule: "a short status", fields: [(":status", "20")], want: nil),
        HeadCase(rule: "a status with a sign", fields: [(":status", "+20")], want: nil),
        HeadCase(rule: "a status with a line end", fields: [(":status", "200\r\n")], want: nil),
        HeadCase(rule: "one of requests", fields: [(":status", "200"), (":path", "/")], want: nil),
        HeadCase(
            rule: "a name in upper case",
            fields: [(":status", "200"), ("A", "b")],
            want: nil
        ),
        HeadCase(
            rule: "a line end in a value",
            fields: [(":status", "200"), ("a", "b\r\nc: d")],
            want: nil
        ),
        HeadCase(
            rule: "Connection",
            fields: [(":status", "200"), ("connection", "close")],
            want: nil
        ),
        HeadCase(
            rule: "Transfer-Encoding",
            fields: [(":status", "200"), ("transfer-encoding", "chunked")],
            want: nil
        ),
        HeadCase(rule: "Upgrade", fields: [(":status", "200"), ("upgrade", "x")], want: nil),
        HeadCase(
            rule: "two lengths",
            fields: [(":status", "200"), ("content-length", "0"), ("content-length", "0")],
            want: nil
        ),
    ]
}
