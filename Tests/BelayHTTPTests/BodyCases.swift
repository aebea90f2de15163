extension MessageCase {
    /// Chunked bodies (RFC 9112 §7.1).
    static let chunkedBodies: [MessageCase] = [
        .chunked("one chunk", "5\r\nhello\r\n0\r\n\r\n", "body hello"),
        .chunked("two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "body hello world"),
        .chunked("empty", "0\r\n\r\n", "").endingPlain,
        .chunked("large digits", "A\r\n0123456789\r\n0\r\n\r\n", "body 0123456789"),
        .chunked("small digits", "a\r\n0123456789\r\n0\r\n\r\n", "body 0123456789"),
        .chunked("zeros before", "0005\r\nhello\r\n000\r\n\r\n", "body hello"),
        .chunked("sixteen digits", "0000000000000001\r\nx\r\n0\r\n\r\n", "body x"),
        .chunked("seventeen digits", "00000000000000001\r\nx\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("the largest size", "7fffffffffffffff\r\nx", "body x; in body"),
        .chunked("2^63", "8000000000000000\r\nx", "400 chunk-too-large"),
        .chunked("2^64 - 1", "ffffffffffffffff\r\nx", "400 chunk-too-large"),
        .chunked("an overflow", "FFFFFFFFFFFFFFFF0\r\nhello", "400 bad-chunk-size"),
        .chunked("CR LF in the data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "body \r\n\r\n"),
        .chunked(
            "another request behind",
            "1\r\nx\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            "body x; GET /b none keep"
        ),
        .chunked("not complete: size", "5", "in body"),
        .chunked("not complete: CR", "5\r", "in body"),
        .chunked("not complete: data", "5\r\nhel", "body hel; in body"),
        .chunked("not complete: chunk end", "5\r\nhello\r", "body hello; in body"),
        .chunked("not complete: next size", "5\r\nhello\r\n", "body hello; in body"),
        .chunked("not complete: last line", "0\r\n\r", "in body"),
        .chunked("no size", "\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("no last chunk", "3\r\nfoo\r\n\r\n", "body foo; 400 bad-chunk-size"),
        .chunked("a plus", "+5\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("a minus", "-1\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("a prefix", "0x5\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("an underscore", "1_0\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("a letter", "5g\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("a space before", " 5\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("a space behind", "5 \r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("a tab behind", "5\t\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("a word behind", "2 abc\r\naa\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("a bare LF behind the size", "5\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("a bare CR behind the size", "5\rhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("CR CR LF", "5\r\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("NUL behind", "5\u{0}\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("a high byte", "\u{B2}\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked("data too long", "5\r\nhello!!\r\n0\r\n\r\n", "body hello; 400 bad-chunk-end"),
        .chunked("no end of data", "5\r\nhello0\r\n\r\n", "body hello; 400 bad-chunk-end"),
        .chunked("LF ends the data", "5\r\nhello\n0\r\n\r\n", "body hello; 400 bad-chunk-end"),
        .chunked("CR ends the data", "5\r\nhello\r0\r\n\r\n", "body hello; 400 bad-chunk-end"),
        .chunked("LF CR", "5\r\nhello\n\r0\r\n\r\n", "body hello; 400 bad-chunk-end"),
        .chunked("LF ends the body", "0\r\n\n", "400 bare-line-feed"),
        .chunked("CR ends the body", "0\r\n\rx", "400 bare-carriage-return"),
    ]

    /// Chunk extensions (RFC 9112 §7.1.1): read, and dropped.
    static let extensions: [MessageCase] = [
        .chunked("a name", "5;a\r\nhello\r\n0\r\n\r\n", "body hello"),
        .chunked("a value", "5;a=b\r\nhello\r\n0\r\n\r\n", "body hello"),
        .chunked("several", "5;a=b;c;d=e\r\nhello\r\n0;f=g\r\n\r\n", "body hello"),
        .chunked("a quoted value", "5;a=\"b c\"\r\nhello\r\n0\r\n\r\n", "body hello"),
        .chunked("quoted pairs", "5;a=\"b\\\"\\\\\";c\r\nhello\r\n0\r\n\r\n", "body hello"),
        .chunked("an empty quoted value", "5;a=\"\"\r\nhello\r\n0\r\n\r\n", "body hello"),
        .chunked("a quoted high byte", "5;a=\"\u{E9}\t\"\r\nhello\r\n0\r\n\r\n", "body hello"),
        .chunked("a quoted semicolon", "5;a=\";\"\r\nhello\r\n0\r\n\r\n", "body hello"),
        .chunked("no name", "5;\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-extension"),
        .chunked("no name but a value", "5;=a\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-extension"),
        .chunked("no value", "5;a=\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-extension"),
        .chunked("no name behind another", "5;a;\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-extension"),
        .chunked("a bracket", "5;a[=x\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-extension"),
        .chunked("a space before", "5 ;a\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked(
            "a space before the name",
            "5; a\r\nhello\r\n0\r\n\r\n",
            "400 bad-chunk-extension"
        ),
        .chunked("a space behind", "5;a \r\nhello\r\n0\r\n\r\n", "400 bad-chunk-extension"),
        .chunked("a space before =", "5;a =b\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-extension"),
        .chunked("a quote that stays open", "5;a=\"b\r\nhello\r\n", "400 bad-chunk-extension"),
        .chunked("more behind a quote", "5;a=\"b\"c\r\nhello\r\n", "400 bad-chunk-extension"),
        .chunked("NUL", "5;\u{0}a\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-extension"),
        .chunked("a quoted NUL", "5;a=\"\u{0}\"\r\nhello\r\n", "400 bad-chunk-extension"),
        .chunked("a quoted CR", "5;a=\"\r\"\r\nhello\r\n", "400 bad-chunk-extension"),
        .chunked("an escaped CR", "5;a=\"\\\r\"\r\nhello\r\n", "400 bad-chunk-extension"),
        .chunked("a bare LF", "5;\nhello\r\n0\r\n\r\n", "400 bad-chunk-extension"),
        .chunked("a bare LF behind a name", "5;a\nhello\r\n0\r\n\r\n", "400 bad-chunk-extension"),
        .chunked("a bare CR", "5;a\rX\r\nhello\r\n0\r\n\r\n", "400 bad-chunk-size"),
        .chunked(
            "as long as allowed",
            "5;" + String(repeating: "a", count: 255) + "\r\nhello\r\n0\r\n\r\n",
            "body hello"
        ),
        .chunked(
            "too long",
            "5;" + String(repeating: "a", count: 256) + "\r\nhello\r\n0\r\n\r\n",
            "400 bad-chunk-extension"
        ),
        .chunked(
            "too long to wait",
            "5;" + String(repeating: "a", count: 600),
            "400 bad-chunk-extension"
        ),
    ]

    /// Trailers (RFC 9112 §7.1.2, RFC 9110 §6.5.1).
    static let trailers: [MessageCase] =
        [
            .chunked("one", "0\r\nX-Sum: abc\r\n\r\n", "trailer X-Sum: abc"),
            .chunked("two", "0\r\nA: 1\r\nB: 2\r\n\r\n", "trailer A: 1; trailer B: 2"),
            .chunked("behind data", "1\r\nx\r\n0\r\nA:1\r\n\r\n", "body x; trailer A:1"),
            .chunked("white space stays", "0\r\nA: \t1 \r\n\r\n", "trailer A: \t1 "),
            .chunked("not complete", "0\r\nA: 1\r", "in body"),
            .chunked("one complete, one not", "0\r\nA: 1\r\nB", "trailer A: 1; in body"),
            .chunked("Content-Length", "0\r\nContent-Length: 5\r\n\r\n", "400 bad-trailer"),
            .chunked(
                "Transfer-Encoding",
                "0\r\nTransfer-Encoding: chunked\r\n\r\n",
                "400 bad-trailer"
            ),
            .chunked("Host", "0\r\nhost: b\r\n\r\n", "400 bad-trailer"),
            .chunked("Content_Length", "0\r\nContent_Length: 5\r\n\r\n", "400 bad-trailer"),
            .chunked("-Content-Length", "0\r\n-Content-Length: 5\r\n\r\n", "400 bad-trailer"),
            .chunked("a space before the colon", "0\r\nA : 1\r\n\r\n", "400 bad-trailer"),
            .chunked("no colon", "0\r\nA\r\n\r\n", "400 bad-trailer"),
            .chunked("no name", "0\r\n: 1\r\n\r\n", "400 bad-trailer"),
            .chunked("a folded line", "0\r\nA: 1\r\n 2\r\n\r\n", "trailer A: 1; 400 bad-trailer"),
            .chunked("NUL", "0\r\nA: \u{0}\r\n\r\n", "400 bad-trailer"),
            .chunked("a bare LF", "0\r\nA: 1\nB: 2\r\n\r\n", "400 bare-line-feed"),
            .chunked("a bare CR", "0\r\nA: 1\rB: 2\r\n\r\n", "400 bare-carriage-return"),
            .chunked(
                "as many bytes as allowed",
                "0\r\nA: " + String(repeating: "x", count: 59) + "\r\n\r\n",
                "trailer A: " + String(repeating: "x", count: 59)
            ),
            .chunked(
                "too many bytes",
                "0\r\nA: " + String(repeating: "x", count: 60) + "\r\n\r\n",
                "431 trailer-too-large"
            ),
            .chunked(
                "too many to wait",
                "0\r\n" + String(repeating: "x", count: 64),
                "431 trailer-too-large"
            ),
            .chunked(
                "too many in all",
                "0\r\nA: " + String(repeating: "x", count: 40) + "\r\nB: "
                    + String(repeating: "x", count: 40) + "\r\n\r\n",
                "trailer A: " + String(repeating: "x", count: 40) + "; 431 trailer-too-large"
            ),
        ] + dropped

    private static let dropped: [MessageCase] =
        [
            "Authorization", "Content-Type", "Content-Encoding", "Content-Range", "Cookie",
            "Set-Cookie", "Cache-Control", "Connection", "Keep-Alive", "Proxy-Connection", "TE",
            "Trailer", "Upgrade", "Expect", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto",
            "X-Forwarded-Host", "Via", "Date", "Accept", "Age", "Vary", "Range", "Pragma",
            "Expires", "Location", "If-Match", "If-Range", "If-None-Match", "If-Modified-Since",
            "If-Unmodified-Since", "Retry-After", "Max-Forwards", "WWW-Authenticate",
            "Proxy-Authenticate", "Proxy-Authorization",
        ].map { name in
            .chunked("\(name) is dropped", "0\r\n\(name): x\r\nA: 1\r\n\r\n", "trailer A: 1")
        }

    /// Without the separator behind the head.
    private var endingPlain: MessageCase {
        var copy = self
        copy.want = String(self.want.dropLast(2))
        return copy
    }
}
