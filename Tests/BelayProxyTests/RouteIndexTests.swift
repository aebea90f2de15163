import BelayBytes
import BelayCore
import BelayHTTP
import BelayProxy
import Testing

@Suite struct RouteIndexTests {
    private static let hosts: [HostMatch] = [
        .any,
        .exact(InternedText("shop.example")),
        .exact(InternedText("www.shop.example")),
        .exact(InternedText("[2001:db8::1]")),
        .suffix(InternedText(".shop.example")),
        .suffix(InternedText(".example")),
    ]
    private static let paths = ["", "/a", "/a/b", "/a/b/c", "/ab", "/long-segment/of/a/path", "/x"]
    private static let asked = [
        "shop.example", "SHOP.example:8080", "www.shop.example", "a.b.shop.example.", "example",
        "[2001:db8::1]:80", "other.test", "", ".shop.example", "deep.er.www.shop.example",
    ]
    private static let targets = [
        "/", "/a", "/a/", "/a?b", "/a/b", "/a/b/c/d", "/ab", "/abc", "/a//b", "*", "", "/x?/a",
        "/long-segment/of/a/path", "/long-segment/of/a/path/", "/long-segment/of/a",
    ]

    private static func routes(_ count: Int, _ random: inout RandomSource) -> [RoutePlan] {
        (0..<count).map { number in
            RoutePlan(
                name: InternedText("r\(number)"),
                host: Self.hosts[random.below(Self.hosts.count)],
                path: InternedText(Self.paths[random.below(Self.paths.count)]),
                // GET, or what is not GET, or all.
                methods: [0, 1 << UInt16(BelayHTTP.Method.get.rawValue), 0xFFF0][random.below(3)],
                pool: 0
            )
        }
    }

    private static func ask(
        _ routes: [RoutePlan],
        _ authority: String,
        _ target: String,
        _ method: BelayHTTP.Method
    ) -> (indexed: Int?, oneByOne: Int?) {
        let bytes = Array("GET \(target) ... \(authority) ...".utf8)
        let path = 4..<(4 + target.utf8.count)
        let start = path.upperBound + 5
        let host = start..<(start + authority.utf8.count)
        let index = RouteIndex(routes)
        return (
            index.first(routes, method: method, authority: host, path: path, in: bytes.span),
            firstRoute(routes, method: method, authority: host, path: path, in: bytes.span)
        )
    }

    @Test(arguments: 0..<200)
    func `finds the same route as asking one by one`(seed: Int) {
        var random = RandomSource(seed: UInt64(seed))
        // Few of them have no index at all.
        let routes = Self.routes(1 + random.below(60), &random)
        for authority in Self.asked {
            for target in Self.targets {
                for method: BelayHTTP.Method in [.get, .post, .options] {
                    let (indexed, oneByOne) = Self.ask(routes, authority, target, method)
                    #expect(indexed == oneByOne, "\(authority) \(target)")
                }
            }
        }
    }

    @Test func `finds one of a thousand hosts, and of a thousand paths`() {
        let hosts = (0..<1000).map { number in
            RoutePlan(
                name: InternedText("h\(number)"),
                host: .exact(InternedText("shop\(number).example")),
                path: InternedText(""),
                methods: 0,
                pool: 0
            )
        }
        #expect(Self.ask(hosts, "shop731.example", "/", .get) == (731, 731))
        #expect(Self.ask(hosts, "shop1000.example", "/", .get) == (nil, nil))
        let paths = (0..<1000).map { number in
            RoutePlan(
                name: InternedText("p\(number)"),
                host: .any,
                path: InternedText("/api/v\(number)"),
                methods: 0,
                pool: 0
            )
        }
        #expect(Self.ask(paths, "any", "/api/v731/x", .get) == (731, 731))
        #expect(Self.ask(paths, "any", "/api/v", .get) == (nil, nil))
    }

    @Test func `a host that matches more hosts of routes than are noted is asked one by one`() {
        var routes: [RoutePlan] = []
        var suffix = ".example"
        for number in 0..<20 {
            routes.append(
                RoutePlan(
                    name: InternedText("s\(number)"),
                    host: .suffix(InternedText(suffix)),
                    path: InternedText("/\(number)"),
                    methods: 0,
                    pool: 0
                )
            )
            suffix = ".a" + suffix
        }
        #expect(Self.ask(routes, "x" + suffix, "/17", .get) == (17, 17))
        #expect(Self.ask(routes, "x" + suffix, "/20", .get) == (nil, nil))
    }
}
