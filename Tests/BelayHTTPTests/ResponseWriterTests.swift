import BelayBytes
import BelayHTTP
import Testing

struct ResponseWriterTests {
    @Test func `a response goes on as it came, then what Belay adds`() throws {
        var options = ResponseOptions(framing: .length(12))
        options.via = InternedText("belay")
        options.connection = .close
        let written = try answered(
            [
                "HTTP/1.1 200 All right", "Server: x", "Connection: X-Hop", "Content-Length: 12",
                "X-Hop: 1", "Keep-Alive: timeout=5", "Content-Type: text/plain", "Set-Cookie: a=b",
                "Via: 1.1 cache",
            ],
            options: options,
            setCookie: "belay=sealed; Path=/; HttpOnly",
            date: "Sun, 06 Nov 1994 08:49:37 GMT"
        )
        #expect(
            written == [
                "HTTP/1.1 200 All right", "Server: x", "Content-Type: text/plain",
                "Set-Cookie: a=b", "Via: 1.1 cache", "Via: 1.1 belay",
                "Date: Sun, 06 Nov 1994 08:49:37 GMT",
                "Set-Cookie: belay=sealed; Path=/; HttpOnly", "Content-Length: 12",
                "Connection: close",
            ]
        )
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK", "HTTP/1.1 200 OK"),
        ("HTTP/1.0 404 Gone fishing", "HTTP/1.1 404 Gone fishing"),
        ("HTTP/1.1 299 ", "HTTP/1.1 299 "),
        ("HTTP/1.1 200", "HTTP/1.1 200 "),
    ])
    func `status and reason stay as they were received`(line: String, want: String) throws {
        #expect(try answered([line, "Content-Length: 0"]).first == want)
    }

    @Test func `a date that the server sent is kept`() throws {
        let written = try answered(["HTTP/1.1 204 x", "date: yesterday"], date: "today")
        #expect(written == ["HTTP/1.1 204 x", "date: yesterday"])
        #expect(
            try answered(["HTTP/1.1 204 x"], date: "today") == ["HTTP/1.1 204 x", "Date: today"]
        )
    }

    @Test(arguments: [
        (BelayHTTP.Method.get, ["HTTP/1.1 200 x", "Content-Length: 7"], ["Content-Length: 7"]),
        (.get, ["HTTP/1.1 200 x", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked"]),
        (.get, ["HTTP/1.1 200 x"], []),
        (.head, ["HTTP/1.1 200 x", "Content-Length: 7"], ["Content-Length: 7"]),
        (.head, ["HTTP/1.1 200 x", "Transfer-Encoding: chunked"], []),
        (.head, ["HTTP/1.1 200 x"], []),
        (.get, ["HTTP/1.1 304 x", "Content-Length: 7"], ["Content-Length: 7"]),
        (.get, ["HTTP/1.1 304 x"], []),
        (.get, ["HTTP/1.1 204 x", "Content-Length: 0"], []),
        (.get, ["HTTP/1.1 200 x", "Content-Length: 0"], ["Content-Length: 0"]),
    ])
    func `the framing is that of the response`(
        method: BelayHTTP.Method,
        response: [String],
        want: [String]
    ) throws {
        #expect(try answered(response, to: method) == [response[0]] + want)
    }

    @Test(arguments: [
        (BodyFraming.chunked, ["Transfer-Encoding: chunked"]),
        (.untilClose, []),
        (.length(9), ["Content-Length: 9"]),
    ])
    func `the framing is the one that will be sent`(
        framing: BodyFraming,
        want: [String]
    ) throws {
        let written = try answered(
            ["HTTP/1.1 200 x", "Content-Length: 7"],
            options: ResponseOptions(framing: framing)
        )
        #expect(written == ["HTTP/1.1 200 x"] + want)
    }

    @Test(arguments: [
        (ConnectionOption.none, []),
        (.close, ["Connection: close"]),
        (.keepAlive, ["Connection: keep-alive"]),
    ])
    func `Connection says what it is told to`(
        connection: ConnectionOption,
        want: [String]
    ) throws {
        var options = ResponseOptions(framing: .length(0))
        options.connection = connection
        let written = try answered(
            ["HTTP/1.1 200 x", "Content-Length: 0", "Connection: close, keep-alive"],
            options: options
        )
        #expect(written == ["HTTP/1.1 200 x", "Content-Length: 0"] + want)
    }

    @Test func `a switch of protocols keeps its Upgrade`() throws {
        let written = try answered(
            [
                "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Accept: x",
            ],
            date: "today"
        )
        #expect(
            written == [
                "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket",
                "Sec-WebSocket-Accept: x", "Connection: upgrade",
            ]
        )
    }

    @Test func `an offer to upgrade ends here, a demand goes on`() throws {
        let fields = ["Upgrade: h2c", "Connection: upgrade", "Content-Length: 0"]
        #expect(
            try answered(["HTTP/1.1 200 x"] + fields) == ["HTTP/1.1 200 x", "Content-Length: 0"]
        )
        #expect(
            try answered(["HTTP/1.1 426 x"] + fields) == [
                "HTTP/1.1 426 x", "Upgrade: h2c", "Content-Length: 0", "Connection: upgrade",
            ]
        )
    }

    @Test func `of an interim response only the server's words go on`() throws {
        var options = ResponseOptions(framing: .none)
        options.connection = .close
        let written = try answered(
            ["HTTP/1.1 103 Early Hints", "Link: </a.css>; rel=preload", "Connection: x"],
            options: options,
            setCookie: "belay=x",
            date: "today"
        )
        #expect(written == ["HTTP/1.1 103 Early Hints", "Link: </a.css>; rel=preload"])
    }

    @Test func `what is written is read again with the same meaning`() throws {
        let responses = [
            ["HTTP/1.1 200 OK", "Content-Length: 5", "Connection: close"],
            ["HTTP/1.0 200 OK"],
            ["HTTP/1.1 404", "Transfer-Encoding: chunked", "Trailer: X-Sum"],
            ["HTTP/1.1 304 Same", "ETag: \"x\"", "Content-Length: 99"],
            ["HTTP/1.1 500 Sorry", "Content-Length: 0", "Keep-Alive: 3"],
        ]
        for response in responses {
            let once = try answered(response)
            #expect(try answered(once) == once)
        }
    }
}

struct ChunkWriterTests {
    @Test func `chunks are written as they are read`() throws {
        var out = ByteWriter(capacity: 256)
        out.appendChunk(Array("hello".utf8).span)
        out.appendChunk(Array("".utf8).span)
        out.appendChunk(Array(repeating: UInt8(ascii: "x"), count: 26).span)
        out.appendTrailersStart()
        let line = Array("..X-Sum: 1".utf8)
        out.appendTrailer(line.span, 2..<10)
        out.appendTrailersEnd()
        let want =
            "5\r\nhello\r\n1a\r\n" + String(repeating: "x", count: 26)
            + "\r\n0\r\nX-Sum: 1\r\n\r\n"
        #expect(text(of: out) == want)

        var reader = BodyReader(.chunked, trailerMax: 100)
        var index = 0
        var data = 0
        var trailers = 0
        reading: while true {
            switch try reader.next(out.bytes, from: index) {
            case .data(let range):
                data += range.count
                index = range.upperBound
            case .framing(let consumed): index += consumed
            case .trailer(let range):
                trailers += 1
                index = range.upperBound + 2
            case .needsMore:
                Issue.record("the body is incomplete")
                break reading
            case .end(let consumed):
                index += consumed
                break reading
            }
        }
        #expect(data == 31)
        #expect(trailers == 1)
        #expect(index == out.count)
    }

    @Test func `the largest chunk has no more around it than promised`() {
        var out = ByteWriter(capacity: 64)
        out.appendChunkStart(.max)
        out.appendChunkEnd()
        #expect(text(of: out) == "7fffffffffffffff\r\n\r\n")
        #expect(out.count <= ByteWriter.chunkOverheadMax)
    }

    @Test func `a body without trailers ends with an empty chunk`() {
        var out = ByteWriter(capacity: 64)
        out.appendLastChunk()
        #expect(text(of: out) == "0\r\n\r\n")
    }
}
