import BelayCore
import BelayHTTP2
import BelayProxy
import BelayTransport
import Testing

/// Servers that are checked over TLS, in HTTP/2, and by gRPC's health service.
@Suite struct HealthSpeechTests {
    // MARK: TLS

    private func encrypted(
        name: String,
        _ adjust: @escaping (inout HealthCheckPlan) -> Void
    ) throws -> Setup {
        var setup = Checked.setup(adjust)
        setup.serverTLS = try Certificates.shared.server([.http11])
        let context = try Certificates.shared.client([.http11])
        let health = setup.adjustPool
        setup.adjustPool = { pool in
            health(&pool)
            pool.tls = pool.servers.map { _ in
                ServerEncryption(context: context, serverName: name)
            }
        }
        return setup
    }

    @Test func `a handshake is enough for a check by TLS`() throws {
        let stage = try Stage(try self.encrypted(name: "shop.example") { $0.kind = .tls })
        #expect(Checked.result(stage, 0) == "")
    }

    @Test func `the certificate is verified as the traffic's is`() throws {
        let stage = try Stage(try self.encrypted(name: "other.example") { $0.kind = .tls })
        let reason = try #require(Checked.result(stage, 0))
        #expect(reason.hasPrefix("no TLS: ") && reason.contains("name"), "\(reason)")
    }

    @Test func `a check may ask for another name`() throws {
        let setup = try self.encrypted(name: "other.example") { health in
            health.kind = .tls
            health.host = "shop.example"
        }
        #expect(Checked.result(try Stage(setup), 0) == "")
    }

    @Test func `a request goes over TLS where the traffic does`() throws {
        let stage = try Stage(try self.encrypted(name: "shop.example") { $0.kind = .http })
        let (slot, request) = try stage.request()
        #expect(request.head.hasPrefix("GET / HTTP/1.1\r\n"))
        stage.send(slot, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        #expect(Checked.result(stage, 0) == "it answered 503")
    }

    @Test func `clear text is no TLS`() throws {
        var setup = try self.encrypted(name: "shop.example") { $0.kind = .tls }
        setup.serverTLS = nil
        let stage = try Stage(setup)
        var slot: Int?
        stage.wait("a handshake begins") {
            slot = stage.peers.first { !$1.received.isEmpty }?.key
            return slot != nil
        }
        stage.send(try #require(slot), "HTTP/1.1 400 Bad Request\r\n\r\n")
        let reason = try #require(Checked.result(stage, 0))
        #expect(reason.hasPrefix("no TLS: "), "\(reason)")
    }

    @Test func `a server that hangs up in the handshake is told so`() throws {
        var setup = try self.encrypted(name: "shop.example") { $0.kind = .tls }
        setup.serverTLS = nil
        let stage = try Stage(setup)
        stage.wait("a handshake begins") {
            guard let slot = stage.peers.first(where: { !$1.received.isEmpty })?.key else {
                return false
            }
            stage.close(slot, cutting: true)
            return true
        }
        #expect(Checked.result(stage, 0) == "no TLS: the server closed the connection")
    }

    // MARK: HTTP/2

    private func frames(_ adjust: @escaping (inout HealthCheckPlan) -> Void) -> Setup {
        var setup = Checked.setup(adjust)
        setup.speaksHTTP2 = true
        return setup
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\n\r\n", "all ok", ""),
        ("HTTP/1.1 200 OK\r\n\r\n", "no", "its answer lacks the text that was asked for"),
        ("HTTP/1.1 503 Busy\r\n\r\n", "all ok", "it answered 503"),
    ])
    func `a pool of HTTP/2 is asked in HTTP/2`(head: String, body: String, want: String) throws {
        let stage = try Stage(
            self.frames { health in
                health.kind = .http
                health.path = "/healthz"
                health.host = "shop.example"
                health.body = Array("ok".utf8)
            }
        )
        let (talker, id) = try stage.arrival()
        let request = stage.whole(talker, id)
        #expect(request.path == "/healthz")
        #expect(request.values("host") == ["shop.example"])
        talker.respond(id, head, body: body)
        #expect(Checked.result(stage, 0) == want)
    }

    @Test func `a server that resets the request is told so`() throws {
        let stage = try Stage(self.frames { $0.kind = .http })
        let (talker, id) = try stage.arrival()
        talker.reset(id, HTTP2Code.internalError)
        #expect(Checked.result(stage, 0) == "it reset the request")
    }

    @Test func `a server that goes away may answer all the same`() throws {
        let stage = try Stage(self.frames { $0.kind = .http })
        let (talker, id) = try stage.arrival()
        talker.goAway(last: id)
        talker.ok(id)
        #expect(Checked.result(stage, 0) == "")
    }

    @Test func `a server of HTTP/1.1 speaks no HTTP/2`() throws {
        var setup = Checked.setup { $0.kind = .grpc }
        setup.servers = 1
        let stage = try Stage(setup)
        stage.wait("a preface comes") {
            guard let slot = stage.peers.first(where: { !$1.received.isEmpty })?.key else {
                return false
            }
            stage.send(slot, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return true
        }
        #expect(Checked.result(stage, 0) == "it speaks no proper HTTP/2")
    }

    // MARK: gRPC

    /// An answer in gRPC's frame, as text.
    private static func message(_ bytes: UInt8...) -> String {
        String(decoding: [0, 0, 0, 0, UInt8(bytes.count)] + bytes, as: UTF8.self)
    }

    private static let unserved = "it has no health service"

    @Test(arguments: [
        (message(0x08, 1), "grpc-status: 0\r\n", ""),
        (message(0x08, 2), "grpc-status: 0\r\n", "it calls itself NOT_SERVING"),
        (message(0x08, 3), "grpc-status: 0\r\n", "it does not know the service"),
        (message(0x08, 0), "grpc-status: 0\r\n", "it calls itself UNKNOWN"),
        (message(), "grpc-status: 0\r\n", "it calls itself UNKNOWN"),
        (message(0x08, 9), "grpc-status: 0\r\n", "it calls itself 9"),
        // Fields that a later version may have, before and behind.
        (message(0x12, 2, 0x41, 0x42, 0x08, 1, 0x18, 5), "grpc-status: 0\r\n", ""),
        (message(0x07, 1), "grpc-status: 0\r\n", "its answer is no message of grpc.health.v1"),
        (message(0x08), "grpc-status: 0\r\n", "its answer is no message of grpc.health.v1"),
        ("\u{1}\0\0\0\0", "grpc-status: 0\r\n", "its answer is compressed"),
        ("\0\0\0\0\u{2}\u{8}", "grpc-status: 0\r\n", "its answer is empty"),
        ("", "grpc-status: 0\r\n", "its answer is empty"),
        ("", "grpc-status: 12\r\ngrpc-message: x\r\n", unserved),
        ("", "grpc-message: x\r\ngrpc-status: 5\r\n", "it does not know the service"),
        ("", "grpc-status: 14\r\n", "its health service answered with gRPC's status 14"),
        // The status that comes last has the last word.
        (message(), "grpc-status: 5\r\n", "it does not know the service"),
        (
            message(0x08, 1), "grpc-status: 14\r\n",
            "its health service answered with gRPC's status 14"
        ),
        ("", "", unserved),
        ("hello", "", unserved),
    ])
    func `gRPC's health service is understood`(
        body: String,
        trailers: String,
        want: String
    ) throws {
        let stage = try Stage(
            self.frames { health in
                health.kind = .grpc
                health.service = "shop.Cart"
            }
        )
        let (talker, id) = try stage.arrival()
        let request = stage.whole(talker, id)
        #expect(request.path == "/grpc.health.v1.Health/Check")
        #expect(request.values("content-type") == ["application/grpc"])
        #expect(request.values("te") == ["trailers"])
        #expect(request.text == "\0\0\0\0\u{B}\n\u{9}shop.Cart")
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n"
        if body.isEmpty {
            talker.respond(id, head + trailers + "\r\n")
        } else {
            talker.respond(id, head + "\r\n", body: body, trailers: trailers)
        }
        #expect(Checked.result(stage, 0) == (body == "hello" ? "its answer is compressed" : want))
    }

    @Test func `the server as a whole is asked for by an empty message`() throws {
        let stage = try Stage(self.frames { $0.kind = .grpc })
        let (talker, id) = try stage.arrival()
        #expect(stage.whole(talker, id).text == "\0\0\0\0\0")
        talker.respond(id, "HTTP/1.1 502 Bad Gateway\r\n\r\n", body: "no")
        #expect(Checked.result(stage, 0) == "it answered 502")
    }

    @Test func `a long name of a service is told in full`() throws {
        let name = String(repeating: "n", count: 200)
        let stage = try Stage(
            self.frames { health in
                health.kind = .grpc
                health.service = name
            }
        )
        let (talker, id) = try stage.arrival()
        let sent = Array(stage.whole(talker, id).body)
        #expect(sent == [0, 0, 0, 0, 203, 0x0A, 0xC8, 0x01] + Array(name.utf8))
        talker.respond(id, "HTTP/1.1 200 OK\r\n\r\n", body: Self.message(0x08, 1))
        #expect(Checked.result(stage, 0) == "")
    }
}
