import BelayBalancing
import BelayBytes
import BelayCore
import BelayProxy
import BelayTransport
import Testing

/// Servers that are checked by connecting to them, and by asking in HTTP/1.1.
@Suite struct HealthTests {
    @Test func `a server that refuses is found down, and gets no request`() throws {
        var setup = Checked.setup { $0.fall = 2 }
        setup.servers = 2
        setup.refusing = [0]
        setup.retries = 0
        let stage = try Stage(setup)
        #expect(Checked.reason(stage, 0) == "cannot connect: Connection refused")
        #expect(stage.plan.pools[0].table.isDown(0))
        #expect(!stage.plan.pools[0].table.isDown(1))
        let client = try stage.connect()
        for _ in 0..<4 {
            stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let (server, _) = try stage.request()
            #expect(stage[server].server == 1)
            stage.reply(.text(server))
            #expect(try stage.message(client).status == 200)
        }
        // One that accepts gives no notice.
        #expect(!Checked.isUp(stage, 1))
    }

    @Test func `a server that accepts again is found up`() throws {
        var setup = Checked.setup { $0.rise = 2 }
        let adjust = setup.adjustPool
        setup.adjustPool = { pool in
            adjust(&pool)
            pool.table.setDown(true, 0)
            pool.table.setSlowStart(.hours(1))
        }
        let stage = try Stage(setup)
        stage.wait("it is found up") { Checked.isUp(stage, 0) }
        let table = stage.plan.pools[0].table
        #expect(!table.isDown(0))
        #expect(table.isStarting(0, at: Instant(nanoseconds: SystemClock.monotonicNanoseconds())))
    }

    @Test func `where all are down a request is told that none can take it`() throws {
        var setup = Checked.setup()
        setup.servers = 2
        setup.refusing = [0, 1]
        let stage = try Stage(setup)
        for server in 0..<2 { _ = Checked.reason(stage, server) }
        let client = try stage.connect()
        stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try stage.message(client).status == 503)
    }

    @Test func `checks are no requests, and leave nothing behind`() throws {
        var setup = Checked.setup()
        setup.servers = 2
        let stage = try Stage(setup)
        var known: Set<Int> = []
        stage.wait("each server is checked twice") {
            for (slot, peer) in stage.peers where peer.server != nil { known.insert(slot) }
            return (0..<2).allSatisfy { server in
                known.count { stage[$0].server == server && stage[$0].isOver } >= 2
            }
        }
        for slot in known { #expect(stage[slot].received.isEmpty) }
        stage.waitUntilFree()
        #expect(stage.metric("belay_exchanges_total{ending=\"done\"}") == 0)
    }

    // MARK: HTTP/1.1

    @Test func `the request says what was set`() throws {
        let stage = try Stage(
            Checked.setup { health in
                health.kind = .http
                health.method = "OPTIONS"
                health.path = "/healthz?deep=1"
                health.hosts = ["shop.internal:8080"]
            }
        )
        let (_, request) = try stage.request()
        #expect(
            request.head == """
                OPTIONS /healthz?deep=1 HTTP/1.1\r
                Host: shop.internal:8080\r
                User-Agent: belay-check\r
                Accept: */*\r
                Connection: close\r
                \r

                """
        )
    }

    struct Answer: Sendable, CustomTestStringConvertible {
        /// What the server sends, in pieces; an empty one closes the connection.
        let pieces: [String]
        /// Nil: it is well.
        var reason: String?
        var body = ""
        var method = "GET"

        init(_ pieces: String..., reason: String? = nil, body: String = "", method: String = "GET")
        {
            self.pieces = pieces
            self.reason = reason
            self.body = body
            self.method = method
        }

        var testDescription: String { "\(self.pieces)".prefix(100).description }
    }

    private static let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    private static let open = "HTTP/1.0 200 OK\r\n\r\n"
    private static let lacks = "its answer lacks the text that was asked for"
    private static let closed = "the server closed the connection"

    private static let answers = [
        Answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        Answer("HTTP/1.1 204 No Content\r\n\r\n"),
        Answer("HTTP/1.1 399 Odd\r\n\r\n"),
        Answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", reason: "it answered 404"),
        Answer("HTTP/1.1 503 Busy\r\n\r\n", reason: "it answered 503"),
        Answer("HTTP/1.1 503 Busy\r\n\r\nok", reason: "it answered 503", body: "ok"),
        Answer(
            "HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            reason: "it answered 101"
        ),
        // Interim answers, and heads in pieces.
        Answer("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
        Answer(
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 500 No\r\n\r\n",
            reason: "it answered 500"
        ),
        Answer("HTTP/1", ".1 200 OK\r", "\n\r", "\n"),
        // Text in the body, wherever it is cut.
        Answer("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall ok !", body: "ok"),
        Answer("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall o", "k !", body: "ok"),
        Answer("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall not!", reason: lacks, body: "ok"),
        Answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", reason: lacks, body: "ok"),
        Answer(chunked + "3\r\nall\r\n1\r\no\r\n1\r\nk\r\n", body: "allok"),
        Answer(chunked + "2\r\nno\r\n0\r\nx: ok\r\n\r\n", reason: lacks, body: "ok"),
        Answer(open + "it is o", "k", body: "is ok"),
        Answer(open + "it is o", "", reason: lacks, body: "is ok"),
        // The first 16 KiB count.
        Answer(open + String(repeating: "x", count: 16_382) + "ok", body: "ok"),
        Answer(open + String(repeating: "x", count: 16_383) + "ok", reason: lacks, body: "ok"),
        // What is no answer.
        Answer("", reason: closed),
        Answer("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall", "", reason: closed, body: "ok"),
        Answer("220 smtp ready\r\n\r\n", reason: "its answer is no proper HTTP: bad-status-line"),
        Answer(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            reason: "its answer is no proper HTTP: several-content-lengths"
        ),
        Answer(
            chunked + "nothing\r\n",
            reason: "its answer is no proper HTTP: bad-chunk-size",
            body: "ok"
        ),
        // A HEAD's answer has a length and no body.
        Answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", method: "HEAD"),
    ]

    @Test(arguments: answers)
    func `an answer is judged`(_ answer: Answer) throws {
        let stage = try Stage(
            Checked.setup { health in
                health.kind = .http
                health.body = Array(answer.body.utf8)
                health.method = answer.method
            }
        )
        let (slot, _) = try stage.request()
        for piece in answer.pieces {
            if piece.isEmpty { stage.finish(slot) } else { stage.send(slot, piece) }
            stage.poll()
        }
        #expect(Checked.result(stage, 0) == answer.reason ?? "")
        stage.end(slot)
    }

    @Test(arguments: [(404, true), (200, false), (499, true), (500, false), (599, true)])
    func `the statuses of a server that is well can be others`(
        status: Int,
        isWell: Bool
    ) throws {
        let stage = try Stage(
            Checked.setup { health in
                health.kind = .http
                health.statuses = [404...499, 599...599]
            }
        )
        let (slot, _) = try stage.request()
        stage.send(slot, "HTTP/1.1 \(status) X\r\nContent-Length: 0\r\n\r\n")
        #expect(Checked.result(stage, 0) == (isWell ? "" : "it answered \(status)"))
    }

    @Test func `a server that says nothing is given up in time`() throws {
        let stage = try Stage(
            Checked.setup { health in
                health.kind = .http
                health.timeout = .milliseconds(20)
            }
        )
        #expect(Checked.result(stage, 0) == "no answer in time")
    }

    @Test func `an answer that does not end is given up in time`() throws {
        let stage = try Stage(
            Checked.setup { health in
                health.kind = .http
                health.body = Array("ok".utf8)
                health.timeout = .milliseconds(500)
            }
        )
        let (slot, _) = try stage.request()
        stage.send(slot, "HTTP/1.1 200 OK\r\n\r\nall is")
        #expect(Checked.result(stage, 0) == "no whole answer in time")
    }

    @Test(arguments: [(false, true), (true, false)])
    func `a server that wants PROXY headers gets one on its own port`(
        elsewhere: Bool,
        isSent: Bool
    ) throws {
        var setup = Checked.setup { $0.kind = .http }
        let adjust = setup.adjustPool
        setup.adjustPool = { pool in
            adjust(&pool)
            pool.proxyHeader = .version1
            if elsewhere { pool.health?.port = pool.servers[0].address.port }
        }
        let stage = try Stage(setup)
        let (_, request) = try stage.request()
        #expect(request.head.hasPrefix("PROXY UNKNOWN\r\n") == isSent)
    }
}
