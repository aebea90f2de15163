import BelayBytes
import BelayCore
import BelayPersistence
import Testing

struct SetCookieTests {
    /// The field's value with the sealed part left out.
    private func attributes(
        _ settings: PersistenceSettings,
        isOverTLS: Bool = false,
        now: UnixTime = morning,
        binding: Binding = someBinding
    ) throws -> String {
        var policy = try policy(settings)
        var writer = ByteWriter(capacity: BindingPolicy.setCookieMax)
        let isWritten = policy.writeSetCookie(
            binding,
            now: now,
            isOverTLS: isOverTLS,
            into: &writer
        )
        try #require(isWritten)
        let text = contents(writer)
        let start = settings.name.utf8.count + 1
        let value = Array(text[start..<start + 82])
        #expect(open(value, now: now, by: &policy).binding?.id == binding.id)
        return String(
            decoding: text[..<start] + [UInt8(ascii: "*")] + text[(start + 82)...],
            as: UTF8.self
        )
    }

    @Test func `the default is a session cookie for the whole site`() throws {
        let settings = try PersistenceSettings()
        #expect(try self.attributes(settings) == "belay=*; Path=/; HttpOnly; SameSite=Lax")
        #expect(
            try self.attributes(settings, isOverTLS: true)
                == "belay=*; Path=/; HttpOnly; SameSite=Lax; Secure"
        )
    }

    @Test(arguments: [
        (PersistenceSettings.Secure.auto, false, false),
        (.auto, true, true),
        (.always, false, true),
        (.always, true, true),
        (.never, false, false),
        (.never, true, false),
    ])
    func `it is secure as the settings say`(
        secure: PersistenceSettings.Secure,
        isOverTLS: Bool,
        want: Bool
    ) throws {
        let text = try self.attributes(PersistenceSettings(secure: secure), isOverTLS: isOverTLS)
        #expect(text.hasSuffix("; Secure") == want)
    }

    @Test func `name, domain, path and SameSite are as the settings say`() throws {
        let settings = try PersistenceSettings(
            name: "app",
            domain: "example.com",
            path: "/shop",
            sameSite: .none,
            secure: .always
        )
        #expect(
            try self.attributes(settings)
                == "app=*; Path=/shop; Domain=example.com; HttpOnly; SameSite=None; Secure"
        )
        let strict = try PersistenceSettings(sameSite: .strict)
        #expect(try self.attributes(strict).hasSuffix("; SameSite=Strict"))
    }

    /// Idle, lifetime and age in seconds, and Max-Age.
    @Test(
        arguments: [
            (1800, 28_800, 0, 1800),
            (1800, 28_800, 28_000, 800),
            (1800, nil, 28_000, 1800),
            (nil, 28_800, 100, 28_700),
            (nil, 28_800, 28_800, 0),
            (1800, 28_800, -3600, 1800),
            (nil, 28_800, -3600, 28_800),
        ] as [(Int64?, Int64?, Int64, Int64)]
    )
    func `the browser keeps it for as long as the binding holds, if it is told to`(
        idle: Int64?,
        lifetime: Int64?,
        age: Int64,
        want: Int64
    ) throws {
        let settings = try PersistenceSettings(
            keep: .binding,
            idle: idle.map { .seconds($0) },
            lifetime: lifetime.map { .seconds($0) }
        )
        let text = try self.attributes(settings, now: morning + age)
        #expect(text == "belay=*; Max-Age=\(want); Path=/; HttpOnly; SameSite=Lax")
    }

    @Test func `the longest one fits the room that is asked for`() throws {
        let label = String(repeating: "d", count: 61)
        let settings = try PersistenceSettings(
            name: String(repeating: "n", count: 64),
            domain: [label, label, label, label].joined(separator: "."),
            path: "/" + String(repeating: "p", count: 255),
            sameSite: .strict,
            secure: .always,
            keep: .binding,
            idle: PersistenceSettings.spanMax,
            lifetime: PersistenceSettings.spanMax
        )
        #expect(try self.attributes(settings).hasSuffix("; Secure"))
    }
}
