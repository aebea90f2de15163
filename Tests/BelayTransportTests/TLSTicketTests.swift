import BelayBytes
import BelayCore
import BelayCrypto
import BelayTransport
import Synchronization
import Testing

/// A wall clock that the test moves.
private final class WallClock: Sendable {
    private let seconds = Atomic(Int64(SystemClock.unixNanoseconds() / 1_000_000_000))

    var now: UnixTime { UnixTime(seconds: self.seconds.load(ordering: .relaxed)) }
    func advance(_ seconds: Int64) { self.seconds.add(seconds, ordering: .relaxed) }

    /// To the beginning of an epoch of `rotation` seconds.
    func align(_ rotation: Int64) {
        self.advance(rotation - self.now.seconds % rotation)
    }
}

@Suite struct TLSTicketTests {
    private let clock = WallClock()

    private func secret(_ byte: UInt8) -> SecretBytes {
        SecretBytes(copying: [UInt8](repeating: byte, count: 32).span)
    }

    private func settings(
        _ secrets: [UInt8],
        _ names: [String] = ["shop"],
        rotation: TimeSpan = .hours(12)
    ) -> TLSServerSettings {
        var settings = TLSServerSettings(identities: names.map { TLSFiles.shared.identity($0) })
        settings.tickets = TLSTicketSettings(secrets: secrets.map(self.secret), rotation: rotation)
        return settings
    }

    private func context(_ settings: TLSServerSettings) throws -> TLSServerContext {
        let clock = self.clock
        return try TLSServerContext(settings) { clock.now }
    }

    /// Connects, and takes the ticket that comes. Whether the connection went on with an earlier
    /// session, as both ends say.
    @discardableResult
    private func visit(
        _ server: TLSServerContext,
        _ client: TLSClientContext,
        session: UInt32? = 7,
        name: String = "shop.example"
    ) throws -> Bool {
        let ends = try TLSEnds(server, client, name: name, session: session)
        ends.handshake()
        #expect(ends.isDone)
        // With TLS 1.3 the ticket comes after the handshake.
        #expect(ends.server.write([1]))
        ends.client.read()
        #expect(ends.client.received == [1])
        #expect(ends.client.stream.isResumed == ends.server.stream.isResumed)
        return ends.server.stream.isResumed
    }

    @Test(arguments: TLSVersion.allCases)
    func `a client that comes back goes on with its session, on each Belay with the secrets`(
        version: TLSVersion
    ) throws {
        let client = try TLSClientContext(.forTest(version: version))
        let one = try self.context(self.settings([1]))
        let two = try self.context(self.settings([1]))
        #expect(try !self.visit(one, client))
        for server in [one, two, one, two] {
            #expect(try self.visit(server, client))
        }
        let stranger = try self.context(self.settings([2]))
        #expect(try !self.visit(stranger, client))
    }

    /// The name that the session of a visit has.
    private func name(
        _ server: TLSServerContext,
        _ client: TLSClientContext,
        session: UInt32? = 7
    ) throws -> [UInt8]? {
        let ends = try TLSEnds(server, client, session: session)
        ends.handshake()
        #expect(ends.isDone)
        #expect(ends.server.write([1]))
        ends.client.read()
        return ends.server.stream.sessionName.map { name in name.indices.map { name[$0] } }
    }

    @Test(arguments: TLSVersion.allCases)
    func `a session keeps its name as long as it goes on, on each Belay with the secrets`(
        version: TLSVersion
    ) throws {
        let client = try TLSClientContext(.forTest(version: version))
        let one = try self.context(self.settings([1], rotation: .hours(1)))
        let two = try self.context(self.settings([1], rotation: .hours(1)))
        self.clock.align(3_600)
        let name = try #require(try self.name(one, client))
        #expect(name.count == 16 && name.contains { $0 != 0 })
        for server in [one, two, one, two, one, two] {
            #expect(try self.name(server, client) == name)
            // Old tickets are replaced by new ones meanwhile.
            self.clock.advance(3_000)
        }
        let stranger = try self.context(self.settings([2]))
        let other = try #require(try self.name(stranger, client))
        #expect(other != name)
    }

    @Test(arguments: TLSVersion.allCases)
    func `each session has a name of its own, and none without a ticket`(
        version: TLSVersion
    ) throws {
        let client = try TLSClientContext(.forTest(version: version))
        let server = try self.context(self.settings([1], ["first", "shop"]))
        let names = try (0..<8).map { try self.name(server, client, session: UInt32($0)) }
        #expect(Set(names.compactMap { $0 }).count == 8)
        let plain = try self.context(.forTest("shop"))
        for _ in 0..<2 { #expect(try self.name(plain, client) == nil) }
    }

    @Test(arguments: TLSVersion.allCases)
    func `a session counts for the server and the client that it is of`(
        version: TLSVersion
    ) throws {
        let client = try TLSClientContext(.forTest(version: version))
        let server = try self.context(self.settings([1]))
        try self.visit(server, client, session: 1)
        #expect(try !self.visit(server, client, session: 2))
        #expect(try !self.visit(server, client, session: nil))
        #expect(try !self.visit(server, TLSClientContext(.forTest(version: version)), session: 1))
        #expect(try self.visit(server, client, session: 1))
    }

    @Test(arguments: TLSVersion.allCases)
    func `a ticket opens in its epoch and the two after`(version: TLSVersion) throws {
        let hour: Int64 = 3_600
        // Each step a new ticket, `passed` later an attempt.
        let cases: [(passed: Int64, isResumed: Bool)] = [
            (0, true), (hour - 1, true), (hour, true), (2 * hour, true), (3 * hour, false),
            // Another Belay's clock is behind.
            (-1, true), (-hour - 1, false),
        ]
        for (passed, isResumed) in cases {
            let server = try self.context(self.settings([1], rotation: .hours(1)))
            // OpenSSL has a clock of its own for the age of sessions, which this does not move.
            let client = try TLSClientContext(.forTest(version: version))
            self.clock.align(hour)
            try self.visit(server, client)
            self.clock.advance(passed)
            #expect(try self.visit(server, client) == isResumed, "after \(passed) s")
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `an old ticket is replaced by a new one`(version: TLSVersion) throws {
        let server = try self.context(self.settings([1], rotation: .hours(1)))
        let client = try TLSClientContext(.forTest(version: version))
        self.clock.align(3_600)
        try self.visit(server, client)
        // Eight hours in all, a hundred minutes at a time.
        for _ in 0..<5 {
            self.clock.advance(6_000)
            #expect(try self.visit(server, client))
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `when secrets are replaced, the old ones open until they are taken out`(
        version: TLSVersion
    ) throws {
        let client = try TLSClientContext(.forTest(version: version))
        try self.visit(self.context(self.settings([1])), client)
        #expect(try self.visit(self.context(self.settings([2, 1])), client))
        #expect(try self.visit(self.context(self.settings([2])), client))
        #expect(try !self.visit(self.context(self.settings([1])), client))
    }

    @Test(arguments: TLSVersion.allCases)
    func `without tickets every connection is new`(version: TLSVersion) throws {
        let client = try TLSClientContext(.forTest(version: version))
        let server = try self.context(.forTest("shop"))
        for _ in 0..<3 { #expect(try !self.visit(server, client)) }
    }

    @Test(arguments: TLSVersion.allCases)
    func `tickets open whichever certificate is served`(version: TLSVersion) throws {
        let client = try TLSClientContext(.forTest(version: version))
        let server = try self.context(self.settings([1], ["first", "shop"]))
        #expect(try !self.visit(server, client))
        #expect(try self.visit(server, client))
        // A listener for other names is another world.
        let other = try self.context(self.settings([1], ["shop"]))
        #expect(try !self.visit(other, client))
    }

    @Test(arguments: TLSVersion.allCases)
    func `a ticket of a listener that asks for no certificate is none where one is asked for`(
        version: TLSVersion
    ) throws {
        var clientSettings = TLSClientSettings.forTest(version: version)
        clientSettings.identity = TLSFiles.shared.identity("client")
        let client = try TLSClientContext(clientSettings)
        let open = try self.context(self.settings([1]))
        try self.visit(open, client)
        var settings = self.settings([1])
        let authorities = TLSAuthorities(path: TLSFiles.shared.path("ca.pem"))
        settings.clientCertificates = .required(authorities)
        let closed = try self.context(settings)
        #expect(try !self.visit(closed, client))
        #expect(try self.visit(closed, client))
        let ends = try TLSEnds(closed, client, session: 7)
        ends.handshake()
        #expect(ends.server.stream.isResumed)
        #expect(ends.server.stream.hasVerifiedClient)
    }

    @Test(arguments: TLSVersion.allCases)
    func `threads share contexts, keys and sessions`(version: TLSVersion) async throws {
        let client = try TLSClientContext(.forTest(version: version))
        let server = try self.context(self.settings([1], ["first", "shop"]))
        try self.visit(server, client)
        let resumed = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var resumed = 0
                    for _ in 0..<20 where try self.visit(server, client) { resumed += 1 }
                    return resumed
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(resumed == 80)
    }
}
