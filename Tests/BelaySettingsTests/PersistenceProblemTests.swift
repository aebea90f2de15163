import BelaySettings
import Testing

// What operators do wrong with ways to bind, and what they read.

/// The problems of a pool with this persistence, on line 1 from column 1.
func problems(inPersistence text: String) -> [String] {
    let lead = "pools: {a: {servers: [x:1], persistence: {"
    return problems(of: lead + text + "}}}\n").map { line in
        let parts = line.split(separator: ":", maxSplits: 2)
        return "\((Int(parts[1]) ?? 0) - lead.count):\(parts[2])"
    }
}

@Suite struct WayProblemTests {
    @Test(
        arguments: [
            (
                "ways: []",
                [
                    "7: pools.a.persistence.ways is empty"
                ]
            ),
            (
                "ways: cookie",
                [
                    "7: pools.a.persistence.ways must be a list; begin each entry with \"- \""
                ]
            ),
            (
                "ways: [cokie]",
                [
                    "8: an entry of pools.a.persistence.ways must be cookie, source-address, "
                        + "tuple, tls-session or jwt, not \"cokie\"; did you mean \"cookie\"?"
                ]
            ),
            (
                "ways: [{cokie: {}}]",
                [
                    "9: unknown key \"cokie\" in pools.a.persistence.ways; did you mean "
                        + "\"cookie\"?"
                ]
            ),
            (
                "ways: [{}]",
                [
                    "8: an entry of pools.a.persistence.ways needs a way to bind (cookie, "
                        + "application-cookie, header, …)"
                ]
            ),
            (
                "ways: [header]",
                [
                    "8: an entry of pools.a.persistence.ways must be cookie, source-address, "
                        + "tuple, tls-session or jwt, not \"header\""
                ]
            ),
            (
                "ways: [{cookie: {}, header: {name: x}}]",
                [
                    "21: an entry of pools.a.persistence.ways has both cookie and header; "
                        + "begin each with \"- \""
                ]
            ),
            (
                "ways: [cookie, cookie]",
                [
                    "16: cookie is a way of this pool already; first on line 1"
                ]
            ),
            (
                "ways: [cookie, {cookie: {name: b}}]",
                [
                    "25: cookie is a way of this pool already; first on line 1"
                ]
            ),
            (
                "ways: [{header: {name: A}}, {header: {name: a}}]",
                [
                    "38: header \"a\" is a way of this pool already; first on line 1"
                ]
            ),
            ("ways: [{header: {name: a}}, {header: {name: b}}, {query: {name: a}}]", []),
            (
                "ways: [{application-cookie: {name: a}}, "
                    + "{application-cookie: {name: a, mode: prefix}}]",
                [
                    "62: application-cookie \"a\" is a way of this pool already; first on "
                        + "line 1"
                ]
            ),
            (
                "ways: [source-address, {source-address: {store: hash}}]",
                [
                    "41: source-address is a way of this pool already; first on line 1"
                ]
            ),
            (
                "ways: [tuple, cookie]",
                [
                    "15: cookie is never looked at: tuple on line 1 finds a server for every "
                        + "request; put it last"
                ]
            ),
            (
                "ways: [{source-address: {store: hash}}, cookie, jwt]",
                [
                    "41: cookie is never looked at: source-address with \"store: hash\" on "
                        + "line 1 finds a server for every request; put it last",
                    "49: jwt is never looked at: source-address with \"store: hash\" on line "
                        + "1 finds a server for every request; put it last",
                ]
            ),
            (
                "ways: [cookie, {application-cookie: {name: belay}}]",
                [
                    "44: the application's cookie and Belay's own are both named \"belay\""
                ]
            ),
            (
                "ways: [tls-session]",
                [
                    "8: no listener has tls, so no client has a TLS session"
                ]
            ),
            (
                "cookie: {}, ways: [cookie]",
                [
                    "19: pools.a.persistence has both cookie and ways; give one of them"
                ]
            ),
            (
                "preset: gcp-client-ip, cookie: {}",
                [
                    "32: pools.a.persistence has both preset and cookie; give one of them"
                ]
            ),
            (
                "ways: [cookie], preset: gcp-client-ip",
                [
                    "25: pools.a.persistence has both ways and preset; give one of them"
                ]
            ),
            (
                "ways: [{application-cookie: {name: a, mode: prefix}}, "
                    + "{application-cookie: {name: b, mode: prefix}}]",
                ["92: one cookie of a pool may have the mode prefix; first on line 1"]
            ),
            (
                "ways: [jwt, jwt]",
                [
                    "13: jwt with the claim \"sub\" is a way of this pool already; first on "
                        + "line 1"
                ]
            ),
        ] as [(String, [String])]
    )
    func `ways among each other`(text: String, want: [String]) {
        #expect(problems(inPersistence: text) == want)
    }

    @Test(
        arguments: [
            (
                "application-cookie: {}",
                [
                    "29: pools.a.persistence.ways.application-cookie: \"name\" is missing"
                ]
            ),
            (
                "application-cookie: {name: a b}",
                [
                    "36: pools.a.persistence.ways.application-cookie.name must be a name of "
                        + "1 to 64 characters that cookies allow, not \"a b\""
                ]
            ),
            (
                "application-cookie: {name: a, mode: lern}",
                [
                    "45: pools.a.persistence.ways.application-cookie.mode must be learn, "
                        + "prefix or route, not \"lern\"; did you mean \"learn\"?"
                ]
            ),
            (
                "application-cookie: {name: a, separator: '.'}",
                [
                    "50: pools.a.persistence.ways.application-cookie: \"separator\" is for "
                        + "the modes prefix and route, and this one is learn"
                ]
            ),
            (
                "application-cookie: {name: a, mode: prefix, separator: ab}",
                [
                    "64: pools.a.persistence.ways.application-cookie.separator must be one "
                        + "of the characters !#$&*+-./:^_~, not \"ab\""
                ]
            ),
            (
                "header: {}",
                [
                    "17: pools.a.persistence.ways.header: \"name\" is missing"
                ]
            ),
            (
                "header: {name: 'X:'}",
                [
                    "24: pools.a.persistence.ways.header.name: \"X:\" has a colon; did you "
                        + "mean \"X\"?"
                ]
            ),
            (
                "header: {name: Set-Cookie}",
                [
                    "24: pools.a.persistence.ways.header.name: \"Set-Cookie\" is for "
                        + "cookies; bind by \"cookie\" or \"application-cookie\""
                ]
            ),
            (
                "header: {name: a, learn: on}",
                [
                    "34: pools.a.persistence.ways.header.learn must be true or false, not "
                        + "\"on\"; did you mean \"true\"?"
                ]
            ),
            (
                "query: {name: 'sid='}",
                [
                    "23: pools.a.persistence.ways.query.name: \"sid=\" is more than a name; "
                        + "did you mean \"sid\"?"
                ]
            ),
            (
                "query: {name: ''}",
                [
                    "23: pools.a.persistence.ways.query.name must be a name of 1 to 64 "
                        + "letters, digits and ._~%-, not \"\""
                ]
            ),
            (
                "query: {name: a, learn: header}",
                [
                    "33: pools.a.persistence.ways.query.learn: \"header\" needs the name of "
                        + "the field behind it"
                ]
            ),
            (
                "query: {name: a, learn: header a b}",
                [
                    "33: pools.a.persistence.ways.query.learn must be off, body or header "
                        + "NAME, not \"header a b\""
                ]
            ),
            (
                "query: {name: a, learn: bdy}",
                [
                    "33: pools.a.persistence.ways.query.learn must be off, body or header "
                        + "NAME, not \"bdy\"; did you mean \"body\"?"
                ]
            ),
            (
                "query: {name: a, learn: header Cookie}",
                [
                    "33: pools.a.persistence.ways.query.learn: \"header Cookie\" is for "
                        + "cookies; bind by \"cookie\" or \"application-cookie\""
                ]
            ),
            (
                "source-address: {ipv4-prefix: 33}",
                [
                    "39: pools.a.persistence.ways.source-address.ipv4-prefix must be a whole "
                        + "number within 8...32, not \"33\""
                ]
            ),
            (
                "source-address: {ipv6-prefix: 8}",
                [
                    "39: pools.a.persistence.ways.source-address.ipv6-prefix must be a whole "
                        + "number within 16...128, not \"8\""
                ]
            ),
            (
                "source-address: {store: tabel}",
                [
                    "33: pools.a.persistence.ways.source-address.store must be table or "
                        + "hash, not \"tabel\"; did you mean \"table\"?"
                ]
            ),
            (
                "tuple: {fields: 4}",
                [
                    "25: pools.a.persistence.ways.tuple.fields must be 2, 3 or 5, not \"4\""
                ]
            ),
            (
                "tuple: {fields: '5'}",
                [
                    "25: pools.a.persistence.ways.tuple.fields: \"5\" must stand without "
                        + "quotes"
                ]
            ),
            (
                "tls-session: {name: a}",
                [
                    "22: no listener has tls, so no client has a TLS session",
                    "23: unknown key \"name\" in pools.a.persistence.ways.tls-session; it "
                        + "belongs in listeners[] or routes[] or pools.NAME.servers[] or others",
                ]
            ),
            (
                "jwt: {algorithm: hs256, secret: x}",
                [
                    "26: pools.a.persistence.ways.jwt.algorithm must be off or HS256, HS384, "
                        + "HS512, RS256, RS384, RS512, PS256, ES256, ES384 or EdDSA, not "
                        + "\"hs256\"; did you mean \"HS256\"?"
                ]
            ),
            (
                "jwt: {algorithm: HS256}",
                [
                    "26: pools.a.persistence.ways.jwt: the algorithm HS256 needs a "
                        + "\"secret\" or a \"key-file\""
                ]
            ),
            (
                "jwt: {algorithm: ES256}",
                [
                    "26: pools.a.persistence.ways.jwt: the algorithm ES256 needs a "
                        + "\"key-file\""
                ]
            ),
            (
                "jwt: {secret: x}",
                [
                    "23: pools.a.persistence.ways.jwt: \"secret\" needs an \"algorithm\", or "
                        + "no signature is checked"
                ]
            ),
            (
                "jwt: {key-file: x}",
                [
                    "25: pools.a.persistence.ways.jwt: \"key-file\" needs an \"algorithm\", "
                        + "or no signature is checked"
                ]
            ),
            (
                "jwt: {algorithm: RS256, secret: x}",
                [
                    "41: pools.a.persistence.ways.jwt: a secret is for HS256 and the like; "
                        + "RS256 needs a \"key-file\" with the public key"
                ]
            ),
            (
                "jwt: {algorithm: HS256, secret: x, key-file: y}",
                [
                    "54: pools.a.persistence.ways.jwt has both a secret and a key-file; give "
                        + "one of them"
                ]
            ),
            (
                "jwt: {algorithm: HS256, secret: x}",
                [
                    "41: warning: pools.a.persistence.ways.jwt: this secret can be guessed; "
                        + "RFC 7518 asks for 32 bytes"
                ]
            ),
            (
                "jwt: {algorithm: HS256, secret: ''}",
                [
                    "41: pools.a.persistence.ways.jwt.secret must be a text of 1 to 1024 "
                        + "bytes"
                ]
            ),
            (
                "jwt: {claim: ''}",
                [
                    "22: pools.a.persistence.ways.jwt.claim must be a name of 1 to 128 "
                        + "characters, not \"\""
                ]
            ),
            (
                "cookie: {partitioned: true, secure: never}",
                [
                    "45: a cookie with \"partitioned: true\" must not have \"secure: never\""
                ]
            ),
            (
                "cookie: {http-only: false}",
                [
                    "29: warning: with \"http-only: false\" every script of the page can "
                        + "read this cookie and send it elsewhere"
                ]
            ),
            (
                "cookie: {http-only: off}",
                [
                    "29: pools.a.persistence.ways.cookie.http-only must be true or false, "
                        + "not \"off\"; did you mean \"false\"?"
                ]
            ),
            (
                "cookie: {keep: binding, idle: off, lifetime: off}",
                [
                    "24: \"keep: binding\" needs an idle or a lifetime, and both are off"
                ]
            ),
            (
                "cookie: {keep: browser}",
                [
                    "24: pools.a.persistence.ways.cookie.keep must be session or binding, "
                        + "not \"browser\""
                ]
            ),
            (
                "cookie: {set-on: page}",
                [
                    "26: pools.a.persistence.ways.cookie.set-on must be all or navigation, "
                        + "not \"page\""
                ]
            ),
            (
                "cookie: {preserve: 1}",
                [
                    "28: pools.a.persistence.ways.cookie.preserve must be true or false, not "
                        + "\"1\"; did you mean \"true\"?"
                ]
            ),
        ] as [(String, [String])]
    )
    func `settings of a way`(text: String, want: [String]) {
        #expect(problems(inPersistence: "ways: [{" + text + "}]") == want)
    }
}
