import BelaySettings
import Testing

/// What is wrong with the YAML, before any setting is looked at.
@Suite struct SyntaxProblemTests {
    @Test(
        arguments: [
            ("pools:\n\tshop:\n", "2:1: this line is indented with a tab; YAML wants spaces"),
            (
                "pools:\n  a:\n    retries: 1\n   b: 2\n",
                "4:4: this line does not fit the lines before it, which begin on line 2"
            ),
            ("a: \"unclosed\nb: 2\n", "1:4: a quote is opened here and never closed"),
            (
                "a: 'it's'\n",
                "1:8: the quote ends before this; inside '…' an apostrophe is "
                    + "written twice"
            ),
            ("a: [1, 2\nb: 3\n", "2:2: the [ on line 1 is not closed, or a comma is missing"),
            ("a: {b: 1\nc: 2\n", "2:2: the { on line 1 is not closed, or a comma is missing"),
            (
                "listeners:\n  - [::1]:80\n",
                "2:6: an address with brackets must stand in quotes, "
                    + "\"[::1]:80\""
            ),
            (
                "listeners: [ :8080 ]\n",
                "1:14: inside brackets, a text that begins with : must "
                    + "stand in quotes: \":8080\""
            ),
            (
                "a: *.example.com\n",
                "1:4: a text that begins with * must stand in quotes: "
                    + "\"*.example.com\""
            ),
            ("a: *abc\n", "1:4: this alias stands for nothing; if it is text, quote it"),
            ("a: b: c\n", "1:5: a text with \": \" in it must stand in quotes"),
            ("pools\n  a: 1\n", "1:6: line 1 has no colon"),
            ("workers:2\npools:\n  a: 1\n", "1:9: line 1 has no space after its colon"),
            (
                "a: 1\n  b: 2\n",
                "2:4: a \": \" is not expected here; is the line indented like "
                    + "its neighbours?"
            ),
            ("a: 1\n---\nb: 2\n", "2:1: a second document starts here; a file holds one"),
            ("a: @x\n", "1:4: a text that begins with @ must stand in quotes"),
            ("a: `x`\n", "1:4: a text that begins with ` must stand in quotes"),
            ("a: %x\n", "1:4: a text that begins with % must stand in quotes"),
            ("a: b\u{1}\n", "1:5: the file has the invisible character \\u{1}"),
            ("a: b\u{0}\n", "1:5: the file has the invisible character \\u{0}"),
            ("a: b\u{85}c\n", "1:5: the file has the invisible character \\u{85}"),
            ("a: b\u{2028}c\n", "1:5: the file has the invisible character \\u{2028}"),
        ]
    )
    func `mistakes in YAML`(text: String, want: String) {
        #expect(problems(of: text) == [want])
    }

    @Test func `nesting has an end`() {
        let deep = "a: " + String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        #expect(problems(of: deep).contains("1:35: more than 32 levels lie one inside the other"))
        let deeper = "a: " + String(repeating: "[", count: 20_000)
        #expect(problems(of: deeper) == ["1:5: too many levels lie one inside the other"])
    }

    @Test func `aliases of aliases cannot grow without end`() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<12 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        let want = " the file uses too many anchors and aliases: write the settings out"
        #expect(problems(of: text) == [want])
    }

    @Test func `a value that aliases repeat too often is refused`() {
        let entry = Array(repeating: "x:1", count: 2_000).joined(separator: ", ")
        let aliases = Array(repeating: "*a", count: 400).joined(separator: ", ")
        let text = "a: &a [\(entry)]\nb: [\(aliases)]\n"
        let want = "the file grows beyond 500000 values; does it repeat aliases?"
        #expect(problems(of: text).contains { $0.hasSuffix(want) })
    }

    @Test func `a file that is too large is not parsed`() {
        let text = String(repeating: "#", count: 4 << 20) + "\n"
        #expect(problems(of: text) == [" the file is larger than 4 MiB"])
    }

    @Test func `more problems than can be read are counted`() {
        let text = (0..<600).map { "key\($0): 1\n" }.joined()
        let found = problems(of: text)
        #expect(found.count == 501)
        #expect(found.last == " 101 more problems are not shown")
    }

    @Test func `lists have an end`() {
        let servers = (1...10_001).map { "s\($0):1" }.joined(separator: ",")
        #expect(
            problems(of: "pools: {a: {servers: [\(servers)]}}\n") == [
                "1:22: pools.a.servers has 10001 entries; at most 10000 fit"
            ]
        )
        let routes = (1...4097).map { "{match: {path: /\($0)}, pool: a}" }.joined(separator: ",")
        #expect(
            problems(of: "pools: {a: {servers: [s:1]}}\nroutes: [\(routes)]\n") == [
                "2:9: routes has 4097 entries; at most 4096 fit"
            ]
        )
    }
}
