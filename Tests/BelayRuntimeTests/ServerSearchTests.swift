import BelayCore
import BelayRuntime
import BelaySettings
import BelayTransport
import Testing

/// What answers and lines say about the servers of an entry.
struct ServerSearchTests {
    private static func source(_ kind: Settings.ServerSource.Kind) throws -> Settings.ServerSource {
        var source = Settings.ServerSource(kind)
        source.weight = try #require(Weight(7))
        source.maxConnections = 40
        return source
    }

    /// `name address weight` of each server, or what is wrong.
    private static func words(_ finding: Finding) -> [String] {
        switch finding {
        case .unchanged: ["unchanged"]
        case .problem(let text): [text]
        case .servers(let servers):
            servers.map { "\($0.name) \($0.address.spelled) \($0.weight.rawValue)" }
        }
    }

    // MARK: Files

    @Test(
        arguments: [
            ("", []),
            ("# nobody\n\n  \t\n", []),
            ("a 10.0.0.1:80", ["a 10.0.0.1:80 7"]),
            ("a 10.0.0.1:80 3\nb web.test:80 0\n", ["a 10.0.0.1:80 3", "b web.test:80 0"]),
            (
                "  a\t[::1]:80   256 # large\r\nb 10.0.0.2:1#x\r\n",
                ["a [::1]:80 256", "b 10.0.0.2:1 7"]
            ),
            ("b 10.0.0.2:1\na 10.0.0.2:1", ["b 10.0.0.2:1 7", "a 10.0.0.2:1 7"]),
        ] as [(String, [String])]
    )
    func `lines are servers, in their order`(text: String, want: [String]) throws {
        let search = ServerSearch(try Self.source(.file("f")))
        #expect(Self.words(search.lines(text)) == want)
        guard case .servers(let servers) = search.lines(text) else { return }
        #expect(servers.allSatisfy { $0.maxConnections == 40 })
    }

    @Test(
        arguments: [
            ("a", 1), ("a 10.0.0.1", 1), ("a 10.0.0.1:80 x", 1), ("a 10.0.0.1:80 257", 1),
            ("a 10.0.0.1:80 -1", 1), ("a 10.0.0.1:80 1 1", 1), ("a 10.0.0.1:0", 1),
            ("a 10.0.0.1:80\n\n# b\nb", 4), ("a 10.0.0.1:80\r\nb\r\n", 2), ("a http://b:80", 1),
            ("\u{0} 10.0.0.1:80", 1), ("a 10.0.0.1:80\nb \u{FFFD}:80\nc", 2),
        ] as [(String, Int)]
    )
    func `a line that is none is told by its number`(text: String, line: Int) throws {
        let finding = ServerSearch(try Self.source(.file("f"))).lines(text)
        let want = "line \(line) is not `name address [weight]`; nothing was changed"
        #expect(finding == .problem(want))
    }

    @Test func `a name that stands twice is told by its second line`() throws {
        let finding = ServerSearch(try Self.source(.file("f"))).lines("a b:1\nc b:1\n#\na b:2\n")
        #expect(finding == .problem("line 4 names a again; nothing was changed"))
    }

    // MARK: Hosts

    private static let one = IPAddress(v4: 0x0A00_0001)
    private static let two = IPAddress(v4: 0x0A00_0002)
    private static let six = IPAddress(high: 0x2001_0DB8_0000_0000, low: 1)

    private static func hosts(
        _ answer: DNSAnswer<IPAddress>,
        last: [Settings.Server] = []
    ) throws -> (words: [String], ttl: Int64?) {
        let names = NameSource(addresses: { _ in answer }, services: { _ in .failed })
        let source = try Self.source(.dns(host: "shop.test", port: 80))
        let result = ServerSearch(source, last: last).hosts("shop.test", 80, names)
        return (Self.words(result.finding), result.ttl)
    }

    @Test func `addresses are servers of that name, in an order of their own, each once`() throws {
        let all = [Self.two, Self.six, Self.one, Self.two]
        let found = try Self.hosts(.found(all, ttl: 9, isWhole: true))
        #expect(found.ttl == 9)
        #expect(
            found.words == [
                "10.0.0.1:80 10.0.0.1:80 7", "10.0.0.2:80 10.0.0.2:80 7",
                "[2001:db8::1]:80 [2001:db8::1]:80 7",
            ]
        )
    }

    @Test func `a name without an answer changes nothing, and is asked for again soon`() throws {
        for answer in [DNSAnswer<IPAddress>.none, .failed] {
            let found = try Self.hosts(answer)
            #expect(found.words == ["the name can't be resolved"])
            #expect(found.ttl == nil)
        }
    }

    @Test(arguments: [("10.0.0.9", false), ("2001:db8::9", true)])
    func `a family of which nobody could say loses no server`(last: String, isLost: Bool) throws {
        let name = try #require(ServerName("x"))
        let server = Settings.Server(name: name, address: .init(host: last, port: 80))
        let found = try Self.hosts(.found([Self.one], ttl: 9, isWhole: false), last: [server])
        let problem = "shop.test: its IPv6 addresses can't be resolved"
        #expect(found.words == [isLost ? problem : "10.0.0.1:80 10.0.0.1:80 7"])
    }

    // MARK: Services

    private static func services(
        _ records: [DNSService],
        _ targets: [String: DNSAnswer<IPAddress>] = [:]
    ) throws -> (words: [String], ttl: Int64?) {
        let names = NameSource(
            addresses: { targets[$0] ?? .found([Self.one], ttl: 60, isWhole: true) },
            services: { _ in records.isEmpty ? .none : .found(records, ttl: 30, isWhole: true) }
        )
        let result = ServerSearch(try Self.source(.srv("s"))).services("s", names)
        return (Self.words(result.finding), result.ttl)
    }

    private static func record(
        _ target: String,
        _ port: UInt16,
        _ priority: UInt16,
        _ weight: UInt16
    ) -> DNSService {
        DNSService(priority: priority, weight: weight, port: port, target: target)
    }

    @Test(
        arguments: [
            ([(0, 3), (0, 1)], [3, 1]),
            // Of the lowest priority alone.
            ([(7, 3), (5, 4), (5, 2)], [4, 2]),
            // 0 beside others is a server without newcomers; alone it is like all others.
            ([(0, 0), (0, 5)], [0, 5]),
            ([(0, 0), (0, 0)], [7, 7]),
            // Larger ones than a server may have are scaled down, and none to nothing.
            ([(0, 1000), (0, 500), (0, 250)], [256, 128, 64]),
            ([(0, 65_535), (0, 1), (0, 0)], [256, 1, 0]),
            ([(0, 256), (0, 1)], [256, 1]),
        ] as [([(Int, Int)], [Int])]
    )
    func `records of the first priority are servers with their weights`(
        records: [(priority: Int, weight: Int)],
        want: [Int]
    ) throws {
        let found = try Self.services(
            records.enumerated().map { index, record in
                Self.record(
                    "a",
                    UInt16(8000 + index),
                    UInt16(record.priority),
                    UInt16(record.weight)
                )
            }
        )
        #expect(found.ttl == 30)
        #expect(found.words.map { Int($0.split(separator: " ")[2]) } == want)
    }

    @Test func `targets that do not exist are left out, one that nobody knows of changes nothing`()
        throws
    {
        let records = [Self.record("a", 1, 0, 0), Self.record("b", 2, 0, 0)]
        let without = try Self.services(records, ["b": .none])
        #expect(without.words == ["10.0.0.1:1 10.0.0.1:1 7"])
        let failed = try Self.services(records, ["b": .failed])
        #expect(failed.words == ["its target b can't be resolved"])
        #expect(failed.ttl == nil)
        let nobody = try Self.services(records, ["a": .none, "b": .none])
        #expect(nobody.words == ["no target of the service has an address"])
        #expect(try Self.services([]).words == ["the service can't be resolved"])
    }

    @Test func `the shortest time of all answers holds, and each address is a server`() throws {
        let found = try Self.services(
            [Self.record("a", 1, 0, 4)],
            ["a": .found([Self.two, Self.one], ttl: 5, isWhole: true)]
        )
        #expect(found.ttl == 5)
        #expect(found.words == ["10.0.0.1:1 10.0.0.1:1 4", "10.0.0.2:1 10.0.0.2:1 4"])
    }
}
