import BelaySettings
import Testing

// What operators do wrong with rules for bindings, and what they read.

@Suite struct BindingRuleProblemTests {
    @Test(
        arguments: [
            (
                "cookie: {}, idle: 1m",
                [
                    "19: pools.a.persistence: \"idle\" is for bindings in the table, and the "
                        + "cookie has its own"
                ]
            ),
            (
                "cookie: {}, lifetime: 1m",
                [
                    "23: pools.a.persistence: \"lifetime\" is for bindings in the table, and "
                        + "the cookie has its own"
                ]
            ),
            (
                "ways: [{application-cookie: {name: a, mode: prefix}}], idle: 1m",
                [
                    "62: pools.a.persistence: \"idle\" is for bindings in the table, and no "
                        + "way of this pool has any"
                ]
            ),
            (
                "ways: [jwt], idle: 1h, lifetime: 1m",
                [
                    "20: pools.a.persistence: idle (1h) is longer than lifetime (1m)"
                ]
            ),
            (
                "ways: [jwt], idle: 9h",
                [
                    "20: pools.a.persistence: idle (9h) is longer than lifetime (8h)"
                ]
            ),
            (
                "ways: [jwt], lifetime: 1m",
                [
                    "24: pools.a.persistence: idle (30m) is longer than lifetime (1m)"
                ]
            ),
            (
                "ways: [jwt], idle: 0",
                [
                    "20: pools.a.persistence.idle: \"0\" has no unit (ms, s, m, h or d); did "
                        + "you mean \"off\"?"
                ]
            ),
            (
                "ways: [tuple], return: home",
                [
                    "24: pools.a.persistence: \"return\" is for bindings, and tuple "
                        + "remembers nothing"
                ]
            ),
            (
                "ways: [tuple], table: {}, claim: 1s, on-full: move",
                [
                    "23: pools.a.persistence: \"table\" is for bindings, and tuple remembers "
                        + "nothing",
                    "34: pools.a.persistence: \"claim\" is for bindings, and tuple remembers "
                        + "nothing",
                    "47: pools.a.persistence: \"on-full\" is for bindings, and tuple "
                        + "remembers nothing",
                ]
            ),
            (
                "ways: [jwt], return: hom",
                [
                    "22: pools.a.persistence.return must be stay or home, not \"hom\"; did "
                        + "you mean \"home\"?"
                ]
            ),
            (
                "ways: [jwt], on-full: reject, reject-status: 200",
                [
                    "46: pools.a.persistence.reject-status must be a whole number within "
                        + "400...599, not \"200\""
                ]
            ),
            (
                "ways: [jwt], reject-status: 503",
                [
                    "29: pools.a.persistence: \"reject-status\" is for \"on-full: reject\" "
                        + "and \"on-failure: reject\", and neither is set"
                ]
            ),
            (
                "ways: [jwt], on-failure: drop",
                [
                    "26: pools.a.persistence.on-failure must be rebalance or reject, not "
                        + "\"drop\""
                ]
            ),
            (
                "ways: [jwt], claim: 1ms",
                [
                    "21: pools.a.persistence.claim must be off or a time within 10ms...1m, "
                        + "not \"1ms\""
                ]
            ),
            (
                "ways: [jwt], table: {entries: 10}",
                [
                    "31: pools.a.persistence.table.entries must be a whole number within "
                        + "1000...50000000, not \"10\""
                ]
            ),
            (
                "ways: [jwt], table: {file: true}",
                [
                    "28: pools.a.persistence.table.file must be on or off, not \"true\"; did "
                        + "you mean \"on\"?"
                ]
            ),
            (
                "ways: [jwt], exempt: [{}]",
                [
                    "23: an entry of pools.a.persistence.exempt needs a path, suffix, "
                        + "user-agent or method"
                ]
            ),
            (
                "ways: [jwt], exempt: [{path: /}]",
                [
                    "30: an entry of pools.a.persistence.exempt would exempt every request"
                ]
            ),
            ("ways: [jwt], exempt: [{path: /, method: GET}]", []),
            (
                "ways: [jwt], exempt: [{suffix: '*.css'}]",
                [
                    "32: pools.a.persistence.exempt.suffix: \"*.css\" needs no *; did you "
                        + "mean \".css\"?"
                ]
            ),
            (
                "ways: [jwt], exempt: [{user-agent: ' '}]",
                [
                    "36: pools.a.persistence.exempt.user-agent must be a text of 1 to 128 "
                        + "ASCII characters, not \" \""
                ]
            ),
            (
                "ways: [jwt], exempt: [{method: get}]",
                [
                    "32: pools.a.persistence.exempt.method must be GET, HEAD, POST, PUT, "
                        + "PATCH, DELETE, OPTIONS or TRACE, not \"get\"; did you mean \"GET\"?"
                ]
            ),
            (
                "ways: [jwt], exempt: [/static]",
                [
                    "23: an entry of pools.a.persistence.exempt must be a group of settings "
                        + "(path, suffix, user-agent, …), not \"/static\""
                ]
            ),
            (
                "ways: [jwt], xempt: []",
                [
                    "14: unknown key \"xempt\" in pools.a.persistence; did you mean "
                        + "\"exempt\"?"
                ]
            ),
        ] as [(String, [String])]
    )
    func `rules for bindings`(text: String, want: [String]) {
        #expect(problems(inPersistence: text) == want)
    }
}
