import BelayCore
import BelayPersistence
import Testing

struct SharedCachingTests {
    private func mayCarry(
        _ lines: [String],
        expires: String? = nil,
        isGetOrHead: Bool = true,
        hasAuthorization: Bool = false,
        hasSetCookie: Bool = false
    ) -> Bool {
        var caching = SharedCaching()
        for line in lines { caching.note(cacheControl: Array(line.utf8).span) }
        if let expires { caching.note(expires: Array(expires.utf8).span, now: morning) }
        return caching.mayCarryCookie(
            isGetOrHead: isGetOrHead,
            hasAuthorization: hasAuthorization,
            hasSetCookie: hasSetCookie
        )
    }

    @Test(arguments: [
        "", ",", " , ,", "private", "no-store", "no-cache", "PRIVATE", "Private, max-age=600",
        "max-age=600, private", "no-store, max-age=600", "public, no-store", "max-age=0",
        "max-age=0, must-revalidate", "max-age=\"0\"", "no-cache, public", "must-revalidate",
        "no-transform", "stale-while-revalidate=60", "s-maxage=0", "s-maxage=0, max-age=600",
        "public, max-age=0", "public, s-maxage=0", "x-public", "publicity", "x=\"public\"",
        "x=\"a, public, max-age=9\"", "x=\"\\\", public\"", "immutable", "max-age = 000",
        "private, s-maxage=600", "max-agee=600", "private=, private",
    ])
    func `a response that shared caches may not answer others with carries the cookie`(
        line: String
    ) {
        #expect(self.mayCarry([line]))
    }

    @Test(
        arguments: [
            "public", "PUBLIC", "  public  ", "max-age=1", "Max-Age=600", "max-age=\"600\"",
            "max-age = 600", "s-maxage=600", "s-maxage=600, max-age=0", "public, immutable",
            "public,max-age=31536000", "x, public", "x=\"y\", public", "max-age=", "max-age",
            "max-age=x", "max-age=0x", "s-maxage=-1", "private=\"x-user\", max-age=600",
            "no-cache=\"x-user\", public", "\tpublic\t", "x=\"\\\"\", public",
            "max-age=600,", ",max-age=600",
        ]
    )
    func `a response that shared caches may keep carries none`(line: String) {
        #expect(!self.mayCarry([line]))
    }

    @Test func `several lines are one`() {
        #expect(!self.mayCarry(["must-revalidate", "max-age=60"]))
        #expect(self.mayCarry(["max-age=60", "private"]))
    }

    @Test(arguments: [
        ([], "Tue, 22 Sep 2026 10:00:01 GMT", false),
        ([], "Tue, 22 Sep 2026 10:00:00 GMT", true),
        ([], "Thu, 19 Nov 1981 08:52:00 GMT", true),
        ([], "Thu, 01 Jan 1970 00:00:00 GMT", true),
        ([], "Wed, 01 Jan 2200 00:00:00 GMT", false),
        ([], "0", true),
        ([], "-1", true),
        ([], "Tue, 22 Sep 2027 10:00:00 UTC", true),
        (["private"], "Wed, 01 Jan 2200 00:00:00 GMT", true),
        (["no-cache"], "Wed, 01 Jan 2200 00:00:00 GMT", true),
        (["max-age=0"], "Wed, 01 Jan 2200 00:00:00 GMT", true),
        (["max-age=60"], "Thu, 19 Nov 1981 08:52:00 GMT", false),
    ])
    func `Expires counts where Cache-Control names no lifetime`(
        lines: [String],
        expires: String,
        want: Bool
    ) {
        #expect(self.mayCarry(lines, expires: expires) == want)
    }

    @Test(arguments: [("max-age=600", true), ("public", false), ("s-maxage=600", false)])
    func `an answer to a request with Authorization is kept only if it says so`(
        line: String,
        want: Bool
    ) {
        #expect(self.mayCarry([line], hasAuthorization: true) == want)
    }

    @Test func `answers to other methods carry it, and those that carry the server's own`() {
        #expect(self.mayCarry(["public, max-age=600"], isGetOrHead: false))
        #expect(self.mayCarry(["public, max-age=600"], hasSetCookie: true))
    }
}
