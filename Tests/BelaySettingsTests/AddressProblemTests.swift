import BelaySettings
import Testing

@Suite struct AddressProblemTests {
    static let listener =
        "an entry of listeners must be an address such as :8080, 127.0.0.1:8080 or [::1]:8080, "
        + "or a group, not "

    @Test(
        arguments: [
            ("8080", "\"8080\" is a port without its colon; did you mean \":8080\"?"),
            ("\"*:80\"", "\"*:80\" must be an IP address and a port; did you mean \":80\"?"),
            (
                "localhost:80",
                "\"localhost:80\" must be an IP address, not a name; "
                    + "did you mean \"127.0.0.1:80\"?"
            ),
            ("example.com:80", "\"example.com:80\" must be an IP address and a port"),
            (
                "\"::1:80\"",
                "\"::1:80\" must have its IPv6 address in brackets; "
                    + "did you mean \"[::1]:80\"?"
            ),
            ("\":99999\"", "\":99999\" must have a port within 0...65535"),
            ("\":080\"", "\":080\" must have a port within 0...65535"),
            ("127.0.0.1", "\"127.0.0.1\" has no port"),
            ("http://1.2.3.4:80", "\"http://1.2.3.4:80\" is a URL; did you mean \"1.2.3.4:80\"?"),
            ("\"[::1\"", "\"[::1\" has no closing bracket"),
            ("\"[::1]\"", "\"[::1]\" has no port"),
            ("\"[1.2.3.4]:80\"", "\"[1.2.3.4]:80\" has no IPv6 address in its brackets"),
            ("01.2.3.4:80", "\"01.2.3.4:80\" must be an IP address and a port"),
        ]
    )
    func `listeners`(value: String, want: String) {
        #expect(
            problems(beside: "listeners:\n  - \(value)") == ["2:5: an entry of listeners: " + want]
        )
    }

    @Test(
        arguments: [
            ("10.0.0.1", "an entry of pools.shop.servers: \"10.0.0.1\" has no port"),
            (
                "10.0.0.1:0",
                "an entry of pools.shop.servers: \"10.0.0.1:0\" must have a port "
                    + "within 1...65535"
            ),
            (
                "http://web1/",
                "an entry of pools.shop.servers: \"http://web1/\" is a URL; "
                    + "did you mean \"web1:80\"?"
            ),
            (
                "\":80\"",
                "an entry of pools.shop.servers: \":80\" has no host name or IP address "
                    + "before the port"
            ),
            (
                "10.0.0.300:80",
                "an entry of pools.shop.servers: \"10.0.0.300:80\" has no valid "
                    + "IP address"
            ),
            (
                "we b:80",
                "an entry of pools.shop.servers: \"we b:80\" has no host name or IP "
                    + "address before the port"
            ),
            (
                "~",
                "an entry of pools.shop.servers has no value; it must be a host and a port such "
                    + "as 10.0.0.1:3000 or web1:3000, or a group"
            ),
            (
                "[a:1]",
                "an entry of pools.shop.servers must be a group of settings (name, address, "
                    + "weight, …), not a list"
            ),
            (
                "{weight: 3}",
                "an entry of pools.shop.servers: \"address\" is missing (or \"dns\", \"srv\" or "
                    + "\"file\")"
            ),
        ]
    )
    func `servers`(value: String, want: String) {
        #expect(
            problems(of: "pools:\n  shop:\n    servers:\n      - \(value)\n") == ["4:9: " + want]
        )
    }

    static let network = "an entry of trusted-proxies"
    static let notNetwork = " must be an IP address or a network such as 10.0.0.0/8, not "

    @Test(
        arguments: [
            (
                "10.0.0.1/8",
                ": \"10.0.0.1/8\" has bits after its length; did you mean "
                    + "\"10.0.0.0/8\"?"
            ),
            ("10.0.0.0/33", ": \"10.0.0.0/33\" must have a length within 0...32 after the slash"),
            ("10.0.0.0/", ": \"10.0.0.0/\" must have a length within 0...32 after the slash"),
            ("\"::/129\"", ": \"::/129\" must have a length within 0...128 after the slash"),
            ("10.0.0/8", "\(notNetwork)\"10.0.0/8\""),
            ("\"fe80::1%eth0\"", "\(notNetwork)\"fe80::1%eth0\""),
            ("proxy1", "\(notNetwork)\"proxy1\""),
        ]
    )
    func `networks`(value: String, want: String) {
        #expect(
            problems(beside: "trusted-proxies:\n  - \(value)") == ["2:5: " + Self.network + want]
        )
    }

    @Test func `a text in the place of a list is shown as a list`() {
        #expect(
            problems(beside: "listeners: \":80\"") == [
                "1:12: listeners must be a list; begin each entry with \"- \""
            ]
        )
    }

    @Test(
        arguments: [
            (
                "[\":80\", \":81\", \":80\"]",
                [
                    "1:27: the address :80 is listened on twice; "
                        + "first on line 1"
                ]
            ),
            ("[\":0\", \":0\"]", []),
            (
                "[{address: \":1\", name: a}, {address: \":2\", name: a}]",
                ["1:61: two listeners are named \"a\"; first on line 1"]
            ),
            (
                "[\"127.0.0.1:9900\"]",
                [
                    "1:12: the admin address 127.0.0.1:9900 is also the "
                        + "listener's of line 1"
                ]
            ),
            ("[]", ["1:12: listeners is empty"]),
        ]
    )
    func `listeners among each other`(value: String, want: [String]) {
        #expect(problems(beside: "listeners: \(value)") == want)
    }
}

@Suite struct RouteProblemTests {
    @Test(
        arguments: [
            (
                "host: http://x.com/",
                "routes.match.host: \"http://x.com/\" is a URL; "
                    + "did you mean \"x.com\"?"
            ),
            (
                "host: x.com:80",
                "routes.match.host: \"x.com:80\" has a port, which is not "
                    + "looked at; did you mean \"x.com\"?"
            ),
            (
                "host: .x.com",
                "routes.match.host must be a host such as example.com or "
                    + "*.example.com, not \".x.com\"; did you mean \"*.x.com\"?"
            ),
            ("host: \"*\"", "routes.match.host: \"*\" is every host; leave the key out for that"),
            (
                "host: a.*.com",
                "routes.match.host: \"a.*.com\" may have a * only as its first "
                    + "label"
            ),
            (
                "host: bücher.de",
                "routes.match.host: \"bücher.de\" must be in its ASCII form, "
                    + "xn--…"
            ),
            (
                "path: v1",
                "routes.match.path must be a path that begins with /, such as /v1, "
                    + "not \"v1\"; did you mean \"/v1\"?"
            ),
            (
                "path: /v1/*",
                "routes.match.path: \"/v1/*\" needs no *; a path stands for all "
                    + "below it; did you mean \"/v1/\"?"
            ),
            ("path: /a?b=1", "routes.match.path: \"/a?b=1\" must be a path without ? and #"),
            ("path: /a/../b", "routes.match.path: \"/a/../b\" has a segment . or .."),
            ("path: //a", "routes.match.path: \"//a\" has an empty segment"),
            ("path: /ü", "routes.match.path: \"/ü\" must be in its percent-encoded form"),
            (
                "path: ^/v[0-9]",
                "routes.match.path must be a path that begins with /, such as /v1, "
                    + "not \"^/v[0-9]\""
            ),
        ]
    )
    func `matches`(match: String, want: String) {
        let text = "routes:\n  - pool: shop\n    match:\n      \(match)"
        #expect(problems(beside: text) == ["4:13: " + want])
    }

    @Test(
        arguments: [
            ("[]", ["1:9: routes is empty; leave the key out to send everything to the one pool"]),
            ("[{pool: shpo}]", ["1:17: there is no pool \"shpo\"; did you mean \"shop\"?"]),
            ("[{pool: zoo}]", ["1:17: there is no pool \"zoo\", only \"shop\""]),
            ("[{match: {}}]", ["1:10: an entry of routes: \"pool\" is missing"]),
            (
                "[{pool: shop, match: {methods: [get, GET]}}]",
                [
                    "1:41: an entry of routes.match.methods must be GET, HEAD, POST, PUT, PATCH, "
                        + "DELETE, OPTIONS or TRACE, not \"get\"; did you mean \"GET\"?"
                ]
            ),
            (
                "[{pool: shop, match: {methods: [PURGE]}}]",
                [
                    "1:41: an entry of routes.match.methods must be GET, HEAD, POST, PUT, PATCH, "
                        + "DELETE, OPTIONS or TRACE, not \"PURGE\""
                ]
            ),
            (
                "[{pool: shop, match: {methods: [GET, GET]}}]",
                ["1:40: routes.match.methods has GET twice"]
            ),
            (
                "[{name: a, pool: shop, match: {path: /x}}, {name: a, pool: shop}]",
                ["1:59: two routes are named \"a\"; first on line 1"]
            ),
            (
                "[{pool: shop}, {pool: shop, match: {path: /x}}]",
                ["1:24: this route is never reached: the route on line 1 takes everything"]
            ),
            (
                "[{pool: shop, match: {path: /x}}, {pool: shop, match: {path: /x/y}}]",
                ["1:43: this route is never reached: the route on line 1 takes all of it"]
            ),
            ("[{pool: shop, match: {path: /x}}, {pool: shop, match: {path: /xy}}]", []),
            (
                "[{pool: shop, match: {host: '*.a.b'}}, {pool: shop, match: {host: c.A.b}}]",
                ["1:48: this route is never reached: the route on line 1 takes all of it"]
            ),
            ("[{pool: shop, match: {host: '*.a.b'}}, {pool: shop, match: {host: a.b}}]", []),
            (
                "[{pool: shop, match: {methods: [GET]}}, {pool: shop, match: {methods: [PUT]}}]",
                []
            ),
            (
                "[{pool: shop, match: {methods: [GET, PUT]}}, "
                    + "{pool: shop, match: {methods: [PUT], path: /x}}]",
                ["1:54: this route is never reached: the route on line 1 takes all of it"]
            ),
        ]
    )
    func `routes among each other`(value: String, want: [String]) {
        #expect(problems(beside: "routes: \(value)") == want)
    }

    @Test func `several pools need routes`() {
        #expect(
            problems(of: "pools:\n  a: {servers: [x:1]}\n  b: {servers: [x:1]}\n") == [
                "2:3: \"routes\" must say which requests go to which of the pools"
            ]
        )
    }

    @Test(
        arguments: [
            (
                "[a:1, b:1, a:1]",
                [
                    "3:25: two servers of this pool are named \"a:1\"; "
                        + "first on line 3"
                ]
            ),
            (
                "[{name: s, address: a:1}, {name: s, address: b:1}]",
                ["3:47: two servers of this pool are named \"s\"; first on line 3"]
            ),
            ("[{name: s, address: a:1}, {name: t, address: a:1}]", []),
        ]
    )
    func `servers among each other`(servers: String, want: [String]) {
        #expect(problems(of: "pools:\n  shop:\n    servers: \(servers)\n") == want)
    }
}

@Suite struct CookieProblemTests {
    @Test(
        arguments: [
            ("{}", []),
            ("{name: __Host-b}", []),
            (
                "{name: __Host-b, path: /x}",
                [
                    "1:24: a cookie whose name begins with __Host- must "
                        + "have \"path: /\""
                ]
            ),
            (
                "{name: __Host-b, domain: x.com}",
                [
                    "1:26: a cookie whose name begins with __Host- "
                        + "must have no domain"
                ]
            ),
            (
                "{name: __Secure-b, secure: never}",
                [
                    "1:28: a cookie whose name begins with "
                        + "__Secure- must not have \"secure: never\""
                ]
            ),
            (
                "{name: __host-b}",
                [
                    "1:8: pools.shop.persistence.cookie.name: \"__host-b\" has a "
                        + "prefix that browsers read otherwise; did you mean \"__Host-b\"?"
                ]
            ),
            (
                "{same-site: none, secure: never}",
                [
                    "1:27: a cookie with \"same-site: none\" must "
                        + "not have \"secure: never\""
                ]
            ),
            (
                "{same-site: Lax}",
                [
                    "1:13: pools.shop.persistence.cookie.same-site must be lax, "
                        + "strict or none, not \"Lax\"; did you mean \"lax\"?"
                ]
            ),
            (
                "{name: \"a b\"}",
                [
                    "1:8: pools.shop.persistence.cookie.name must be a name of 1 to "
                        + "64 characters that cookies allow, not \"a b\""
                ]
            ),
            (
                "{domain: .x.com}",
                [
                    "1:10: pools.shop.persistence.cookie.domain must be a domain "
                        + "such as example.com, not \".x.com\"; did you mean \"x.com\"?"
                ]
            ),
            (
                "{path: x}",
                [
                    "1:8: pools.shop.persistence.cookie.path must be a path that begins "
                        + "with /, not \"x\"; did you mean \"/x\"?"
                ]
            ),
            (
                "{idle: 2d, lifetime: 1d}",
                [
                    "1:8: pools.shop.persistence.cookie: idle (2d) is "
                        + "longer than lifetime (1d)"
                ]
            ),
            ("{idle: 2d, lifetime: off}", []),
            (
                "{idle: 2d, lifetime: 1x}",
                [
                    "1:22: pools.shop.persistence.cookie.lifetime must be "
                        + "off or a time within 1s...400d, not \"1x\""
                ]
            ),
        ]
    )
    func `attributes`(cookie: String, want: [String]) {
        let text = "persistence:\n      cookie:\n        \(cookie)"
        // The cookie begins in line 6, column 9.
        let shifted = want.map { line in
            let parts = line.split(separator: ":", maxSplits: 2)
            return "6:\((Int(parts[1]) ?? 0) + 8):\(parts[2])"
        }
        #expect(problems(inPool: text) == shifted)
    }

    @Test(
        arguments: [
            (
                "persistence: cookie",
                "18: pools.shop.persistence must be a group of settings "
                    + "(cookie, preset, ways, …), not \"cookie\""
            ),
            (
                "persistence: none",
                "18: pools.shop.persistence must be off or a group, not "
                    + "\"none\"; did you mean \"off\"?"
            ),
            (
                "persistence: {}",
                "18: pools.shop.persistence: \"ways\" is missing (or \"cookie\", or \"preset\")"
            ),
            (
                "failures: {eject: 1h, eject-max: 1m}",
                "23: pools.shop.failures: eject (1h) is "
                    + "longer than eject-max (1m)"
            ),
        ]
    )
    func `persistence and failures`(text: String, want: String) {
        #expect(problems(inPool: text) == ["4:" + want])
    }
}
