import BelayCore
import BelayHTTP2
import Testing

/// Two sessions whose callers do whatever they may, in an order that a seed makes.
struct StormTests {
    @Test(arguments: 0..<12)
    func `whatever callers do, streams end and nothing is lost of those that end well`(
        seed: Int
    ) throws {
        var storm = Storm(
            client: try Side(.client, writer: 5000, sendMax: 3000),
            server: try Side(.server, writer: 5000, sendMax: 3000),
            random: RandomSource(seed: UInt64(seed))
        )
        for _ in 0..<400 { try storm.step() }
        storm.finish()
        #expect(storm.client.failure == nil)
        #expect(storm.server.failure == nil)
        #expect(storm.client.streamCount == 0)
        #expect(storm.server.streamCount == 0)
        #expect(storm.whole > 10)
        #expect(storm.faults == [])
    }
}

private struct Storm {
    let client: Side
    let server: Side
    var random: RandomSource
    /// What each stream is to carry, up and down.
    private var up: [Int32: [UInt8]] = [:]
    private var down: [Int32: [UInt8]] = [:]
    private var answered: Set<Int32> = []
    private var reset: Set<Int32> = []
    var whole = 0
    var faults: [String] = []

    init(client: Side, server: Side, random: RandomSource) {
        self.client = client
        self.server = server
        self.random = random
    }

    mutating func step() throws {
        switch self.random.below(8) {
        case 0, 1: try self.open()
        case 2: self.answer()
        case 3: if self.random.below(4) == 0 { self.giveUp() }
        case 4: self.client.receive(self.server.write(max: 1 + self.random.below(9000)))
        default: self.server.receive(self.client.write(max: 1 + self.random.below(9000)))
        }
    }

    private mutating func open() throws {
        guard self.client.streamCount < 50 else { return }
        let body = self.body()
        let stream = try self.client.request(
            "PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(body.count)\r\n\r\n",
            isLast: false
        )
        self.up[stream.id] = body
        self.client.offer(stream.id, body, isLast: true)
    }

    private mutating func answer() {
        let waiting = self.server.streams.keys.filter { !self.answered.contains($0) }.sorted()
        guard !waiting.isEmpty else { return }
        let id = waiting[self.random.below(waiting.count)]
        self.answered.insert(id)
        let body = self.body()
        let hasTrailers = self.random.below(2) == 0
        self.down[id] = body
        self.server.respond(id, "HTTP/1.1 200 OK\r\nX: \(id)\r\n\r\n", isLast: false)
        self.server.offer(id, body, isLast: true, trailers: hasTrailers)
        if hasTrailers, let stream = self.server.streams[id] {
            self.server.session.submitTrailers(stream, lines: octets("X-Id: \(id)\r\n").span)
        }
    }

    private mutating func giveUp() {
        let side = self.random.below(2) == 0 ? self.client : self.server
        let open = side.streams.keys.filter { !self.reset.contains($0) }.sorted()
        guard !open.isEmpty else { return }
        let id = open[self.random.below(open.count)]
        self.reset.insert(id)
        if let stream = side.streams[id] {
            side.session.reset(stream, code: HTTP2Code.cancel)
        }
    }

    private mutating func body() -> [UInt8] {
        let size = self.random.below(3) == 0 ? self.random.below(100_000) : self.random.below(50)
        let first = self.random.below(256)
        return (0..<size).map { UInt8(truncatingIfNeeded: first + $0) }
    }

    /// Answers all that is open and checks what arrived.
    mutating func finish() {
        exchange(self.client, self.server)
        while self.answered.count < self.server.streams.count { self.answer() }
        exchange(self.client, self.server)
        for (id, body) in self.up where !self.reset.contains(id) {
            if self.server.received[id] ?? [] != body { self.faults.append("\(id) up") }
            if self.client.received[id] ?? [] != self.down[id] { self.faults.append("\(id) down") }
            self.whole += 1
        }
        let odd = (self.client.log + self.server.log).filter {
            $0.contains("tag") || $0.contains("here")
        }
        self.faults += odd
    }
}
