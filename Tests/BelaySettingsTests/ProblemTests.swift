import BelaySettings
import Testing

// What operators do wrong, and what they read then. Each table has the text and the problems.

@Suite struct KeyProblemTests {
    @Test(
        arguments: [
            ("wrokers: 3", ["1:1: unknown key \"wrokers\"; did you mean \"workers\"?"]),
            (
                "pin_workers: true",
                ["1:1: unknown key \"pin_workers\"; did you mean \"pin-workers\"?"]
            ),
            ("Workers: 3", ["1:1: unknown key \"Workers\"; did you mean \"workers\"?"]),
            ("zebra: 3", ["1:1: unknown key \"zebra\""]),
            ("weight: 3", ["1:1: unknown key \"weight\"; it belongs in pools.NAME.servers[]"]),
            (
                "connect-timeout: 3s",
                [
                    "1:1: unknown key \"connect-timeout\"; it belongs in pools.NAME or limits"
                ]
            ),
            (
                "w\u{43E}rkers: 3",
                [
                    "1:1: unknown key \"w\u{43E}rkers\" (its \"\u{43E}\" is the character U+43E); "
                        + "did you mean \"workers\"?"
                ]
            ),
            (
                "\u{A0}workers: 3",
                [
                    "1:1: unknown key \"\\u{A0}workers\" (its \"\\u{A0}\" is the character U+A0); "
                        + "did you mean \"workers\"?"
                ]
            ),
            (
                "limits: {conections: 3, \"idle time\": 4s}",
                [
                    "1:10: unknown key \"conections\" in limits; did you mean \"connections\"?",
                    "1:25: unknown key \"idle time\" in limits",
                ]
            ),
            ("workers: 1\nworkers: 2", ["2:1: \"workers\" is set twice; first on line 1"]),
            (
                "workers: 1\n'workers': 2\n\"workers\": 3",
                [
                    "2:1: \"workers\" is set twice; first on line 1",
                    "3:1: \"workers\" is set twice; first on line 1",
                ]
            ),
            (
                "limits: {idle: 1s, idle: 2s}\nheaders: {via: on, via: on}\nworkers: x",
                [
                    "1:20: \"idle\" is set twice; first on line 1",
                    "2:20: \"via\" is set twice; first on line 2",
                    "3:10: workers must be auto or a whole number within 1...256, not \"x\"",
                ]
            ),
            ("workers:", ["1:1: \"workers\" has no value; give one, or remove the key"]),
            ("limits: ~", ["1:1: \"limits\" has no value; give one, or remove the key"]),
            (
                "limits: 5",
                [
                    "1:9: limits must be a group of settings (connections, "
                        + "connections-per-client, pending-connects, …), not \"5\""
                ]
            ),
            (
                "limits: [idle]",
                [
                    "1:9: limits must be a group of settings (connections, "
                        + "connections-per-client, pending-connects, …), not a list"
                ]
            ),
            ("? [a, b]\n: 3", ["1:3: a key must be a word; are these the braces of a template?"]),
            ("<<: {a: 1}", ["1:1: merge keys (<<) are not supported; write the settings out"]),
            (
                "workers: !!int 2",
                ["1:10: tags such as \"tag:yaml.org,2002:int\" are not supported"]
            ),
        ]
    )
    func `keys`(text: String, want: [String]) {
        #expect(problems(beside: text) == want)
    }

    @Test(
        arguments: [
            ("", ["1:1: the file sets nothing; it needs at least a pool with a server"]),
            ("# all out\n", ["1:1: the file sets nothing; it needs at least a pool with a server"]),
            ("---\n", ["1:1: the file sets nothing; it needs at least a pool with a server"]),
            ("workers: 2\n", ["1:1: \"pools\" is missing"]),
            ("pools: {}\n", ["1:8: pools must hold groups, each under a name of its own"]),
            ("pools: [a]\n", ["1:8: pools must hold groups, each under a name of its own"]),
            ("pools:\n  a: {}\n", ["2:6: pools.a: \"servers\" is missing"]),
            ("pools:\n  a:\n", ["2:3: \"a\" has no value; it must be a group"]),
            ("pools:\n  a: {servers: []}\n", ["2:16: pools.a.servers is empty"]),
            (
                "pools:\n  my shop: {servers: [a:1]}\n",
                [
                    "2:3: a key of pools must be a name of 1 to 128 letters, digits and ._-:[], "
                        + "not \"my shop\"; did you mean \"my-shop\"?"
                ]
            ),
            (
                "- pools\n",
                [
                    "1:1: the file must be a group of settings (listeners, trusted-proxies, "
                        + "routes, …), not a list"
                ]
            ),
        ]
    )
    func `what is missing`(text: String, want: [String]) {
        #expect(problems(of: text) == want)
    }
}

@Suite struct ValueProblemTests {
    static let workers = "workers must be auto or a whole number within 1...256, not "
    static let connections = "limits.connections must be a whole number within 1...10000000, not "

    @Test(
        arguments: [
            ("workers: 0", ["1:10: \(workers)\"0\""]),
            ("workers: 257", ["1:10: \(workers)\"257\""]),
            ("workers: -1", ["1:10: \(workers)\"-1\""]),
            ("workers: atuo", ["1:10: \(workers)\"atuo\"; did you mean \"auto\"?"]),
            ("workers: \"2\"", ["1:10: workers: \"2\" must stand without quotes"]),
            ("workers: 010", ["1:10: \(workers)\"010\"; did you mean \"10\"?"]),
            ("workers: 4.0", ["1:10: \(workers)\"4.0\"; did you mean \"4\"?"]),
            ("workers: 99999999999999999999", ["1:10: \(workers)\"99999999999999999999\""]),
            ("workers: [2]", ["1:10: \(workers)a list"]),
            ("workers: {n: 2}", ["1:10: \(workers)a group of settings"]),
            ("workers: ${N}", ["1:10: \(workers)\"${N}\"; Belay does not fill in variables"]),
            (
                "limits: {connections: 100_000}",
                [
                    "1:23: \(connections)\"100_000\"; did you mean \"100000\"?"
                ]
            ),
            (
                "limits: {connections: '100,000'}",
                [
                    "1:23: \(connections)\"100,000\"; did you mean \"100000\"?"
                ]
            ),
            (
                "limits: {connections: 100k}",
                [
                    "1:23: \(connections)\"100k\"; did you mean \"100000\"?"
                ]
            ),
            (
                "limits: {connections: 1e5}",
                [
                    "1:23: \(connections)\"1e5\"; did you mean \"100000\"?"
                ]
            ),
            ("limits: {connections: 0x10}", ["1:23: \(connections)\"0x10\""]),
            ("limits: {connections: off}", ["1:23: \(connections)\"off\""]),
            (
                "limits: {connections-per-client: none}",
                [
                    "1:34: limits.connections-per-client must be off or a whole number within "
                        + "1...10000000, not \"none\"; did you mean \"off\"?"
                ]
            ),
        ]
    )
    func `whole numbers`(text: String, want: [String]) {
        #expect(problems(beside: text) == want)
    }

    @Test(
        arguments: [
            (
                "load-bound: 1,5",
                "17: pools.shop.load-bound must be a number within 1.05...10, "
                    + "not \"1,5\"; did you mean \"1.5\"?"
            ),
            (
                "load-bound: 1",
                "17: pools.shop.load-bound must be a number within 1.05...10, "
                    + "not \"1\""
            ),
            (
                "load-bound: .inf",
                "17: pools.shop.load-bound must be a number within 1.05...10, "
                    + "not \".inf\""
            ),
            (
                "failures: {eject-share: 50}",
                "29: pools.shop.failures.eject-share must be a "
                    + "percentage within 0%...100%, not \"50\"; did you mean \"50%\"?"
            ),
            (
                "failures: {eject-share: 0.5}",
                "29: pools.shop.failures.eject-share must be a "
                    + "percentage within 0%...100%, not \"0.5\"; did you mean \"50%\"?"
            ),
            (
                "failures: {eject-share: 101%}",
                "29: pools.shop.failures.eject-share must be a "
                    + "percentage within 0%...100%, not \"101%\""
            ),
            (
                "balance: roundrobin",
                "14: pools.shop.balance must be round-robin, "
                    + "least-connections, source-hash, url-hash, least-time or random-of-two, "
                    + "not \"roundrobin\"; did you mean \"round-robin\"?"
            ),
        ]
    )
    func `other numbers and words`(text: String, want: String) {
        #expect(problems(inPool: text) == ["4:" + want])
    }

    static let idle = "limits.idle must be a time within 100ms...1d, not "

    @Test(
        arguments: [
            ("30", "limits.idle: \"30\" has no unit (ms, s, m, h or d); did you mean \"30s\"?"),
            ("0", "limits.idle: \"0\" has no unit (ms, s, m, h or d)"),
            ("0s", "\(idle)\"0s\""),
            ("1m30s", "\(idle)\"1m30s\"; did you mean \"90s\"?"),
            ("1.5h", "\(idle)\"1.5h\"; did you mean \"90m\"?"),
            ("30 sec", "\(idle)\"30 sec\"; did you mean \"30s\"?"),
            ("2 minutes", "\(idle)\"2 minutes\"; did you mean \"2m\"?"),
            ("30S", "\(idle)\"30S\"; did you mean \"30s\"?"),
            ("-5s", "\(idle)\"-5s\""),
            ("2d", "\(idle)\"2d\""),
            ("99999999999999999d", "\(idle)\"99999999999999999d\""),
            ("forever", "\(idle)\"forever\""),
            ("off", "\(idle)\"off\""),
        ]
    )
    func `times`(value: String, want: String) {
        #expect(problems(beside: "limits:\n  idle: \(value)") == ["2:9: " + want])
    }

    static let size = "limits.head-size must be a size within 1KiB...48KiB, not "

    @Test(
        arguments: [
            (
                "16384",
                "limits.head-size: \"16384\" has no unit (B, KiB, MiB or GiB); "
                    + "did you mean \"16384B\"?"
            ),
            ("32KB", "\(size)\"32KB\"; did you mean \"32KiB\"?"),
            ("32k", "\(size)\"32k\"; did you mean \"32KiB\"?"),
            ("32 KiB", "\(size)\"32 KiB\"; did you mean \"32KiB\"?"),
            ("32kib", "\(size)\"32kib\"; did you mean \"32KiB\"?"),
            ("8192 bytes", "\(size)\"8192 bytes\"; did you mean \"8KiB\"?"),
            ("64KiB", "\(size)\"64KiB\""),
            ("9999999999999999TiB", "\(size)\"9999999999999999TiB\""),
        ]
    )
    func `sizes`(value: String, want: String) {
        #expect(problems(beside: "limits:\n  head-size: \(value)") == ["2:14: " + want])
    }

    @Test(
        arguments: [
            (
                "pin-workers: yes",
                "14: pin-workers must be true or false, not \"yes\"; "
                    + "did you mean \"true\"?"
            ),
            (
                "pin-workers: \"no\"",
                "14: pin-workers must be true or false, not \"no\"; "
                    + "did you mean \"false\"?"
            ),
            ("pin-workers: \"true\"", "14: pin-workers: \"true\" must stand without quotes"),
            (
                "pin-workers: True",
                "14: pin-workers must be true or false, not \"True\"; "
                    + "did you mean \"true\"?"
            ),
            (
                "headers: {via: true}",
                "16: headers.via must be off, on or pseudonym, not "
                    + "\"true\"; did you mean \"on\"?"
            ),
            (
                "headers: {forwarded: no}",
                "22: headers.forwarded must be on or off, not \"no\"; "
                    + "did you mean \"off\"?"
            ),
            (
                "log: {level: warn}",
                "14: log.level must be trace, debug, info, notice, warning, "
                    + "error or critical, not \"warn\"; did you mean \"warning\"?"
            ),
            (
                "log: {access-to: stdot}",
                "18: log.access-to must be stdout or a path with a /, "
                    + "not \"stdot\"; did you mean \"stdout\"?"
            ),
            (
                "error-pages: ~/pages",
                "14: error-pages: \"~/pages\" must be written out; Belay "
                    + "does not know what ~ stands for"
            ),
            ("admin: no", "8: admin must be off or a group, not \"no\"; did you mean \"off\"?"),
        ]
    )
    func `words and paths`(text: String, want: String) {
        #expect(problems(beside: text) == ["1:" + want])
    }

    @Test(
        arguments: [
            (
                "ring: [abc]",
                [
                    "1:15: an entry of keys.ring must be base64 of 32 bytes "
                        + "(openssl rand -base64 32 makes one)"
                ]
            ),
            (
                "ring: [c2VjcmV0]",
                [
                    "1:15: an entry of keys.ring: this value is base64 of 6 bytes, "
                        + "not of 32"
                ]
            ),
            (
                "ring: {a: c2VjcmV0}",
                [
                    "1:14: keys.ring must be a list, not a group of settings; "
                        + "begin each entry with \"- \""
                ]
            ),
            ("ring: c2VjcmV0", ["1:14: keys.ring must be a list; begin each entry with \"- \""]),
            (
                "ring: [&k AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, "
                    + "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=]",
                ["1:64: this key is in the ring twice; first on line 1"]
            ),
            (
                "ring: [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=], file: /k",
                ["1:68: keys has both a ring and a file; give one of them"]
            ),
        ]
    )
    func `keys are never repeated`(text: String, want: [String]) {
        #expect(problems(beside: "keys: {\(text)}") == want)
    }
}
