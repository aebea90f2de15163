import BelayBalancing
import BelayBytes
import BelayCore
import BelayProxy
import Testing

/// What clients do beside sending a request and waiting: leave, send on, send too much or nothing.
@Suite struct ClientTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    enum Leaving: Sendable, CaseIterable { case finishes, closes, cuts }

    @Test(arguments: Leaving.allCases)
    func `a client that leaves stops its server`(how: Leaving) throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, Self.get)
        let (slot, _) = try stage.request()
        switch how {
        // A half-closed client counts as gone.
        case .finishes: stage.finish(client)
        case .closes: stage.close(client)
        case .cuts: stage.close(client, cutting: true)
        }
        stage.end(slot)
        stage.settle()
        #expect(stage.plan.pools[0].table.openRequests(0) == 0)
    }

    @Test func `a client that leaves within its body stops its server`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
        stage.wait("the half arrives") {
            stage.peers.contains { $1.server != nil && stage.text($0).hasSuffix("half") }
        }
        let slot = try #require(stage.peers.first { $1.server != nil }?.key)
        stage.close(client)
        stage.end(slot)
    }

    @Test func `an answer before the whole body reaches the client, then the end`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nstart")
        stage.wait("the start arrives") {
            stage.peers.contains { $1.server != nil && stage.text($0).hasSuffix("start") }
        }
        let slot = try #require(stage.peers.first { $1.server != nil }?.key)
        stage.send(slot, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!")
        let answer = try stage.message(client)
        #expect(answer.status == 413)
        #expect(answer.body == "no!")
        #expect(answer.value("connection") == "close")
        // What the client still sends must not come back as a reset.
        stage.send(client, Array(repeating: 120, count: 50_000))
        stage.end(client)
        #expect(!stage[client].isCut)
    }

    @Test func `a client that waits for 100 gets it from the server`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(
            client,
            "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        )
        stage.wait("the head arrives") {
            stage.peers.contains { $1.server != nil && stage.text($0).hasSuffix("\r\n\r\n") }
        }
        let slot = try #require(stage.peers.first { $1.server != nil }?.key)
        stage.send(slot, "HTTP/1.1 100 Continue\r\n\r\n")
        #expect(try stage.message(client).status == 100)
        stage.send(client, "body")
        #expect(try stage.request().message.body == "body")
        stage.send(slot, Self.ok)
        #expect(try stage.message(client).status == 200)
    }

    @Test func `a bad request behind a good one is refused after the good one's answer`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, Self.get + "GET / HTTP/1.1\nHost: a\r\n\r\n")
        stage.send(try stage.request().slot, Self.ok)
        #expect(try stage.message(client).status == 200)
        #expect(try stage.message(client).status == 400)
        stage.end(client)
        #expect(!stage[client].isCut)
    }

    @Test(
        arguments: [
            ("GET /b HTTP/1.1\r\nHost: a\r\n\r\n", 404),
            ("GET /v1 HTTP/1.1\r\nHost: b\r\n\r\n", 404),
            ("POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", 404),
        ]
    )
    func `what no route takes is refused and the connection goes on`(
        request: String,
        status: Int
    ) throws {
        var setup = Setup()
        setup.routes = [(.exact(InternedText("a")), "/v1", 1 << UInt16(0))]
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, request + "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try stage.message(client).status == status)
        stage.send(try stage.request().slot, Self.ok)
        #expect(try stage.message(client).status == 200)
    }

    // MARK: Limits

    @Test(
        arguments: [
            ("GET /" + String(repeating: "x", count: 2000) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            ("GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "A: b\r\n", count: 10), 431),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello", 413),
            (
                "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "6\r\nhello \r\n6\r\nworld!\r\n",
                413
            ),
        ]
    )
    func `what is too large is refused and closed`(request: String, status: Int) throws {
        var setup = Setup()
        setup.limits.headSize = 1024
        setup.limits.headerCount = 8
        setup.limits.bodySize = 10
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, request + "\r\n")
        #expect(try stage.message(client).status == status)
        stage.end(client)
        #expect(!stage[client].isCut)
    }

    @Test(arguments: [true, false])
    func `connections beyond the limit are closed, and counted no more`(ofOne: Bool) throws {
        var setup = Setup()
        if ofOne { setup.limits.connectionsPerClient = 2 } else { setup.limits.connections = 2 }
        let stage = try Stage(setup)
        let clients = [try stage.connect(), try stage.connect()]
        stage.settle()
        let third = try stage.connect()
        stage.end(third)
        #expect(stage.shared.openConnections == 2)
        stage.close(clients[0], cutting: true)
        stage.settle()
        stage.settle()
        let fourth = try stage.connect()
        stage.send(fourth, Self.get)
        stage.send(try stage.request().slot, Self.ok)
        #expect(try stage.message(fourth).status == 200)
    }

    @Test func `a connection ends with its last allowed request`() throws {
        var setup = Setup()
        setup.limits.requestsPerConnection = 2
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, Self.get + Self.get + Self.get)
        for last in [false, true] {
            stage.send(try stage.request().slot, Self.ok)
            #expect((try stage.message(client).value("connection") == "close") == last)
        }
        stage.end(client)
        #expect(stage[client].received.isEmpty)
    }

    @Test func `no connects may be under way`() throws {
        var setup = Setup()
        setup.limits.pendingConnects = 0
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, Self.get)
        let answer = try stage.message(client)
        #expect(answer.status == 503)
        #expect(answer.body.contains("pending-connects"))
    }

    // MARK: Time. What must happen before a time is up has half a second.

    @Test func `half a head is answered with 408 when its time is up`() throws {
        var setup = Setup()
        setup.limits.headTimeout = .milliseconds(500)
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, "GET / HT")
        #expect(try stage.message(client).status == 408)
        stage.end(client)
    }

    @Test func `silence is met with silence`() throws {
        var setup = Setup()
        setup.limits.headTimeout = .milliseconds(30)
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.end(client)
        #expect(stage[client].received.isEmpty)
    }

    @Test func `an idle client connection is closed`() throws {
        var setup = Setup()
        setup.limits.keepAlive = .milliseconds(30)
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, Self.get)
        stage.send(try stage.request().slot, Self.ok)
        _ = try stage.message(client)
        stage.end(client)
        #expect(stage[client].received.isEmpty)
        #expect(!stage[client].isCut)
    }

    @Test(
        arguments: [
            // The whole request is there: the server is slow. Else the client is.
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", 504),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", 408),
        ]
    )
    func `an exchange in which nothing moves ends`(request: String, status: Int) throws {
        var setup = Setup()
        setup.limits.idle = .milliseconds(500)
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, request)
        #expect(try stage.message(client).status == status)
    }

    @Test func `an answer that stops half-way is cut`() throws {
        var setup = Setup()
        setup.limits.idle = .milliseconds(500)
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, Self.get)
        let (slot, _) = try stage.request()
        stage.send(slot, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        stage.end(client)
        #expect(stage[client].isCut)
        stage.end(slot)
    }
}
