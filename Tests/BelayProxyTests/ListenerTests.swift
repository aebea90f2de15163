import BelayBytes
import BelayCore
import BelayProxy
import BelayTransport
import Testing

/// What a listener asks of connections, and adds to answers.
@Suite struct ListenerTests {
    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    // MARK: To https

    @Test(arguments: [
        ("GET /x?y HTTP/1.1\r\nHost: Shop.example\r\n\r\n", UInt16(443), "Shop.example/x?y"),
        ("GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n", 443, "a/"),
        ("POST /x HTTP/1.1\r\nHost: a:8080\r\n\r\n", 8443, "a:8443/x"),
        ("GET http://b:1/y?z HTTP/1.1\r\nHost: b:1\r\n\r\n", 443, "b/y?z"),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 8443, "[::1]:8443/"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 443, "a/"),
    ])
    func `requests in clear text are sent to https`(
        request: String,
        port: UInt16,
        location: String
    ) throws {
        let stage = try Stage(Setup { $0.redirectPort = port })
        let client = try stage.connect()
        // The connection goes on.
        for _ in 0..<2 {
            stage.send(client, request)
            let answer = try stage.message(client)
            #expect(answer.status == 308)
            #expect(answer.value("location") == "https://" + location)
        }
        stage.settle()
        #expect(stage.metric("belay_exchanges_total{ending=\"redirected\"}") == 2)
    }

    @Test func `a stream is sent to https as well, and the next one on its connection`() throws {
        let stage = try Stage(Setup { $0.redirectPort = 443 })
        let client = try stage.talk()
        for body in [nil, "body"] {
            let id = try client.request("PUT /x HTTP/1.1\r\nHost: a\r\n\r\n", body: body)
            let answer = stage.whole(client, id)
            #expect(answer.status == 308)
            #expect(answer.values("location") == ["https://a/x"])
        }
        stage.waitUntilFree()
    }

    @Test func `a request whose body is still to come is sent to https, and closed`() throws {
        let stage = try Stage(Setup { $0.redirectPort = 443 })
        let client = try stage.connect()
        stage.send(client, "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
        let answer = try stage.message(client)
        #expect(answer.status == 308)
        #expect(answer.value("connection") == "close")
        stage.end(client)
        #expect(!stage[client].isCut)
    }

    @Test(arguments: ["", "Connection: keep-alive\r\n"])
    func `who names no host cannot be sent anywhere`(line: String) throws {
        let stage = try Stage(Setup { $0.redirectPort = 443 })
        let client = try stage.connect()
        stage.send(client, "GET / HTTP/1.0\r\n\(line)\r\n")
        let answer = try stage.message(client)
        #expect(answer.status == 400)
        #expect(answer.value("connection") == "close")
        stage.end(client)
        let name = "belay_own_answers_total{status=\"400\",ending=\"request-refused\"}"
        #expect(stage.metric(name) == 1)
    }

    // MARK: Over TLS only

    private static let strict = "Strict-Transport-Security: max-age=1"

    private func strict(_ tls: Bool) throws -> Stage {
        let context = try Certificates.shared.server()
        var setup = Setup {
            $0.tls = tls ? context : nil
            $0.strictTransport = InternedText(Self.strict)
        }
        setup.routes = [(.any, "/here", 0)]
        return try Stage(setup)
    }

    @Test(arguments: Version.allCases, [true, false])
    func `browsers are told once to come over TLS only, over TLS`(
        version: Version,
        tls: Bool
    ) throws {
        let stage = try self.strict(tls)
        let context = try Certificates.shared.client(version == .http2 ? [.http2] : [])
        for (path, own) in [("/here", ""), ("/here", "max-age=9"), ("/nowhere", "")] {
            var values: [String]
            let answerFields = own.isEmpty ? "" : "strict-transport-SECURITY: \(own)\r\n"
            switch version {
            case .http1:
                let client = try stage.connect(tls: tls ? context : nil)
                stage.send(client, "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                if path == "/here" { try self.answer(stage, answerFields) }
                values = Self.values(try stage.message(client).head)
            case .http2:
                let client = try stage.talk(tls: tls ? context : nil)
                let id = try client.get(path)
                if path == "/here" { try self.answer(stage, answerFields) }
                values = stage.whole(client, id).values("strict-transport-security")
            }
            #expect(values == (own.isEmpty ? tls ? ["max-age=1"] : [] : [own]), "\(path) \(own)")
        }
    }

    private func answer(_ stage: Stage, _ fields: String) throws {
        let (slot, _) = try stage.request()
        stage.send(slot, "HTTP/1.1 200 OK\r\n\(fields)Content-Length: 0\r\n\r\n")
    }

    private static func values(_ head: String) -> [String] {
        head.split(separator: "\r\n").compactMap { line in
            let parts = line.split(separator: ": ", maxSplits: 1)
            return parts[0].lowercased() == "strict-transport-security" ? String(parts[1]) : nil
        }
    }

    // MARK: Versions

    @Test func `a listener of HTTP/2 alone tells others that it speaks no more`() throws {
        let stage = try Stage(Setup { $0.speaksHTTP1 = false })
        let plain = try stage.connect()
        stage.send(plain, Self.get)
        #expect(try stage.message(plain).status == 505)
        let client = try stage.talk()
        let id = try client.get("/")
        stage.reply(try stage.asked(.http1).0)
        #expect(stage.whole(client, id).status == 200)
    }

    @Test func `a listener of HTTP/1.1 alone refuses HTTP/2`() throws {
        let stage = try Stage(Setup { $0.speaksHTTP2 = false })
        let client = try stage.connect()
        stage.send(client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        #expect(try stage.message(client).status == 400)
        stage.end(client)
        #expect(stage.metric("belay_http2_connections_opened_total") == 0)
    }

    @Test func `the first bytes of HTTP/2 may come one by one, or turn out to be others`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        for byte in Array("PRI /x HTTP/1.1\r\nHost: a\r\n\r\n".utf8) {
            stage.send(client, [byte])
            stage.settle()
        }
        let (slot, request) = try stage.request()
        #expect(request.head.hasPrefix("PRI /x HTTP/1.1\r\n"))
        stage.send(slot, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        #expect(try stage.message(client).status == 200)
        let other = try stage.connect()
        for byte in Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) {
            stage.send(other, [byte])
            stage.settle()
        }
        stage.wait("the settings arrive") { stage[other].received.count >= 9 }
        #expect(stage[other].received[3] == 4)
    }
}
