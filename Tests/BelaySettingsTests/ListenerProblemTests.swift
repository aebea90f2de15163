import BelaySettings
import Testing

// What is wrong with a listener, and with what stands beside it.

@Suite struct ListenerProblemTests {
    @Test(
        arguments: [
            ("kind: udp", ["1:35: listeners.kind must be http or tcp, not \"udp\""]),
            (
                "kind: TCP, pool: shop",
                ["1:35: listeners.kind must be http or tcp, not \"TCP\"; did you mean \"tcp\"?"]
            ),
            (
                "kind: tcp",
                [
                    "1:35: a listener of kind tcp needs \"pool\" or \"sni\", which say "
                        + "where it sends"
                ]
            ),
            ("kind: tcp, pool: shpo", ["1:46: there is no pool \"shpo\"; did you mean \"shop\"?"]),
            ("kind: tcp, sni: []", ["1:45: listeners.sni is empty"]),
            (
                "kind: tcp, pool: shop, hsts: off, protocols: [h2], redirect-to-https: on",
                [
                    "1:58: \"hsts\" is for listeners of kind http, and this one is tcp",
                    "1:74: \"protocols\" is for listeners of kind http, and this one is tcp",
                    "1:99: \"redirect-to-https\" is for listeners of kind http, and this "
                        + "one is tcp",
                ]
            ),
            (
                "pool: shop, sni: [{host: a.b, pool: shop}]",
                [
                    "1:35: \"pool\" is for listeners of kind tcp, and this one is http",
                    "1:46: \"sni\" is for listeners of kind tcp, and this one is http",
                ]
            ),
            (
                "kind: tpc, pool: shop",
                ["1:35: listeners.kind must be http or tcp, not \"tpc\"; did you mean \"tcp\"?"]
            ),
        ] as [(String, [String])]
    )
    func `kinds`(settings: String, want: [String]) {
        #expect(problems(beside: "listeners: [{address: ':1', \(settings)}]") == want)
    }

    @Test(
        arguments: [
            (
                "{host: a.b, pool: zoo}, {pool: shop}",
                [
                    "1:64: there is no pool \"zoo\", only \"shop\"",
                    "1:70: an entry of listeners.sni: \"host\" is missing",
                ]
            ),
            (
                "{host: '*.c.d', pool: shop}, {host: x.C.d, pool: shop}",
                ["1:75: this entry is never reached: the one on line 1 takes all of it"]
            ),
            ("{host: '*.c.d', pool: shop}, {host: c.d, pool: shop}", []),
            (
                "{host: a.b, pool: shop}, {host: a.b, pool: shop}",
                ["1:71: this entry is never reached: the one on line 1 takes all of it"]
            ),
            (
                "{host: '[::1]', pool: shop}",
                ["1:53: listeners.sni.host: \"[::1]\" is an IP address, and SNI has names only"]
            ),
            (
                "{host: 1.2.3.4, pool: shop}",
                [
                    "1:53: listeners.sni.host: \"1.2.3.4\" is an IP address, and SNI has "
                        + "names only"
                ]
            ),
            (
                "{host: '*', pool: shop}",
                [
                    "1:53: listeners.sni.host: \"*\" is every host; the listener's \"pool\" "
                        + "is for that"
                ]
            ),
            (
                "{host: 'a.b:443', pool: shop}",
                [
                    "1:53: listeners.sni.host: \"a.b:443\" has a port, which is not looked "
                        + "at; did you mean \"a.b\"?"
                ]
            ),
            (
                "{host: a.b, pool: shop, path: /}",
                [
                    "1:70: unknown key \"path\" in listeners.sni; it belongs in "
                        + "routes[].match or pools.NAME.health or "
                        + "pools.NAME.persistence.preset or others"
                ]
            ),
            (
                "a.b",
                [
                    "1:46: an entry of listeners.sni must be a group of settings (host, "
                        + "pool), not \"a.b\""
                ]
            ),
        ] as [(String, [String])]
    )
    func `hosts of TCP`(settings: String, want: [String]) {
        #expect(
            problems(beside: "listeners: [{address: ':1', kind: tcp, sni: [\(settings)]}]") == want
        )
    }

    @Test(
        arguments: [
            ("protocols: []", ["1:40: listeners.protocols is empty"]),
            ("protocols: [h2, h2]", ["1:40: listeners.protocols has h2 twice"]),
            (
                "protocols: [h2c, http/1.0, HTTP/1.1]",
                [
                    "1:41: an entry of listeners.protocols must be h2 or http/1.1, not "
                        + "\"h2c\"; did you mean \"h2\"?",
                    "1:46: an entry of listeners.protocols must be h2 or http/1.1, not "
                        + "\"http/1.0\"; did you mean \"http/1.1\"?",
                    "1:56: an entry of listeners.protocols must be h2 or http/1.1, not "
                        + "\"HTTP/1.1\"; did you mean \"http/1.1\"?",
                ]
            ),
            (
                "protocols: h2",
                ["1:40: listeners.protocols must be a list; begin each entry with \"- \""]
            ),
            (
                "redirect-to-https: on, tls: {certificates: [{certificate: c, key: k}]}",
                ["1:48: redirect-to-https is for clear text, and this listener has tls"]
            ),
            ("redirect-to-https: on, tls: off", []),
            (
                "redirect-to-https: 0",
                [
                    "1:48: listeners.redirect-to-https must be off, on or a port within "
                        + "1...65535, not \"0\"; did you mean \"off\"?"
                ]
            ),
            (
                "redirect-to-https: ':443'",
                [
                    "1:48: listeners.redirect-to-https must be off, on or a port within "
                        + "1...65535, not \":443\"; did you mean \"443\"?"
                ]
            ),
            (
                "redirect-to-https: '443'",
                ["1:48: listeners.redirect-to-https: \"443\" must stand without quotes"]
            ),
            (
                "redirect-to-https: 99999",
                [
                    "1:48: listeners.redirect-to-https must be off, on or a port within "
                        + "1...65535, not \"99999\""
                ]
            ),
            (
                "redirect-to-https: true",
                [
                    "1:48: listeners.redirect-to-https must be off, on or a port within "
                        + "1...65535, not \"true\"; did you mean \"on\"?"
                ]
            ),
            ("hsts: {}", ["1:35: hsts is sent over TLS only, and this listener has no tls"]),
            (
                "hsts: {}, tls: off",
                ["1:35: hsts is sent over TLS only, and this listener has no tls"]
            ),
            ("hsts: off", []),
            (
                "hsts: {}, tls: no",
                [
                    "1:44: listeners.tls must be off or a group, not \"no\"; did you mean "
                        + "\"off\"?"
                ]
            ),
            (
                "hsts: on, tls: {certificates: [{certificate: c, key: k}]}",
                [
                    "1:35: listeners.hsts must be off or a group, not \"on\"; did you mean "
                        + "\"{}\"?"
                ]
            ),
            (
                "hsts: {preload: true, max-age: 30d}, tls: {certificates: [{certificate: c, "
                    + "key: k}]}",
                [
                    "1:45: \"preload: true\" needs \"include-subdomains: true\"",
                    "1:60: \"preload: true\" needs a max-age of at least 365d, not 30d",
                ]
            ),
            (
                "hsts: {max-age: 1500ms, preload: yes}, tls: {certificates: [{certificate: "
                    + "c, key: k}]}",
                [
                    "1:45: listeners.hsts.max-age must be whole seconds, not 1500ms",
                    "1:62: listeners.hsts.preload must be true or false, not \"yes\"; did "
                        + "you mean \"true\"?",
                ]
            ),
        ] as [(String, [String])]
    )
    func `settings of HTTP`(settings: String, want: [String]) {
        #expect(problems(beside: "listeners: [{address: ':1', \(settings)}]") == want)
    }

    @Test(
        arguments: [
            (
                "listeners: [{address: ':1', proxy-protocol: required}]",
                [
                    "1:45: the PROXY protocol is believed from trusted-proxies only, and "
                        + "there are none"
                ]
            ),
            (
                "listeners: [{address: ':1', proxy-protocol: optional}]\ntrusted-proxies: []",
                [
                    "1:45: the PROXY protocol is believed from trusted-proxies only, and "
                        + "there are none"
                ]
            ),
            ("listeners: [{address: ':1', proxy-protocol: off}]", []),
            (
                "listeners: [{address: ':1', proxy-protocol: optional}]\ntrusted-proxies: "
                    + "[10.0.0.0/8]",
                []
            ),
            (
                "listeners: [{address: ':1', proxy-protocol: optional}]\ntrusted-proxies: "
                    + "[proxy]",
                [
                    "2:19: an entry of trusted-proxies must be an IP address or a network "
                        + "such as 10.0.0.0/8, not \"proxy\""
                ]
            ),
            (
                "listeners: [{address: ':1', proxy-protocol: v2}]\ntrusted-proxies: "
                    + "[10.0.0.0/8]",
                ["1:45: listeners.proxy-protocol must be off, optional or required, not \"v2\""]
            ),
            (
                "listeners: [{address: ':1', proxy-protocol: on}]\ntrusted-proxies: "
                    + "[10.0.0.0/8]",
                ["1:45: listeners.proxy-protocol must be off, optional or required, not \"on\""]
            ),
            (
                "listeners: [{address: ':1', kind: tcp, pool: shop, proxy-protocol: required}]",
                [
                    "1:68: the PROXY protocol is believed from trusted-proxies only, and "
                        + "there are none"
                ]
            ),
        ] as [(String, [String])]
    )
    func `the PROXY protocol from clients`(text: String, want: [String]) {
        #expect(problems(beside: text) == want)
    }
}

@Suite struct TCPPoolProblemTests {
    @Test(
        arguments: [
            (
                "listeners: [{address: ':1', kind: tcp, pool: db}]\nroutes: [{pool: "
                    + "db}]\npools: {db: {servers: [a:1]}}\n",
                ["2:9: no listener takes HTTP, so routes are never looked at"]
            ),
            (
                "listeners: [{address: ':1', kind: tcp, pool: db}]\nroutes: []\npools: {db: "
                    + "{servers: [a:1]}}\n",
                []
            ),
            (
                "listeners: [{address: ':1', kind: tcp, pool: db}, ':2']\nroutes: "
                    + "[]\npools: {db: {servers: [a:1]}}\n",
                ["2:9: routes is empty; leave the key out to send everything to the one pool"]
            ),
            (
                "listeners: [{address: ':1', kind: tcp, pool: db}, ':2']\npools: {db: "
                    + "{servers: [a:1]}, a: {servers: [a:1]}, b: {servers: [b:1]}}\n",
                ["2:8: \"routes\" must say which requests go to which of the pools"]
            ),
            (
                "listeners: [{address: ':1', kind: tcp, pool: a, sni: [{host: x, pool: "
                    + "b}]}, ':2']\npools: {a: {servers: [a:1]}, b: {servers: [b:1]}}\n",
                ["2:8: \"routes\" must say which requests go to which of the pools"]
            ),
            (
                "listeners: [{address: ':1', kind: tpc, pool: db}]\npools: {db: {servers: "
                    + "[a:1]}, a: {servers: [a:1]}, b: {servers: [b:1]}}\n",
                ["1:35: listeners.kind must be http or tcp, not \"tpc\"; did you mean \"tcp\"?"]
            ),
            (
                "listeners: [{address: ':1', kind: tcp, pool: db}]\npools: {db: {servers: "
                    + "[a:1], protocol: h2}}\n",
                [
                    "1:46: the pool \"db\" has \"protocol: h2\", which is for HTTP; TCP "
                        + "goes as it comes"
                ]
            ),
            (
                "listeners: [{address: ':1', kind: tcp, sni: [{host: x, pool: "
                    + "db}]}]\npools: {db: {servers: [a:1], protocol: h2c}}\n",
                [
                    "1:62: the pool \"db\" has \"protocol: h2c\", which is for HTTP; TCP "
                        + "goes as it comes"
                ]
            ),
            (
                "listeners: [{address: ':1', kind: tcp, pool: db}]\npools: {db: {servers: "
                    + "[a:1], balance: url-hash}}\n",
                ["1:46: the pool \"db\" has \"balance: url-hash\", and TCP has no URLs"]
            ),
            (
                "listeners: [{address: ':1', kind: tcp, pool: db}]\npools: {db: {servers: "
                    + "[a:1], persistence: {cookie: {}}}}\n",
                [
                    "2:52: only listeners of kind tcp use this pool, and TCP carries no cookies; "
                        + "bind by source-address, tuple or tls-session"
                ]
            ),
            (
                "listeners: [{address: ':1', kind: tcp, pool: db}, ':2']\nroutes: [{pool: "
                    + "db}]\npools: {db: {servers: [a:1], persistence: {cookie: {}}}}\n",
                []
            ),
        ] as [(String, [String])]
    )
    func `listeners of TCP, pools and routes`(text: String, want: [String]) {
        #expect(problems(of: text) == want)
    }
}
