import BelayCore
import BelayPersistence
import Testing

struct PersistenceSettingsTests {
    @Test(arguments: ["belay", "b", "__Host-belay", "__Secure-x", "a.b_c-d!#$%&'*+^`|~9"])
    func `a token is a name`(name: String) throws {
        #expect(try PersistenceSettings(name: name).name == name)
    }

    @Test(arguments: ["", "a b", "a=b", "a;b", "a,b", "\"a\"", "ä", "a\t", "a/b", "a@b"])
    func `what is no token is no name`(name: String) {
        #expect(throws: PersistenceSettingsError.name(name)) {
            try PersistenceSettings(name: name)
        }
    }

    @Test(arguments: ["example.com", "a", "x1.example.co.uk", "1and1.com", "localhost"])
    func `a host name is a domain`(domain: String) throws {
        #expect(try PersistenceSettings(domain: domain).domain == domain)
    }

    @Test(arguments: [
        "", ".", ".example.com", "example.com.", "a..b", "-a.com", "a-.com", "a b",
        "a;b", "10.0.0.1", "[::1]", "ä.de", "a_b.com",
    ])
    func `what is no host name is no domain`(domain: String) {
        #expect(throws: PersistenceSettingsError.domain(domain)) {
            try PersistenceSettings(domain: domain)
        }
    }

    @Test(arguments: ["", "shop", "/a;b", "/a b", "/ä", "/\n"])
    func `what a browser would not read as a path is none`(path: String) {
        #expect(throws: PersistenceSettingsError.path(path)) {
            try PersistenceSettings(path: path)
        }
    }

    @Test(arguments: [
        (TimeSpan.zero, TimeSpan.hours(8), PersistenceSettingsError.span("idle")),
        (.milliseconds(999), .hours(8), .span("idle")),
        (.seconds(-1), .hours(8), .span("idle")),
        (.hours(1), .zero, .span("lifetime")),
        (.hours(1), .hours(401 * 24), .span("lifetime")),
        (.hours(401 * 24), .hours(8), .span("idle")),
        (.hours(9), .hours(8), .idleBeyondLifetime),
    ])
    func `idle and lifetime have bounds`(
        idle: TimeSpan,
        lifetime: TimeSpan,
        want: PersistenceSettingsError
    ) {
        #expect(throws: want) { try PersistenceSettings(idle: idle, lifetime: lifetime) }
    }

    @Test func `settings that contradict each other are refused`() {
        #expect(throws: PersistenceSettingsError.nothingToKeepFor) {
            try PersistenceSettings(keep: .binding, idle: nil, lifetime: nil)
        }
        #expect(throws: PersistenceSettingsError.sameSiteNoneNotSecure) {
            try PersistenceSettings(sameSite: .none, secure: .never)
        }
        #expect(throws: PersistenceSettingsError.hostPrefix) {
            try PersistenceSettings(name: "__Host-b", secure: .never)
        }
        #expect(throws: PersistenceSettingsError.hostPrefix) {
            try PersistenceSettings(name: "__Host-b", path: "/x")
        }
        #expect(throws: PersistenceSettingsError.hostPrefix) {
            try PersistenceSettings(name: "__host-b", domain: "example.com")
        }
        #expect(throws: PersistenceSettingsError.securePrefix) {
            try PersistenceSettings(name: "__Secure-b", secure: .never)
        }
    }

    @Test func `every refusal says what to do`() {
        let errors: [PersistenceSettingsError] = [
            .name("a b"), .domain("."), .path("x"), .span("idle"), .idleBeyondLifetime,
            .nothingToKeepFor, .sameSiteNoneNotSecure, .hostPrefix, .securePrefix,
        ]
        #expect(Set(errors.map(\.description)).count == errors.count)
        #expect(errors.allSatisfy { $0.description.count > 40 })
    }
}
