import BelaySettings
import Testing

// What is wrong with the origins of a route.

@Suite struct OriginProblemTests {
    @Test(
        arguments: [
            (
                "'*'",
                [
                    "1:33: an entry of routes.origins: \"*\" is every page; leave the key "
                        + "out for that"
                ]
            ),
            (
                "'null'",
                ["1:33: an entry of routes.origins: \"null\" is sent by pages of any origin"]
            ),
            (
                "shop.example.com",
                [
                    "1:33: an entry of routes.origins: \"shop.example.com\" has no scheme; "
                        + "did you mean \"https://shop.example.com\"?"
                ]
            ),
            (
                "'*.example.com:8443'",
                [
                    "1:33: an entry of routes.origins: \"*.example.com:8443\" has no "
                        + "scheme; did you mean \"https://*.example.com:8443\"?"
                ]
            ),
            (
                "https://a.b/",
                [
                    "1:33: an entry of routes.origins: \"https://a.b/\" is more than "
                        + "scheme, host and port; did you mean \"https://a.b\"?"
                ]
            ),
            (
                "https://a.b/x?y",
                [
                    "1:33: an entry of routes.origins: \"https://a.b/x?y\" is more than "
                        + "scheme, host and port; did you mean \"https://a.b\"?"
                ]
            ),
            (
                "wss://a.b",
                [
                    "1:33: an entry of routes.origins: \"wss://a.b\" is no origin of a "
                        + "page; did you mean \"https://a.b\"?"
                ]
            ),
            (
                "ws://a.b:81",
                [
                    "1:33: an entry of routes.origins: \"ws://a.b:81\" is no origin of a "
                        + "page; did you mean \"http://a.b:81\"?"
                ]
            ),
            (
                "htps://a.b",
                [
                    "1:33: an entry of routes.origins must be an origin such as "
                        + "https://shop.example.com or https://*.example.com, not \"htps://a.b\"; "
                        + "did you mean \"https://a.b\"?"
                ]
            ),
            (
                "https://a.*.b",
                [
                    "1:33: an entry of routes.origins: \"https://a.*.b\" may have a * only "
                        + "as its first label"
                ]
            ),
            (
                "https://.a.b",
                [
                    "1:33: an entry of routes.origins must be an origin such as "
                        + "https://shop.example.com or https://*.example.com, not "
                        + "\"https://.a.b\"; did you mean \"https://*.a.b\"?"
                ]
            ),
            (
                "https://a.b:0",
                [
                    "1:33: an entry of routes.origins: \"https://a.b:0\" must have a port "
                        + "within 1...65535"
                ]
            ),
            (
                "https://a.b:99999",
                [
                    "1:33: an entry of routes.origins: \"https://a.b:99999\" must have a "
                        + "port within 1...65535"
                ]
            ),
            (
                "'https://a.b:'",
                [
                    "1:33: an entry of routes.origins: \"https://a.b:\" must have a port "
                        + "within 1...65535"
                ]
            ),
            (
                "https://u@a.b",
                [
                    "1:33: an entry of routes.origins must be an origin such as "
                        + "https://shop.example.com or https://*.example.com, not "
                        + "\"https://u@a.b\""
                ]
            ),
            (
                "'://a'",
                [
                    "1:33: an entry of routes.origins must be an origin such as "
                        + "https://shop.example.com or https://*.example.com, not \"://a\""
                ]
            ),
            (
                "https://",
                [
                    "1:33: an entry of routes.origins must be an origin such as "
                        + "https://shop.example.com or https://*.example.com, not \"https://\""
                ]
            ),
            (
                "'https://*'",
                [
                    "1:33: an entry of routes.origins: \"https://*\" names no host; leave "
                        + "the key out for every page"
                ]
            ),
            (
                "9x://a",
                [
                    "1:33: an entry of routes.origins must be an origin such as "
                        + "https://shop.example.com or https://*.example.com, not \"9x://a\""
                ]
            ),
            (
                "https://bücher.de",
                [
                    "1:33: an entry of routes.origins: \"https://bücher.de\" must be in its "
                        + "ASCII form, xn--…"
                ]
            ),
            ("https://a.B, 'HTTPS://A.b:443'", ["1:32: routes.origins has https://a.b twice"]),
            ("", ["1:32: routes.origins is empty"]),
        ] as [(String, [String])]
    )
    func `origins`(origin: String, want: [String]) {
        #expect(problems(beside: "routes: [{pool: shop, origins: [\(origin)]}]") == want)
    }
}
