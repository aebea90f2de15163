import BelayCore
import BelayProxy
import Testing

@Suite struct TunnelTests {
    private static let upgrade =
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
        + "Upgrade: websocket\r\n\r\n"
    private static let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
        + "Upgrade: websocket\r\n\r\n"

    /// Both ends of a tunnel.
    private func open(_ stage: Stage) throws -> (client: Int, server: Int) {
        let client = try stage.connect()
        stage.send(client, Self.upgrade)
        let (server, request) = try stage.request()
        #expect(request.value("upgrade") == "websocket")
        stage.send(server, Self.switching)
        let answer = try stage.message(client)
        #expect(answer.status == 101)
        #expect(answer.value("upgrade") == "websocket")
        return (client, server)
    }

    @Test func `bytes pass both ways, whatever they are`() throws {
        let stage = try Stage()
        let (client, server) = try self.open(stage)
        for text in ["ping", "\r\n\r\n", "HTTP/1.1 400 Bad\r\n\r\n", "0\r\n\r\n"] {
            stage.send(client, text)
            stage.wait("\(text) arrives") { stage.text(server).hasSuffix(text) }
            stage.send(server, text + "!")
            stage.wait("its answer arrives") { stage.text(client).hasSuffix(text + "!") }
        }
    }

    @Test(arguments: [true, false])
    func `one side finishes, the other speaks on until it finishes too`(client first: Bool) throws {
        let stage = try Stage()
        let (client, server) = try self.open(stage)
        let (early, late) = first ? (client, server) : (server, client)
        stage.send(early, "bye")
        stage.finish(early)
        stage.end(late)
        #expect(stage.text(late) == "bye")
        stage.send(late, "not yet")
        stage.wait("the other direction goes on") { stage.text(early) == "not yet" }
        #expect(!stage[early].isOver)
        stage.finish(late)
        stage.end(early)
        #expect(!stage[early].isCut)
    }

    @Test func `what is sent right behind either head is the tunnel's first bytes`() throws {
        let requests = Array((Self.upgrade + "from client").utf8)
        let answers = Array((Self.switching + "from server").utf8)
        let stage = try Stage()
        for cut in 1..<Swift.max(requests.count, answers.count) {
            let client = try stage.connect()
            self.send(requests, cut, client, stage)
            var server: Int?
            stage.wait("the head arrives") {
                server =
                    stage.peers.first {
                        $1.server != nil && stage.text($0).contains("\r\n\r\n")
                    }?.key
                return server != nil
            }
            let slot = try #require(server)
            self.send(answers, cut, slot, stage)
            stage.wait("both have all, cut behind byte \(cut)") {
                stage.text(slot).hasSuffix("\r\n\r\nfrom client")
                    && stage.text(client).hasSuffix("\r\n\r\nfrom server")
            }
            stage.close(client)
            stage.end(slot)
            stage.close(slot)
        }
    }

    private func send(_ bytes: [UInt8], _ cut: Int, _ slot: Int, _ stage: Stage) {
        let cut = Swift.min(cut, bytes.count)
        stage.send(slot, Array(bytes[..<cut]))
        stage.settle()
        stage.send(slot, Array(bytes[cut...]))
    }

    @Test func `a server may refuse to switch`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, Self.upgrade)
        let (server, _) = try stage.request()
        stage.send(server, "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno")
        #expect(try stage.message(client).status == 426)
        #expect(!stage[client].isOver)
    }

    @Test func `a switch that nobody asked for is refused`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let (server, _) = try stage.request()
        stage.send(server, Self.switching)
        #expect(try stage.message(client).status == 502)
    }

    @Test func `either side's cut ends the tunnel`() throws {
        let stage = try Stage()
        for cutsClient in [true, false] {
            let (client, server) = try self.open(stage)
            stage.close(cutsClient ? client : server, cutting: true)
            stage.end(cutsClient ? server : client)
        }
    }
}
