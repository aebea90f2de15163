import BelaySettings
import Testing

// What is wrong with TLS on either side, and with how servers are spoken to.

@Suite struct TLSProblemTests {
    static let start =
        "listeners: [{address: ':1', tls: {certificates: [{certificate: c, key: k}], "

    @Test(
        arguments: [
            (
                "on",
                [
                    "1:34: listeners.tls must be a group of settings (certificates, "
                        + "unknown-names, client-certificates, …), not \"on\""
                ]
            ),
            (
                "no",
                [
                    "1:34: listeners.tls must be off or a group, not \"no\"; did you mean "
                        + "\"off\"?"
                ]
            ),
            ("{}", ["1:34: listeners.tls: \"certificates\" is missing"]),
            ("{certificates: []}", ["1:49: listeners.tls.certificates is empty"]),
            (
                "{certificates: /c.pem}",
                [
                    "1:49: listeners.tls.certificates must be a list; begin each entry with "
                        + "\"- \""
                ]
            ),
            (
                "{certificates: [/c.pem]}",
                [
                    "1:50: an entry of listeners.tls.certificates must be a group of "
                        + "settings (certificate, key, ocsp), not \"/c.pem\""
                ]
            ),
            (
                "{certificates: [{certificate: c}]}",
                ["1:50: an entry of listeners.tls.certificates: \"key\" is missing"]
            ),
            (
                "{certificates: [{certificate: c, key: ~/k, oscp: o}]}",
                [
                    "1:72: listeners.tls.certificates.key: \"~/k\" must be written out; "
                        + "Belay does not know what ~ stands for",
                    "1:77: unknown key \"oscp\" in listeners.tls.certificates; did you mean "
                        + "\"ocsp\"?",
                ]
            ),
            (
                "{certificates: [{certificate: c, key: k}, {certificate: c, key: l}]}",
                ["1:90: \"c\" is listed twice; first on line 1"]
            ),
        ] as [(String, [String])]
    )
    func `certificates`(value: String, want: [String]) {
        #expect(problems(beside: "listeners: [{address: ':1', tls: \(value)}]") == want)
    }

    @Test(
        arguments: [
            (
                "minimum: 1.1",
                [
                    "1:86: listeners.tls.minimum must be 1.2 or 1.3, not \"1.1\"; did you "
                        + "mean \"1.2\"?"
                ]
            ),
            (
                "minimum: '1.0'",
                [
                    "1:86: listeners.tls.minimum must be 1.2 or 1.3, not \"1.0\"; did you "
                        + "mean \"1.2\"?"
                ]
            ),
            (
                "minimum: TLSv1.3",
                [
                    "1:86: listeners.tls.minimum must be 1.2 or 1.3, not \"TLSv1.3\"; did "
                        + "you mean \"1.3\"?"
                ]
            ),
            ("minimum: [1.2]", ["1:86: listeners.tls.minimum must be 1.2 or 1.3, not a list"]),
            (
                "ciphers: 'A, B'",
                [
                    "1:86: listeners.tls.ciphers: \"A, B\" must have colons between its "
                        + "parts; did you mean \"A:B\"?"
                ]
            ),
            ("ciphers: A::B", ["1:86: listeners.tls.ciphers: \"A::B\" has an empty part"]),
            (
                "groups: ''",
                [
                    "1:85: listeners.tls.groups must be a list with colons, such as "
                        + "X25519:P-256, not \"\""
                ]
            ),
            (
                "cipher-suites: ä",
                [
                    "1:92: listeners.tls.cipher-suites must be a list with colons, such as "
                        + "TLS_AES_256_GCM_SHA384, not \"ä\""
                ]
            ),
            (
                "tickets: yes",
                [
                    "1:86: listeners.tls.tickets must be on or off, not \"yes\"; did you "
                        + "mean \"on\"?"
                ]
            ),
            (
                "ticket-rotation: 1m",
                [
                    "1:94: listeners.tls.ticket-rotation must be a time within 10m...7d, "
                        + "not \"1m\""
                ]
            ),
            (
                "unknown-names: reject",
                ["1:92: listeners.tls.unknown-names must be serve or refuse, not \"reject\""]
            ),
            (
                "client-certificates: on",
                [
                    "1:98: listeners.tls.client-certificates must be a group of settings "
                        + "(mode, authorities, depth), not \"on\""
                ]
            ),
            (
                "client-certificates: required",
                [
                    "1:98: listeners.tls.client-certificates must be a group of settings "
                        + "(mode, authorities, depth), not \"required\""
                ]
            ),
            (
                "client-certificates: no",
                [
                    "1:98: listeners.tls.client-certificates must be off or a group, not "
                        + "\"no\"; did you mean \"off\"?"
                ]
            ),
            (
                "client-certificates: {mode: require, depth: 0}",
                [
                    "1:98: listeners.tls.client-certificates: \"authorities\" is missing",
                    "1:105: listeners.tls.client-certificates.mode must be optional or "
                        + "required, not \"require\"; did you mean \"required\"?",
                    "1:121: listeners.tls.client-certificates.depth must be a whole number "
                        + "within 1...10, not \"0\"",
                ]
            ),
            (
                "certificate: c",
                [
                    "1:77: unknown key \"certificate\" in listeners.tls; did you mean "
                        + "\"certificates\"?"
                ]
            ),
        ] as [(String, [String])]
    )
    func `handshakes`(settings: String, want: [String]) {
        #expect(problems(beside: Self.start + settings + "}}]") == want)
    }

    @Test(
        arguments: [
            (
                "tls: on",
                [
                    "4:10: pools.shop.tls must be off or a group, not \"on\"; did you mean "
                        + "\"{}\"?"
                ]
            ),
            (
                "tls: yes",
                [
                    "4:10: pools.shop.tls must be off or a group, not \"yes\"; did you mean "
                        + "\"{}\"?"
                ]
            ),
            (
                "tls: no",
                [
                    "4:10: pools.shop.tls must be off or a group, not \"no\"; did you mean "
                        + "\"off\"?"
                ]
            ),
            (
                "tls: {certificate: c}",
                ["4:24: pools.shop.tls: \"certificate\" needs \"key\" beside it"]
            ),
            ("tls: {key: k}", ["4:16: pools.shop.tls: \"key\" needs \"certificate\" beside it"]),
            (
                "tls: {verify: off, authorities: a}",
                ["4:37: \"verify: off\" looks at no authorities; remove one of the two"]
            ),
            (
                "tls: {verify: no}",
                [
                    "4:19: pools.shop.tls.verify must be on or off, not \"no\"; did you "
                        + "mean \"off\"?"
                ]
            ),
            (
                "tls: {server-name: 10.0.0.1}",
                ["4:24: pools.shop.tls.server-name: \"10.0.0.1\" is an IP address, not a name"]
            ),
            (
                "tls: {server-name: '*.a.b'}",
                ["4:24: pools.shop.tls.server-name: \"*.a.b\" must be one host, without *"]
            ),
            (
                "tls: {server-name: 'a b'}",
                [
                    "4:24: pools.shop.tls.server-name must be a host name such as "
                        + "web.example.com, not \"a b\""
                ]
            ),
            (
                "tls: {certificates: []}",
                [
                    "4:11: unknown key \"certificates\" in pools.shop.tls; did you mean "
                        + "\"certificate\"?"
                ]
            ),
        ] as [(String, [String])]
    )
    func `with servers`(settings: String, want: [String]) {
        #expect(problems(inPool: settings) == want)
    }
}

@Suite struct ServerConnectionProblemTests {
    @Test(
        arguments: [
            (
                "protocol: h3",
                [
                    "4:15: pools.shop.protocol must be http/1.1, h2 or h2c, not \"h3\"; did "
                        + "you mean \"h2\"?"
                ]
            ),
            (
                "protocol: http",
                [
                    "4:15: pools.shop.protocol must be http/1.1, h2 or h2c, not \"http\"; "
                        + "did you mean \"http/1.1\"?"
                ]
            ),
            (
                "protocol: h2\n    tls: off",
                [
                    "5:10: \"protocol: h2\" is over TLS, and \"tls: off\" has none; h2c is "
                        + "in clear text"
                ]
            ),
            ("protocol: h2\n    tls: {}", []),
            (
                "protocol: h2c\n    tls: {}",
                [
                    "4:15: \"protocol: h2c\" is in clear text, and this pool has tls; did "
                        + "you mean \"h2\"?"
                ]
            ),
            ("protocol: h2c\n    tls: off", []),
            (
                "protocol: h2\n    tls: {verify: maybe}",
                ["5:19: pools.shop.tls.verify must be on or off, not \"maybe\""]
            ),
        ] as [(String, [String])]
    )
    func `versions of HTTP`(settings: String, want: [String]) {
        #expect(problems(inPool: settings) == want)
    }

    @Test(
        arguments: [
            (
                "proxy-protocol: on",
                ["4:21: pools.shop.proxy-protocol must be off, v1 or v2, not \"on\""]
            ),
            (
                "proxy-protocol: 2",
                [
                    "4:21: pools.shop.proxy-protocol must be off, v1 or v2, not \"2\"; did "
                        + "you mean \"v2\"?"
                ]
            ),
            (
                "proxy-protocol-tlvs: [alpn]",
                ["4:26: proxy-protocol-tlvs need \"proxy-protocol: v2\", and it is off"]
            ),
            ("proxy-protocol-tlvs: []", []),
            (
                "proxy-protocol: v1\n    proxy-protocol-tlvs: [alpn]",
                ["5:26: proxy-protocol-tlvs need \"proxy-protocol: v2\", and it is v1"]
            ),
            (
                "proxy-protocol: v2\n    proxy-protocol-tlvs: [unique_id]",
                [
                    "5:27: an entry of pools.shop.proxy-protocol-tlvs must be alpn, "
                        + "authority, crc32c, unique-id or ssl, not \"unique_id\"; did you mean "
                        + "\"unique-id\"?"
                ]
            ),
            (
                "proxy-protocol: v2\n    proxy-protocol-tlvs: [alpn, ssl, alpn]",
                ["5:26: pools.shop.proxy-protocol-tlvs has alpn twice"]
            ),
        ] as [(String, [String])]
    )
    func `the PROXY protocol to servers`(settings: String, want: [String]) {
        #expect(problems(inPool: settings) == want)
    }

    @Test(
        arguments: [
            (
                "tunnels-per-server: 0",
                [
                    "4:25: pools.shop.tunnels-per-server must be off or a whole number "
                        + "within 1...1000000, not \"0\"; did you mean \"off\"?"
                ]
            ),
            (
                "health: on",
                [
                    "4:13: pools.shop.health must be off or a group, not \"on\"; did you "
                        + "mean \"{}\"?"
                ]
            ),
            (
                "health: {fall: 0, interval: 1ms}",
                [
                    "4:20: pools.shop.health.fall must be a whole number within 1...100, "
                        + "not \"0\"",
                    "4:33: pools.shop.health.interval must be a time within 100ms...1h, not "
                        + "\"1ms\"",
                ]
            ),
            (
                "health: {weight: 3}",
                [
                    "4:14: unknown key \"weight\" in pools.shop.health; it belongs in "
                        + "pools.NAME.servers[]"
                ]
            ),
        ] as [(String, [String])]
    )
    func `checks and tunnels`(settings: String, want: [String]) {
        #expect(problems(inPool: settings) == want)
    }

    @Test(
        arguments: [
            (
                "limits: {http2: {streams: 0, resets: 1, control-frames: off}}",
                [
                    "1:27: limits.http2.streams must be a whole number within 1...1000, not "
                        + "\"0\"",
                    "1:38: limits.http2.resets must be a whole number within 10...1000000, "
                        + "not \"1\"",
                    "1:57: limits.http2.control-frames must be a whole number within "
                        + "10...1000000, not \"off\"",
                ]
            ),
            (
                "limits: {handshakes-per-client: 0, tunnels-per-client: none}",
                [
                    "1:33: limits.handshakes-per-client must be off or a whole number "
                        + "within 1...1000000, not \"0\"; did you mean \"off\"?",
                    "1:56: limits.tunnels-per-client must be off or a whole number within "
                        + "1...1000000, not \"none\"; did you mean \"off\"?",
                ]
            ),
            (
                "limits: {handshake-timeout: 1}",
                [
                    "1:29: limits.handshake-timeout: \"1\" has no unit (ms, s, m, h or d); "
                        + "did you mean \"1s\"?"
                ]
            ),
            (
                "headers: {client-certificate: yes}",
                [
                    "1:31: headers.client-certificate must be on or off, not \"yes\"; did "
                        + "you mean \"on\"?"
                ]
            ),
        ] as [(String, [String])]
    )
    func `limits`(text: String, want: [String]) {
        #expect(problems(beside: text) == want)
    }
}
