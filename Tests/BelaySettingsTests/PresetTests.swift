import BelayCore
import BelaySettings
import Foundation
import Testing

/// Presets: what each stands for, and what it can't be told.
@Suite struct PresetTests {
    private static let lead = "pools: {a: {servers: [x:1], persistence: {"

    private func persistence(_ text: String) throws -> Settings.Persistence {
        let (settings, problems) = SettingsFile.load(text: Self.lead + text + "}}}\n", file: "f")
        #expect(problems.isEmpty)
        return try #require(settings?.pools[0].persistence)
    }

    /// The preset as an operator writes it, and the same in plain settings.
    static let cases: [(preset: String, plain: String)] = [
        (
            "aws-alb-duration",
            "ways: [{cookie: {name: AWSALB, keep: binding, idle: 1d, lifetime: off}}]"
        ),
        (
            "{name: aws-alb-duration, ttl: 7d}",
            "ways: [{cookie: {name: AWSALB, keep: binding, idle: 7d, lifetime: off}}]"
        ),
        (
            "{name: aws-alb-application, cookie: JSESSIONID}",
            "ways: [{application-cookie: {name: JSESSIONID}}], idle: 1d, lifetime: off"
        ),
        (
            "{name: aws-alb-application, cookie: sid, ttl: 1h}",
            "ways: [{application-cookie: {name: sid}}], idle: 1h, lifetime: off"
        ),
        (
            "aws-nlb-source-ip",
            "ways: [{source-address: {ipv6-prefix: 128}}], idle: off, lifetime: off"
        ),
        (
            "azure-application-gateway",
            "ways: [{cookie: {name: ApplicationGatewayAffinity, idle: off, lifetime: off}}]"
        ),
        (
            "{name: azure-application-gateway, cookie: shop}",
            "ways: [{cookie: {name: shop, idle: off, lifetime: off}}]"
        ),
        ("azure-load-balancer-none", "ways: [{tuple: {fields: 5}}]"),
        ("azure-load-balancer-source-ip", "ways: [{tuple: {fields: 2}}]"),
        ("azure-load-balancer-source-ip-protocol", "ways: [{tuple: {fields: 3}}]"),
        (
            "gcp-generated-cookie",
            "ways: [{cookie: {name: GCLB, idle: off, lifetime: off}}], return: home"
        ),
        (
            "{name: gcp-generated-cookie, cookie: GCILB, ttl: 1h}",
            "ways: [{cookie: {name: GCILB, keep: binding, idle: off, lifetime: 1h}}], return: home"
        ),
        (
            "{name: gcp-http-cookie, cookie: shop, path: /cart, ttl: 14d}",
            "ways: [{cookie: {name: shop, path: /cart, keep: binding, idle: off, lifetime: 14d}}], "
                + "return: home"
        ),
        (
            "{name: gcp-strong-cookie, cookie: shop}",
            "ways: [{cookie: {name: shop, idle: off, lifetime: off}}]"
        ),
        (
            "{name: gcp-header-field, header: X-User}",
            "ways: [{header: {name: x-user, learn: false}}], return: home"
        ),
        ("gcp-client-ip", "ways: [{tuple: {fields: 2}}]"),
        ("gcp-client-ip-proto", "ways: [{tuple: {fields: 3}}]"),
        ("gcp-client-ip-port-proto", "ways: [{tuple: {fields: 5}}]"),
    ]

    @Test(arguments: cases)
    func `a preset is plain settings`(preset: String, plain: String) throws {
        #expect(try self.persistence("preset: " + preset) == self.persistence(plain))
    }

    @Test(arguments: cases)
    func `an expanded preset loads as the same settings`(preset: String, plain: String) throws {
        let text = Self.lead + "preset: \(preset)}}}\n"
        let settings = try #require(SettingsFile.load(text: text, file: "f").0)
        let written = Reference.expandedFile(of: settings)
        #expect(!written.contains("preset"))
        let (again, problems) = SettingsFile.load(text: written, file: "f")
        #expect(problems.isEmpty)
        #expect(again == settings)
    }

    @Test func `every preset has a case here, and a row in the manual`() throws {
        let words = Self.cases.map { $0.preset.prefix { $0 != "," }.drop { $0 == "{" } }
        let names = Set(words.map { $0.replacing("name: ", with: "") })
        let known = problems(of: Self.lead + "preset: x}}}\n").first ?? ""
        let page = try documentation("presets.md")
        for name in names {
            #expect(known.contains(name))
            #expect(page.contains("\n| `\(name)` |"))
        }
        let count = known.replacing(", not", with: "").split(separator: ",").count + 1
        #expect(names.count == count)
    }

    @Test func `an expanded file is as short as it can be`() throws {
        let text = """
            pools:
              shop:
                servers: [a:1]
                persistence: {preset: {name: gcp-http-cookie, cookie: shop, ttl: 1h}}
            """
        let settings = try #require(SettingsFile.load(text: text, file: "f").0)
        let want = """
            routes:
              - { pool: shop }
            pools:
              shop:
                servers:
                  - { name: a:1, address: a:1 }
                persistence:
                  ways:
                    - { cookie: { name: shop, keep: binding, idle: off, lifetime: 1h } }
                  return: home

            """
        let written = Reference.expandedFile(of: settings)
        #expect(written.hasSuffix(want))
    }

    @Test(arguments: ["return: stay, preset: PRESET", "preset: PRESET, return: stay"])
    func `what stands beside a preset has the last word`(text: String) throws {
        let preset = "{name: gcp-header-field, header: x}"
        let persistence = try self.persistence(text.replacing("PRESET", with: preset))
        #expect(persistence.returning == .stay)
        #expect(persistence.ways.map(\.spelled) == ["header"])
    }

    @Test(
        arguments: [
            (
                "gcp-http-cooky",
                [
                    "must be aws-alb-duration, …, not \"gcp-http-cooky\"; "
                        + "did you mean \"gcp-http-cookie\"?"
                ]
            ),
            (
                "gcp-http-cookie",
                [
                    "the preset gcp-http-cookie needs \"cookie\", as in "
                        + "{ name: gcp-http-cookie, cookie: NAME }"
                ]
            ),
            (
                "{name: gcp-header-field}",
                [
                    "the preset gcp-header-field needs \"header\", as in "
                        + "{ name: gcp-header-field, header: NAME }"
                ]
            ),
            ("{cookie: a}", ["pools.a.persistence.preset: \"name\" is missing"]),
            (
                "{name: aws-alb-duration, cookie: a}",
                ["the preset aws-alb-duration takes no \"cookie\", only \"ttl\""]
            ),
            (
                "{name: gcp-client-ip, ttl: 1h}",
                ["the preset gcp-client-ip takes no \"ttl\", and nothing else"]
            ),
            (
                "{name: aws-alb-duration, ttl: 8d}",
                ["pools.a.persistence.preset.ttl: aws-alb-duration has 7d at most, not 8d"]
            ),
            (
                "{name: gcp-strong-cookie, cookie: a, ttl: 15d}",
                ["pools.a.persistence.preset.ttl must be a time within 1s...14d, not \"15d\""]
            ),
            (
                "{name: gcp-client-ip, tll: 1h}",
                ["unknown key \"tll\" in pools.a.persistence.preset; did you mean \"ttl\"?"]
            ),
        ] as [(String, [String])]
    )
    func `what a preset can't be told`(preset: String, want: [String]) {
        let found = problems(of: Self.lead + "preset: \(preset)}}}\n")
        #expect(found.count == want.count)
        for (line, sentence) in zip(found, want) {
            // The list of all presets is left out.
            for part in sentence.split(separator: "…, ") { #expect(line.contains(part)) }
        }
    }

    @Test func `rules that a preset's way does not have are told at their line`() {
        #expect(
            problems(of: Self.lead + "preset: gcp-client-ip,\n return: home}}}\n") == [
                "2:10: pools.a.persistence: \"return\" is for bindings, and tuple remembers nothing"
            ]
        )
    }
}
