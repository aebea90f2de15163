import BelayBalancing
import BelayCore
import Testing

/// What a server says of itself.
@Suite struct AgentWordTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let text: String
        var state: AdminState?
        var percent: Int?
        var isUp: Bool?
        var openMax: Int?
        var unknown: String?

        var testDescription: String { self.text.debugDescription }
    }

    @Test(arguments: [
        Case(text: "75%\n", percent: 75),
        Case(text: "0%", percent: 0),
        Case(text: "256%", percent: 256),
        Case(text: "ready", state: .ready),
        Case(text: "drain\r\n", state: .draining),
        Case(text: "maint", state: .maintenance),
        Case(text: "up", isUp: true),
        Case(text: "down", isUp: false),
        Case(text: "fail", isUp: false),
        Case(text: "failed", isUp: false),
        Case(text: "stopped # for the night", isUp: false),
        Case(text: "maxconn:30", openMax: 30),
        Case(text: "maxconn:0", openMax: 0),
        // Several words, in any order and case.
        Case(text: "up ready 50%\n", state: .ready, percent: 50, isUp: true),
        Case(text: "READY,Up,\t80%", state: .ready, percent: 80, isUp: true),
        Case(text: "drain 10% maxconn:5", state: .draining, percent: 10, openMax: 5),
        // The last of several holds.
        Case(text: "drain ready", state: .ready),
        // Only the first line counts, and what stands in front of `#`.
        Case(text: "up\ndown\n", isUp: true),
        Case(text: "up#down", isUp: true),
        Case(text: "# down"),
        Case(text: ""),
        Case(text: "\n"),
        Case(text: "  \t , \n"),
        // Words that mean nothing.
        Case(text: "sideways", unknown: "sideways"),
        Case(text: "up 75 %", isUp: true, unknown: "75"),
        Case(text: "-5%", unknown: "-5%"),
        Case(text: "1e3%", unknown: "1e3%"),
        Case(text: "maxconn:", unknown: "maxconn:"),
        Case(text: "maxconn:-1", unknown: "maxconn:-1"),
        Case(text: "maxconn:5000000000", unknown: "maxconn:5000000000"),
        Case(text: "99999999999999999999%", unknown: "99999999999999999999%"),
        Case(text: "a\u{1B}[2Jb", unknown: "a?[2jb"),
        Case(text: "größe", unknown: "gr????e"),
    ])
    func `words mean what HAProxy's agents mean by them`(_ given: Case) {
        let word = AgentWord(Array(given.text.utf8).span)
        #expect(word.state == given.state)
        #expect(word.percent == given.percent)
        #expect(word.isUp == given.isUp)
        #expect(word.openMax == given.openMax)
        #expect(word.unknown == given.unknown)
        let isEmpty =
            given.state == nil && given.percent == nil && given.isUp == nil
            && given.openMax == nil && given.unknown == nil
        #expect(word.isEmpty == isEmpty)
    }

    @Test func `a long word is cut`() {
        let word = AgentWord(Array(repeating: UInt8(ascii: "x"), count: 5_000).span)
        #expect(word.unknown?.count == AgentWord.wordMax)
    }

    @Test(arguments: [
        ("75%", "75%"), ("READY,Up,\t80%", "ready up 80%"), ("stopped", "down"), ("", ""),
        ("maxconn:5 10% drain sideways # x", "drain 10% maxconn:5 sideways"), ("maint", "maint"),
    ])
    func `words are shown as they are known`(text: String, want: String) {
        #expect("\(AgentWord(Array(text.utf8).span))" == want)
    }
}
