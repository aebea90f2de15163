import BelayBytes
import BelayHTTP
import BelayProxy
import Testing

@Suite struct RouterTests {
    private func first(
        of routes: [(host: HostMatch, path: String, methods: [BelayHTTP.Method])],
        _ authority: String,
        _ target: String,
        _ method: BelayHTTP.Method = .get
    ) -> Int? {
        let plans = routes.enumerated().map { index, route in
            RoutePlan(
                name: InternedText("r\(index)"),
                host: route.host,
                path: InternedText(route.path),
                methods: route.methods.reduce(0) { $0 | 1 << UInt16($1.rawValue) },
                pool: 0
            )
        }
        // The ranges lie somewhere in a head.
        let bytes = Array("GET \(target) ... \(authority) ...".utf8)
        let path = 4..<(4 + target.utf8.count)
        let host = path.upperBound + 5
        return firstRoute(
            plans,
            method: method,
            authority: host..<(host + authority.utf8.count),
            path: path,
            in: bytes.span
        )
    }

    private static let exact = HostMatch.exact(InternedText("shop.example"))
    private static let suffix = HostMatch.suffix(InternedText(".shop.example"))
    private static let v6 = HostMatch.exact(InternedText("[2001:db8::1]"))

    @Test(
        arguments: [
            (exact, "shop.example", true),
            (exact, "SHOP.eXample", true),
            (exact, "shop.example.", true),
            (exact, "shop.example:8080", true),
            (exact, "shop.example.:8080", true),
            (exact, "shop.example:", true),
            (exact, "shop.example..", false),
            (exact, "www.shop.example", false),
            (exact, "shop.example.org", false),
            (exact, "hop.example", false),
            (exact, "", false),
            (exact, ":80", false),
            (suffix, "www.shop.example", true),
            (suffix, "a.b.Shop.Example:443", true),
            (suffix, "www.shop.example.", true),
            (suffix, "shop.example", false),
            (suffix, ".shop.example", false),
            (suffix, "wwwshop.example", false),
            (v6, "[2001:db8::1]", true),
            (v6, "[2001:DB8::1]:8080", true),
            (v6, "[2001:db8::2]:8080", false),
            (v6, "2001:db8::1", false),
            (.any, "", true),
            (.any, "whatever:1", true),
        ] as [(HostMatch, String, Bool)]
    )
    func `a host is compared without port, case and last dot`(
        match: HostMatch,
        authority: String,
        takes: Bool
    ) {
        let route = self.first(of: [(match, "", [])], authority, "/")
        #expect((route == 0) == takes)
    }

    @Test(
        arguments: [
            ("", "/", true),
            ("/", "/any", true),
            ("", "*", true),
            ("/v1", "/v1", true),
            ("/v1/", "/v1", true),
            ("/v1", "/v1/", true),
            ("/v1", "/v1/x", true),
            ("/v1", "/v1?x=1", true),
            ("/v1", "/v10", false),
            ("/v1", "/V1", false),
            ("/v1", "/v", false),
            ("/v1", "/x/v1", false),
            ("/v1", "/%76%31", false),
            ("/v1", "*", false),
            ("/v1/a", "/v1/ab", false),
            ("/v1/a", "/v1/a/b", true),
        ]
    )
    func `a path matches by whole segments`(prefix: String, target: String, takes: Bool) {
        let route = self.first(of: [(.any, prefix, [])], "shop.example", target)
        #expect((route == 0) == takes)
    }

    @Test(
        arguments: [
            ([], .get, true),
            ([], .other, true),
            ([.get, .head], .get, true),
            ([.get, .head], .head, true),
            ([.get, .head], .post, false),
            ([.other], .other, true),
            ([.other], .get, false),
        ] as [([BelayHTTP.Method], BelayHTTP.Method, Bool)]
    )
    func `no methods mean all of them`(
        methods: [BelayHTTP.Method],
        method: BelayHTTP.Method,
        takes: Bool
    ) {
        #expect((self.first(of: [(.any, "", methods)], "a", "/", method) == 0) == takes)
    }

    @Test func `the first route that takes the request wins`() {
        let routes: [(host: HostMatch, path: String, methods: [BelayHTTP.Method])] = [
            (Self.exact, "/v1", [.post]), (Self.exact, "/v1", []), (Self.suffix, "", []),
            (.any, "/v1", []), (Self.exact, "", []),
        ]
        #expect(self.first(of: routes, "shop.example", "/v1/x", .post) == 0)
        #expect(self.first(of: routes, "shop.example", "/v1/x", .get) == 1)
        #expect(self.first(of: routes, "www.shop.example", "/v1/x", .get) == 2)
        #expect(self.first(of: routes, "other.example", "/v1/x", .get) == 3)
        #expect(self.first(of: routes, "shop.example", "/", .get) == 4)
        #expect(self.first(of: routes, "other.example", "/", .get) == nil)
        #expect(self.first(of: [], "other.example", "/") == nil)
    }
}
