import BelaySettings
import Testing

// What operators do wrong with checks, ejection and servers that come and go.

@Suite struct HealthProblemTests {
    @Test(
        arguments: [
            (
                "health: {chek: tcp}",
                [
                    "4:14: unknown key \"chek\" in pools.shop.health; did you mean \"check\"?"
                ]
            ),
            (
                "health: {check: htp}",
                [
                    "4:21: pools.shop.health.check must be tcp, tls, http or grpc, not "
                        + "\"htp\"; did you mean \"http\"?"
                ]
            ),
            (
                "health: {body: ok}",
                [
                    "4:20: pools.shop.health: \"body\" is for checks by http, and this one "
                        + "is by tcp; add \"check: http\""
                ]
            ),
            (
                "health: {check: tls, path: /}",
                [
                    "4:32: pools.shop.health: \"path\" is for checks by http, and this one "
                        + "is by tls"
                ]
            ),
            (
                "health: {check: tcp, host: a}",
                [
                    "4:32: pools.shop.health: \"host\" is for checks by http, grpc or tls, "
                        + "and this one is by tcp"
                ]
            ),
            (
                "health: {path: /, service: a}",
                [
                    "4:32: pools.shop.health: \"service\" is for checks by grpc, and this "
                        + "one is by http; add \"check: grpc\""
                ]
            ),
            (
                "health: {path: x}",
                [
                    "4:20: pools.shop.health.path must be a path that begins with /, such as "
                        + "/healthz, not \"x\"; did you mean \"/x\"?"
                ]
            ),
            (
                "health: {path: 'http://a/b'}",
                [
                    "4:20: pools.shop.health.path: \"http://a/b\" is a URL"
                ]
            ),
            (
                "health: {path: '/a#b'}",
                [
                    "4:20: pools.shop.health.path must be a path that begins with /, such as "
                        + "/healthz, not \"/a#b\""
                ]
            ),
            (
                "health: {path: /, host: 'http://a/'}",
                [
                    "4:29: pools.shop.health.host: \"http://a/\" is a URL; did you mean "
                        + "\"a\"?"
                ]
            ),
            (
                "health: {path: /, host: 'a:b'}",
                [
                    "4:29: pools.shop.health.host must be a host such as shop.example.com, "
                        + "not \"a:b\""
                ]
            ),
            (
                "health: {path: /, host: '*.a.b'}",
                [
                    "4:29: pools.shop.health.host must be a host such as shop.example.com, "
                        + "not \"*.a.b\""
                ]
            ),
            ("health: {path: /, host: 'a.b:80'}", []),
            (
                "health: {path: /, method: POST}",
                [
                    "4:31: pools.shop.health.method must be GET, HEAD or OPTIONS, not "
                        + "\"POST\""
                ]
            ),
            (
                "health: {path: /, statuses: []}",
                [
                    "4:33: pools.shop.health.statuses is empty"
                ]
            ),
            (
                "health: {path: /, statuses: [2xx]}",
                [
                    "4:34: an entry of pools.shop.health.statuses must be a status or a "
                        + "range of them within 100-599, not \"2xx\"; did you mean \"200-299\"?"
                ]
            ),
            (
                "health: {path: /, statuses: [200-99]}",
                [
                    "4:34: an entry of pools.shop.health.statuses must be a status or a "
                        + "range of them within 100-599, not \"200-99\""
                ]
            ),
            (
                "health: {path: /, statuses: [399-200, 600]}",
                [
                    "4:34: an entry of pools.shop.health.statuses: \"399-200\" ends before "
                        + "it begins; did you mean \"200-399\"?",
                    "4:43: an entry of pools.shop.health.statuses must be a status or a "
                        + "range of them within 100-599, not \"600\"",
                ]
            ),
            (
                "health: {path: /, statuses: 200}",
                [
                    "4:33: pools.shop.health.statuses must be a list; begin each entry with "
                        + "\"- \""
                ]
            ),
            (
                "health: {path: /, method: HEAD, body: a}",
                [
                    "4:43: pools.shop.health: answers to HEAD have no body"
                ]
            ),
            (
                "health: {path: /, body: ''}",
                [
                    "4:29: pools.shop.health.body must be a text of 1 to 256 bytes, not \"\""
                ]
            ),
            (
                "health: {service: 'a b'}",
                [
                    "4:23: pools.shop.health.service must be the name of a gRPC service, "
                        + "such as shop.Cart, not \"a b\""
                ]
            ),
            (
                "health: {port: 0}",
                [
                    "4:20: pools.shop.health.port must be a port, not \"0\""
                ]
            ),
            (
                "health: {interval: 1s, fast-interval: 2s}",
                [
                    "4:43: pools.shop.health: fast-interval (2s) is longer than interval (1s)"
                ]
            ),
            (
                "health: {fast-interval: 1ms}",
                [
                    "4:29: pools.shop.health.fast-interval must be a time within 10ms...1h, "
                        + "not \"1ms\""
                ]
            ),
            (
                "health: {timeout: 0}",
                [
                    "4:23: pools.shop.health.timeout: \"0\" has no unit (ms, s, m, h or d)"
                ]
            ),
            (
                "health: {agent: {}}",
                [
                    "4:21: pools.shop.health.agent: \"port\" is missing"
                ]
            ),
            (
                "health: {agent: on}",
                [
                    "4:21: pools.shop.health.agent must be a group of settings (port, "
                        + "interval), not \"on\""
                ]
            ),
            (
                "health: {agent: {port: 1, interval: 1ms}}",
                [
                    "4:41: pools.shop.health.agent.interval must be a time within "
                        + "100ms...1h, not \"1ms\""
                ]
            ),
            (
                "health: {agent-header: X-State}",
                [
                    "4:28: pools.shop.health: \"agent-header\" is for checks by http, and "
                        + "this one is by tcp; add \"check: http\""
                ]
            ),
            (
                "health: {path: /, agent-header: 'a b'}",
                [
                    "4:37: pools.shop.health.agent-header must be the name of a field, of 1 "
                        + "to 64 letters, digits and hyphens, not \"a b\""
                ]
            ),
            (
                "health: {rise: 0}",
                [
                    "4:20: pools.shop.health.rise must be a whole number within 1...100, not "
                        + "\"0\""
                ]
            ),
            (
                "failures: {statuses: [200]}",
                [
                    "4:27: an entry of pools.shop.failures.statuses must be a status or a "
                        + "range of them within 400-599, not \"200\""
                ]
            ),
            (
                "failures: {statuses: [5xx]}",
                [
                    "4:27: an entry of pools.shop.failures.statuses must be a status or a "
                        + "range of them within 400-599, not \"5xx\"; did you mean \"500-599\"?"
                ]
            ),
            (
                "failures: {error-rate: 0.5}",
                [
                    "4:28: pools.shop.failures.error-rate must be off or a percentage within "
                        + "0%...100%, not \"0.5\"; did you mean \"50%\"?"
                ]
            ),
            (
                "failures: {latency: 1}",
                [
                    "4:25: pools.shop.failures.latency must be off or a number within "
                        + "1.5...100, not \"1\""
                ]
            ),
            (
                "failures: {interval: 1s, requests-min: 1}",
                [
                    "4:26: pools.shop.failures: \"interval\" is for \"error-rate\" and "
                        + "\"latency\", and both are off",
                    "4:44: pools.shop.failures: \"requests-min\" is for \"error-rate\" and "
                        + "\"latency\", and both are off",
                ]
            ),
            (
                "failures: {latency: 2, interval: 1ms, requests-min: 0}",
                [
                    "4:38: pools.shop.failures.interval must be a time within 1s...1h, not "
                        + "\"1ms\"",
                    "4:57: pools.shop.failures.requests-min must be a whole number within "
                        + "1...1000000, not \"0\"",
                ]
            ),
            ("failures: {error-rate: off, latency: off}", []),
        ] as [(String, [String])]
    )
    func `checks and ejection`(text: String, want: [String]) {
        #expect(problems(inPool: text) == want)
    }
}

@Suite struct ServerSourceProblemTests {
    @Test(
        arguments: [
            (
                "{dns: a}",
                [
                    "4:13: an entry of pools.a.servers: \"dns\" needs \"port\" beside it"
                ]
            ),
            (
                "{dns: a, port: 0}",
                [
                    "4:22: pools.a.servers.port must be a port, not \"0\""
                ]
            ),
            (
                "{dns: a., port: 1}",
                [
                    "4:13: pools.a.servers.dns: \"a.\" needs no dot at its end; did you mean "
                        + "\"a\"?"
                ]
            ),
            (
                "{dns: a:80, port: 1}",
                [
                    "4:13: pools.a.servers.dns: \"a:80\" has a port, which is a setting of "
                        + "its own; did you mean \"a\"?"
                ]
            ),
            (
                "{dns: 10.0.0.1, port: 1}",
                [
                    "4:13: pools.a.servers.dns: \"10.0.0.1\" is an IP address; use "
                        + "\"address\""
                ]
            ),
            (
                "{dns: 'a b', port: 1}",
                [
                    "4:13: pools.a.servers.dns must be a name in DNS such as shop.internal, "
                        + "not \"a b\""
                ]
            ),
            (
                "{dns: a, port: 1, address: b:1}",
                [
                    "4:13: an entry of pools.a.servers: address and dns exclude each other; "
                        + "begin a new entry with \"- \""
                ]
            ),
            (
                "{srv: a, port: 1}",
                [
                    "4:22: an entry of pools.a.servers: \"port\" is for \"dns\"; the records "
                        + "have the ports"
                ]
            ),
            (
                "{srv: a, weight: 1}",
                [
                    "4:24: an entry of pools.a.servers: the records of \"srv\" have the "
                        + "weights"
                ]
            ),
            (
                "{srv: a, file: b}",
                [
                    "4:22: an entry of pools.a.servers: srv and file exclude each other; "
                        + "begin a new entry with \"- \""
                ]
            ),
            (
                "{file: a, port: 1}",
                [
                    "4:23: an entry of pools.a.servers: \"port\" is for \"dns\"; the lines "
                        + "of the file have the ports"
                ]
            ),
            (
                "{file: ~/a}",
                [
                    "4:14: pools.a.servers.file: \"~/a\" must be written out; Belay does not "
                        + "know what ~ stands for"
                ]
            ),
            (
                "{address: a:1, port: 1}",
                [
                    "4:28: an entry of pools.a.servers: \"port\" is for \"dns\"; the port "
                        + "stands in the address"
                ]
            ),
            (
                "{dns: a, port: 1, name: b}",
                [
                    "4:31: an entry of pools.a.servers: \"name\" is for one server, and "
                        + "\"dns\" gives many"
                ]
            ),
            (
                "{file: a, state: draining, generation: 1, route: x}",
                [
                    "4:24: an entry of pools.a.servers: \"state\" is for one server, and "
                        + "\"file\" gives many",
                    "4:46: an entry of pools.a.servers: \"generation\" is for one server, "
                        + "and \"file\" gives many",
                    "4:56: an entry of pools.a.servers: \"route\" is for one server, and "
                        + "\"file\" gives many",
                ]
            ),
            (
                "{port: 1}",
                [
                    "4:7: an entry of pools.a.servers: \"address\" is missing (or \"dns\", "
                        + "\"srv\" or \"file\")"
                ]
            ),
            (
                "{address: a:1, route: 'a b'}",
                [
                    "4:29: pools.a.servers.route must be a word of 1 to 128 letters, digits "
                        + "and ._-:[], not \"a b\""
                ]
            ),
            (
                "{address: a:1, generation: -1}",
                [
                    "4:34: pools.a.servers.generation must be a whole number within "
                        + "0...1000000000, not \"-1\""
                ]
            ),
            (
                "{dsn: a, port: 1}",
                [
                    "4:7: an entry of pools.a.servers: \"address\" is missing (or \"dns\", "
                        + "\"srv\" or \"file\")",
                    "4:8: unknown key \"dsn\" in pools.a.servers; did you mean \"dns\"?",
                ]
            ),
        ] as [(String, [String])]
    )
    func `entries of servers`(text: String, want: [String]) {
        #expect(problems(of: "pools:\n  a:\n    servers:\n    - \(text)\n") == want)
    }

    @Test(
        arguments: [
            ("{}", ["1:11: resolver: \"servers\" is missing"]),
            ("{servers: []}", ["1:21: resolver.servers is empty"]),
            (
                "{servers: [ns1]}",
                [
                    "1:22: an entry of resolver.servers must be an IP address such as 10.0.0.2, "
                        + "127.0.0.1:8600 or [::1]:8600, not \"ns1\""
                ]
            ),
            (
                "{servers: ['10.0.0.1:0']}",
                [
                    "1:22: an entry of resolver.servers: \"10.0.0.1:0\" must have a port within "
                        + "1...65535"
                ]
            ),
            (
                "{servers: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4]}",
                ["1:21: resolver.servers has 4 entries; at most 3 fit"]
            ),
            (
                "{servers: [10.0.0.1, '10.0.0.1:53']}",
                ["1:21: resolver.servers has 10.0.0.1:53 twice"]
            ),
            (
                "{servers: [10.0.0.1], timeout: 1500ms}",
                ["1:42: resolver.timeout must be whole seconds"]
            ),
            (
                "{servers: [10.0.0.1], timeout: 500ms}",
                ["1:42: resolver.timeout must be a time within 1s...30s, not \"500ms\""]
            ),
            (
                "{servers: [10.0.0.1], attempts: 0}",
                ["1:43: resolver.attempts must be a whole number within 1...5, not \"0\""]
            ),
        ] as [(String, [String])]
    )
    func `DNS servers`(text: String, want: [String]) {
        #expect(problems(beside: "resolver: \(text)") == want)
    }
}
