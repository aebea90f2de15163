import Foundation
import Synchronization
import Testing

extension Scenarios {
    /// Signals, and what must not be lost by them.
    @Suite(.serialized) struct StopTests {
        @Test func `stopping under load fails no request`() throws {
            try Scenario.run { scenario in
                let servers = try ["a", "b"].map { try scenario.server($0) }
                let belay = try scenario.belay(servers, top: ["workers: 2"])
                let clients = (0..<8).map { ReconnectingClient($0, port: belay.port) }
                for client in clients { onThread { client.run() } }
                for client in clients { try client.answered.wait(for: "answers", atLeast: 50) }
                #expect(try belay.stop() == 0)
                for client in clients { try client.ended.wait(for: "the end", atLeast: 1) }
                let answered = Set(clients.flatMap { $0.answers.withLock { $0 } })
                let asked = servers.flatMap { $0.requests.now.map(\.target) }
                #expect(asked.filter { !answered.contains($0) } == [])
                #expect(clients.flatMap { $0.broken.withLock { $0 } } == [])
                #expect(belay.program.errors.now.contains { $0.hasSuffix("stopped") })
            }
        }

        @Test func `a request that runs is finished before the end`() throws {
            try Scenario.run { scenario in
                let mayAnswer = Watched(0)
                let server = try scenario.server("a") { wire, server in
                    _ = try server.next(wire)
                    try mayAnswer.wait(for: "leave to answer", atLeast: 1)
                    try wire.write(whole("late"))
                }
                let belay = try scenario.belay([server])
                let client = try belay.connect()
                try client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                try server.requests.wait(for: "the request") { $0.isEmpty ? nil : true }
                belay.program.signal(SIGTERM)
                try look(for: "a closed listener") {
                    (try? Socket.connect(to: belay.port).close()) == nil ? true : nil
                }
                #expect(try belay.adminPage("/readyz").status == 503)
                mayAnswer.add()
                let answer = try client.answer()
                #expect(answer.text == "late")
                #expect(answer.closes)
                #expect(try belay.program.waitForEnd() == 0)
            }
        }

        @Test func `a second signal stops at once`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    _ = try server.next(wire)
                    _ = try wire.readToEnd()
                }
                let belay = try scenario.belay([server], top: ["limits: { shutdown: 1d }"])
                let client = try belay.connect()
                try client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                try server.requests.wait(for: "the request") { $0.isEmpty ? nil : true }
                belay.program.signal(SIGTERM)
                try belay.program.line(with: "stopping: no new connections")
                belay.program.signal(SIGTERM)
                #expect(try belay.program.waitForEnd() == 0)
                #expect(try client.readToEnd() == "")
            }
        }

        @Test func `what runs too long is cut at the deadline of the stop`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    _ = try server.next(wire)
                    _ = try wire.readToEnd()
                }
                let belay = try scenario.belay([server], top: ["limits: { shutdown: 100ms }"])
                let client = try belay.connect()
                try client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                try server.requests.wait(for: "the request") { $0.isEmpty ? nil : true }
                #expect(try belay.stop() == 0)
                #expect(try client.readToEnd() == "")
                #expect(try belay.log(1)[0]["ending"] == .text("shut-down"))
            }
        }
    }
}

/// Asks as fast as it is answered, and connects again when it is told that the connection ends.
private final class ReconnectingClient: Sendable {
    let answered = Watched(0)
    let ended = Watched(0)
    /// The targets that were answered.
    let answers = Mutex<[String]>([])
    /// What was sent on a connection that had not said it would end, and was not answered.
    let broken = Mutex<[String]>([])
    private let number: Int
    private let port: UInt16

    init(_ number: Int, port: UInt16) {
        self.number = number
        self.port = port
    }

    func run() {
        var count = 0
        while let socket = try? Socket.connect(to: self.port) {
            let wire = Wire(socket)
            var isFirst = true
            while true {
                count += 1
                let target = "/\(self.number)/\(count)"
                guard let answer = try? wire.ask(target), !answer.isCut, answer.status == 200 else {
                    // A connection that the kernel took while the listener closed had no answer.
                    if !isFirst { self.broken.withLock { $0.append(target) } }
                    break
                }
                isFirst = false
                self.answers.withLock { $0.append(target) }
                self.answered.add()
                if answer.closes { break }
            }
        }
        self.ended.add()
    }
}
