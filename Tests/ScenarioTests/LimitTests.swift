import Foundation
import Testing

extension Scenarios {
    /// What Belay takes on before it refuses.
    @Suite(.serialized) struct LimitTests {
        @Test func `connections beyond the limit are refused and counted`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server], top: ["limits: { connections: 3 }"])
                let clients = try (0..<3).map { _ in try belay.connect() }
                for client in clients { #expect(try client.ask().text == "a") }
                let refused = try belay.connect()
                #expect(try refused.readToEnd() == "")
                try belay.wait(for: [
                    "belay_connections_refused_total{reason=\"limit\"}": 1,
                    "belay_connections_open": 3,
                ])
                clients[0].close()
                try belay.wait(for: ["belay_connections_open": 2])
                #expect(try belay.ask().text == "a")
            }
        }

        @Test func `one address has its limit of connections, others are served`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    [server],
                    top: ["limits: { connections-per-client: 2 }"]
                )
                let clients = try (0..<2).map { _ in try belay.connect() }
                for client in clients { #expect(try client.ask().text == "a") }
                #expect(try belay.connect().readToEnd() == "")
                try belay.wait(for: ["belay_connections_refused_total{reason=\"client-limit\"}": 1])
                let other = try belay.connect(from: 0x7F00_0002)
                #expect(try other.ask().text == "a")
                #expect(server.requests.now.last?["x-forwarded-for"] == "127.0.0.2")
                clients[0].close()
                try belay.wait(for: ["belay_connections_open": 2])
                #expect(try belay.ask().text == "a")
            }
        }

        @Test func `when descriptors run out connections are refused, and then it goes on`() throws
        {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server], descriptors: 64)
                #expect(try belay.ask().text == "a")
                // One that is refused may be reset before it is told that it is connected.
                let clients = (0..<200).compactMap { _ in try? belay.connect() }
                try belay.wait(for: "belay_connections_refused_total", atLeast: 100)
                for client in clients { client.close() }
                try belay.wait(for: ["belay_connections_open": 0])
                #expect(try belay.ask().text == "a")
                #expect(belay.program.isRunning)
            }
        }

        @Test func `exhausted descriptors do not stop what is open`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let idle = try scenario.belay([server])
                #expect(try idle.ask().text == "a")
                // So few that accepting fails before the limit of connections is reached.
                let belay = try scenario.belay(
                    [server],
                    descriptors: idle.program.descriptors + 10
                )
                let first = try belay.connect()
                #expect(try first.ask().text == "a")
                let others = try (0..<40).map { _ in try belay.connect() }
                try look(for: "a refusal") { others.contains { $0.isReadable } ? true : nil }
                #expect(try first.ask().text == "a")
                for client in others { client.close() }
                let answer = try look(for: "an answer") { () -> Message? in
                    let answer = try? belay.ask()
                    return answer?.status == 200 ? answer : nil
                }
                #expect(answer.text == "a")
                try belay.wait(for: "belay_connections_refused_total{reason=\"descriptors\"}")
            }
        }

        @Test(arguments: [("X-Long: \(String(repeating: "x", count: 5000))", 1), ("X: y", 20)])
        func `heads beyond the limits are answered 431`(field: String, times: Int) throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    [server],
                    top: ["limits: { head-size: 4KiB, header-count: 10 }"]
                )
                let client = try belay.connect()
                let answer = try client.ask(
                    fields: Array(repeating: field, count: times)
                )
                #expect(answer.status == 431)
                #expect(answer.closes)
                #expect(try client.readToEnd() == "")
                #expect(server.requests.now.isEmpty)
                try belay.wait(for: ["belay_exchanges_total{ending=\"request-refused\"}": 1])
                #expect(try belay.ask().text == "a")
            }
        }

        @Test func `bodies beyond the limit are answered 413, whichever way they come`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server], top: ["limits: { body-size: 1000B }"])
                let fits = String(repeating: "x", count: 1000)
                #expect(try belay.ask(method: "POST", body: fits).text == "a")
                #expect(try belay.ask(method: "POST", body: fits + "x").status == 413)
                let client = try belay.connect()
                try client.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                try client.write("3e8\r\n\(fits)\r\n")
                try client.write("1\r\nx\r\n0\r\n\r\n")
                let answer = try client.answer(to: "POST")
                #expect(answer.status == 413)
                #expect(server.requests.now.count == 1)
            }
        }

        @Test func `a connection ends after its limit of requests`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    [server],
                    top: ["limits: { requests-per-connection: 2 }"]
                )
                let client = try belay.connect()
                #expect(try !client.ask().closes)
                #expect(try client.ask().closes)
                #expect(try client.readToEnd() == "")
            }
        }

        @Test func `connects beyond the limit are answered 503`() throws {
            try Scenario.run { scenario in
                let full = try FullListener()
                defer { full.close() }
                var file = BelayFile(
                    top: ["limits: { pending-connects: 1, connect-timeout: 10m }"]
                )
                file.servers = [("full", full.port)]
                let belay = try scenario.belay(file)
                let first = try belay.connect()
                try first.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                try belay.wait(for: ["belay_connections_open": 1])
                try look(for: "the connect") {
                    try belay.metrics()["belay_server_open_requests"] == 1 ? true : nil
                }
                let second = try belay.ask()
                #expect(second.status == 503)
                #expect(second.text.contains("pending-connects"))
            }
        }

        @Test func `a server has its limit of requests, and who is bound to it waits and moves`()
            throws
        {
            try Scenario.run { scenario in
                let mayAnswer = Watched(0)
                let server = try scenario.server("a") { wire, server in
                    while let request = try server.next(wire) {
                        if request.target == "/slow" {
                            try mayAnswer.wait(for: "leave to answer", atLeast: 1)
                        }
                        try wire.write(whole("a"))
                    }
                }
                let other = try scenario.server("b")
                var file = BelayFile(
                    [server, other],
                    pool: ["persistence: { cookie: {} }", "queue: { timeout: 200ms }"]
                )
                file.serverExtras = ["a": "max-connections: 1", "b": "state: maintenance"]
                let before = try scenario.belay(file)
                let binding = "Cookie: \(try #require(try before.ask().setCookie))"
                file.serverExtras["b"] = "max-connections: 1"
                let belay = try scenario.belay(file)
                let slow = try belay.connect()
                try slow.write("GET /slow HTTP/1.1\r\nHost: a\r\n\(binding)\r\n\r\n")
                try server.requests.wait(for: "the slow request") { $0.count == 2 ? true : nil }
                let moved = try belay.ask(fields: [binding])
                #expect(moved.text == "b")
                let cookie = try #require(moved.setCookie, "it is bound to b from now on")
                let told = try #require(other.requests.now.last)
                #expect(told["belay-session-moved"] == "from=a; reason=full")
                mayAnswer.add()
                #expect(try slow.answer().text == "a")
                try belay.wait(for: ["belay_server_open_requests": 0])
                #expect(try belay.ask(fields: ["Cookie: \(cookie)"]).text == "b")
            }
        }

        @Test func `ten thousand connections, most of them idle`() throws {
            try Scenario.run { scenario in
                let servers = try ["a", "b"].map { try scenario.server($0) }
                let belay = try scenario.belay(
                    servers,
                    top: ["workers: 2", "log: { access: off }"]
                )
                try scenario.file("clients.py", manyClients)
                let clients = try scenario.start(["python3", "clients.py", "\(belay.port)"])
                try clients.line(with: "answered", on: clients.output)
                #expect(try belay.metrics()["belay_connections_open"] >= 10_000)
                #expect(try belay.ask().status == 200)
                clients.end()
                try belay.wait(for: ["belay_connections_open": 0])
                #expect(try belay.metrics()["belay_exchanges_total{ending=\"done\"}"] >= 3001)
                #expect(try belay.metrics()["belay_connections_refused_total"] == 0)
            }
        }
    }
}

/// Opens 10,000 connections, asks on every tenth of them three times, and waits to be stopped.
private let manyClients = """
    import resource, signal, socket, sys

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    port = int(sys.argv[1])
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(10000)]
    busy = connections[::10]
    for _ in range(3):
        for connection in busy:
            connection.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        for connection in busy:
            text = b""
            while not text.endswith((b"\\r\\n\\r\\na", b"\\r\\n\\r\\nb")):
                part = connection.recv(4096)
                if not part:
                    sys.exit("a connection was closed: " + repr(text))
                text += part
            if b" 200 " not in text:
                sys.exit("no answer: " + repr(text))
    print("answered", flush=True)
    signal.pause()

    """

/// A listener whose queue is full: the kernel answers no further connect.
struct FullListener {
    private let socket: Socket
    private let queued: [Socket]

    var port: UInt16 { self.socket.port }

    init() throws {
        self.socket = try Socket.listen(backlog: 0)
        // A queue of 0 takes one connection.
        self.queued = [try Socket.connect(to: self.socket.port)]
    }

    func close() {
        for socket in self.queued { socket.close() }
        self.socket.close()
    }
}
