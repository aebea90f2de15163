import Foundation
import Glibc
import Testing

extension Scenarios {
    /// Bodies on their way: early answers, cuts, and memory.
    @Suite(.serialized) struct TransferTests {
        @Test func `an early answer reaches a client that still sends`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    _ = try wire.head()
                    let answer = whole(
                        "too large",
                        status: "413 Content Too Large",
                        fields: ["Connection: close"]
                    )
                    try wire.write(answer)
                    wire.closeWrite()
                    _ = try wire.readToEnd()
                }
                let belay = try scenario.belay([server])
                let client = try belay.connect()
                try client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
                // Sends until the answer is there, which is long before the body's end.
                let part = [UInt8](repeating: 120, count: 10_000)
                try look(for: "the answer") {
                    if client.isReadable { return true }
                    _ = try client.socket.writeAtOnce(part[...])
                    return nil
                }
                let answer = try client.answer(to: "POST")
                #expect(answer.status == 413)
                #expect(answer.text == "too large")
                #expect(answer.closes)
            }
        }

        @Test(arguments: [1, 3, 7, 1000])
        func `bodies arrive whole however they are cut on their way`(step: Int) throws {
            try Scenario.run { scenario in
                let text = String(repeating: "0123456789abcdef", count: 40)
                let chunks =
                    "280;a=b\r\n\(text)\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
                let server = try scenario.server("a") { wire, server in
                    while let request = try server.next(wire) {
                        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        try wire.write(head + chunks, inSteps: step)
                        #expect(request.text == text + "hello")
                    }
                }
                let client = try scenario.belay([server]).connect()
                for _ in 0..<2 {
                    let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    try client.write(head + chunks, inSteps: step)
                    let answer = try client.answer(to: "PUT")
                    #expect(answer.text == text + "hello")
                    #expect(answer.trailers.map(\.value) == ["1"])
                }
            }
        }

        @Test func `a body and its answer flow at the same time`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    _ = try wire.head()
                    try wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    for _ in 0..<10 {
                        let part = try wire.read(1000)
                        try wire.write("3e8\r\n")
                        try wire.write(part + [13, 10])
                    }
                    try wire.write("0\r\n\r\n")
                }
                let client = try scenario.belay([server]).connect()
                try client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n")
                var isFirst = true
                for digit in 0..<10 {
                    let part = String(repeating: "\(digit)", count: 1000)
                    try client.write(part)
                    if isFirst { #expect(try client.head()?.status == 200) }
                    isFirst = false
                    // Each part comes back before the next one is sent.
                    var echo = ""
                    while echo.count < 1000 {
                        let size = try client.read(until: "\r\n").prefix { $0.isHexDigit }
                        let count = try #require(Int(size, radix: 16))
                        echo += String(decoding: try client.read(count), as: UTF8.self)
                        _ = try client.read(2)
                    }
                    #expect(echo == part)
                }
                #expect(try client.read(until: "\r\n\r\n") == "0\r\n\r\n")
            }
        }

        @Test(
            arguments: [
                "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            ]
        )
        func `an answer that the server cuts is never whole for the client`(bytes: String) throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    _ = try server.next(wire)
                    try wire.write(bytes)
                }
                let belay = try scenario.belay([server])
                let answer = try belay.connect().ask()
                #expect(answer.isCut)
                #expect(try belay.log(1)[0]["ending"] == .text("server-closed-early"))
                let old = try belay.connect()
                try old.write("GET / HTTP/1.0\r\n\r\n")
                let text = try old.readToEnd()
                // A length tells an old client, and else a reset does.
                #expect(old.wasReset || text.contains("Content-Length: 100000"))
            }
        }

        @Test func `an answer without a length ends with its connection`() throws {
            try Scenario.run { scenario in
                let text = String(repeating: "abcdefghij", count: 30_000)
                let server = try scenario.server(
                    "a",
                    RawServer.answering("HTTP/1.1 200 OK\r\n\r\n" + text, closing: true)
                )
                let client = try scenario.belay([server]).connect()
                for _ in 0..<3 {
                    let answer = try client.ask()
                    #expect(answer.text == text && !answer.isCut)
                }
            }
        }

        @Test func `a client that leaves ends the server's exchange`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    _ = try server.next(wire)
                    _ = try wire.readToEnd()
                }
                let belay = try scenario.belay([server])
                for leave in [{ $0.close() }, { $0.reset() }] as [(Wire) -> Void] {
                    let client = try belay.connect()
                    let before = server.requests.now.count
                    try client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    try server.requests.wait(for: "the request") { $0.count > before ? true : nil }
                    leave(client)
                    try server.ended.wait(for: "the end of the exchange", atLeast: before + 1)
                }
                try belay.wait(for: ["belay_exchanges_total{ending=\"client-left\"}": 2])
                #expect(try belay.log(2)[0]["status"] == .number(499))
            }
        }

        @Test func `a client that leaves in the middle of a body ends the exchange`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    _ = try wire.head()
                    let read = try wire.readToEnd()
                    server.requests.change { $0.append(Message(start: read)) }
                }
                let belay = try scenario.belay([server])
                let client = try belay.connect()
                try client.write("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
                try server.connections.wait(for: "the request", atLeast: 1)
                client.close()
                try server.ended.wait(for: "the end of the exchange", atLeast: 1)
                // The server must not take it for a whole request.
                #expect((server.requests.now.first?.start.count ?? 0) < 100)
            }
        }

        @Test func `memory stays flat on a long download to a slow reader`() throws {
            try Scenario.run { scenario in
                let size = 1 << 30
                let server = try scenario.server("a") { wire, server in
                    while let request = try server.next(wire) {
                        let count = Int(request.target.dropFirst()) ?? 0
                        try wire.write("HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n")
                        try wire.write(zeros: count)
                    }
                }
                let belay = try scenario.belay([server])
                let warm = try belay.connect()
                try warm.write("GET /10000000 HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try warm.head()?.status == 200)
                #expect(try warm.discard(10_000_000) == 10_000_000)
                let before = belay.program.peakKibibytes
                let client = try belay.connect()
                try client.write("GET /\(size) HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try client.head()?.status == 200)
                // Nobody reads until the kernel's buffers are full on the whole way.
                try belay.waitForStillness(of: server)
                #expect(try client.discard(size) == size)
                let grown = belay.program.peakKibibytes - before
                #expect(before > 0 && grown < 8 * 1024, "grew by \(grown) KiB")
                try belay.wait(for: "belay_spliced_bytes_total", atLeast: Double(size / 2))
            }
        }

        @Test func `memory stays flat on a long answer in chunks to a slow reader`() throws {
            try Scenario.run { scenario in
                let chunk =
                    Array("10000\r\n".utf8) + [UInt8](repeating: 120, count: 65_536) + [13, 10]
                let count = 2_000
                let server = try scenario.server("a") { wire, server in
                    while let request = try server.next(wire) {
                        try wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                        for _ in 0..<(request.target == "/warm" ? 20 : count) {
                            try wire.write(chunk)
                        }
                        try wire.write("0\r\n\r\n")
                    }
                }
                let belay = try scenario.belay([server])
                #expect(try belay.ask("/warm").body.count == 20 * 65_536)
                let before = belay.program.peakKibibytes
                let client = try belay.connect()
                try client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try client.head()?.status == 200)
                try belay.waitForStillness(of: server)
                let size = count * 65_536
                #expect(try client.discard(size) == size)
                // What is left is the framing, whose amount is Belay's choice, and the end.
                var tail: [UInt8] = []
                while !tail.suffix(7).elementsEqual(Array("\r\n0\r\n\r\n".utf8)) {
                    let more = try client.read(1)
                    guard !more.isEmpty else { break }
                    tail += more
                }
                #expect(!client.isAtEnd)
                let grown = belay.program.peakKibibytes - before
                #expect(before > 0 && grown < 8 * 1024, "grew by \(grown) KiB")
            }
        }

        @Test func `memory stays flat on a long upload to a slow server`() throws {
            try Scenario.run { scenario in
                let size = 1 << 30
                let mayRead = Watched(0)
                let server = try scenario.server("a") { wire, server in
                    while let head = try wire.head() {
                        let count = Int(head["content-length"] ?? "") ?? 0
                        if count == size { try mayRead.wait(for: "leave to read", atLeast: 1) }
                        try wire.write(whole("\(try wire.discard(count))"))
                    }
                }
                let belay = try scenario.belay([server])
                let client = try belay.connect()
                func upload(_ count: Int) throws {
                    try client.write(
                        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n"
                    )
                    try client.write(zeros: count) { mayRead.add() }
                    #expect(try client.answer(to: "PUT").text == "\(count)")
                }
                try upload(10_000_000)
                let before = belay.program.peakKibibytes
                try upload(size)
                let grown = belay.program.peakKibibytes - before
                #expect(before > 0 && grown < 8 * 1024, "grew by \(grown) KiB")
            }
        }
    }
}

extension Wire {
    /// Sends a text in pieces that leave one by one; how many of them the other side reads at once
    /// is chance.
    func write(_ text: String, inSteps step: Int) throws {
        let bytes = Array(text.utf8)
        self.socket.sendAtOnce()
        for start in stride(from: 0, to: bytes.count, by: step) {
            try self.write(Array(bytes[start..<Swift.min(start + step, bytes.count)]))
            sched_yield()
        }
    }

    /// Sends so many zeros; `whenFull` is called each time that the other side takes no more.
    func write(zeros count: Int, whenFull: () -> Void = {}) throws {
        let part = [UInt8](repeating: 0, count: 1 << 20)
        var left = count
        while left > 0 {
            let slice = part[..<Swift.min(left, part.count)]
            let sent = try self.socket.writeAtOnce(slice)
            left -= sent
            guard sent < slice.count else { continue }
            whenFull()
            let rest = Array(slice.dropFirst(sent))
            try self.socket.write(rest)
            left -= rest.count
        }
    }
}

extension Belay {
    /// Waits until nothing moves any more through Belay though the server has more to send: its
    /// own use of the processor stands still over a number of looks.
    func waitForStillness(of server: RawServer) throws {
        var last = ""
        var same = 0
        try look(for: "full buffers") {
            let now = self.program.processorTime
            same = now == last ? same + 1 : 0
            last = now
            return same >= 20 ? true : nil
        }
    }
}

extension Program {
    /// User and system time so far, in the kernel's ticks.
    var processorTime: String {
        let path = "/proc/\(self.identifier)/stat"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let words = text.split(separator: " ")
        return words.count > 15 ? "\(words[13]) \(words[14])" : ""
    }
}
