import BelayBytes
import BelayCore
import BelayPersistence
import Testing

struct BindingPolicyTests {
    @Test func `what is sealed opens, with every part as it was`() throws {
        var policy = try policy()
        let text = try cookie(someBinding, by: &policy)
        #expect(text.count == 82)
        #expect(open(text, by: &policy) == .binding(someBinding))
    }

    @Test func `a cookie shows nothing of its binding and is never the same twice`() throws {
        var policy = try policy()
        let first = try decoded(cookie(someBinding, by: &policy))
        let second = try decoded(cookie(someBinding, by: &policy))
        #expect(first.prefix(7) == second.prefix(7))
        #expect(zip(first, second).dropFirst(7).filter { $0 == $1 }.count < 10)
        #expect(!first.contains([0x01, 0x23, 0x45, 0x67]) && !first.contains([0xFE, 0xDC]))
    }

    @Test func `any character changed to any other opens as nothing`() throws {
        var policy = try policy()
        let text = try cookie(someBinding, by: &policy)
        for place in text.indices {
            for byte in UInt8.min...UInt8.max where byte != text[place] {
                var changed = text
                changed[place] = byte
                #expect(open(changed, by: &policy).binding == nil)
            }
        }
        #expect(open(text, by: &policy) == .binding(someBinding))
    }

    @Test func `any bit changed is told by where it is`() throws {
        var policy = try policy()
        let bytes = try decoded(cookie(someBinding, by: &policy))
        for bit in 0..<(bytes.count * 8) {
            var changed = bytes
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            let opening = open(encoded(changed), by: &policy)
            switch bit / 8 {
            // Version and key id.
            case 0..<5: #expect(opening == .foreign)
            // An earlier day is out of time, a later one was never sealed.
            case 5..<7: #expect(opening == .expiredIdle || opening == .tampered)
            default: #expect(opening == .tampered)
            }
        }
    }

    @Test func `a cookie cut anywhere, or with more at its end, is foreign`() throws {
        var policy = try policy()
        let text = try cookie(someBinding, by: &policy)
        for length in text.indices {
            #expect(open(Array(text[..<length]), by: &policy) == .foreign)
            #expect(open(Array(text[(text.count - length)...]), by: &policy) == .foreign)
        }
        #expect(open(text + [UInt8(ascii: "A")], by: &policy) == .foreign)
        #expect(open(text + text, by: &policy) == .foreign)
    }

    @Test(arguments: [
        "", "s1", "shop1~aGVsbG8", "S2|YbX1m|YbX1m",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "s%3AxTuUtF1w6c5O8pZp2b8mTq3yJm6mJ0uX.V2k1S0dHc0p5bVJ2d0Z4bGhRZ3ZzdGtLb2Q",
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000==",
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "____________________________________________________________________________________",
    ])
    func `cookies of other makers are foreign`(text: String) throws {
        var policy = try policy()
        #expect(open(Array(text.utf8), by: &policy) == .foreign)
    }

    @Test func `a cookie is foreign to another pool, another cookie name, another ring`() throws {
        var shop = try policy()
        let text = try cookie(someBinding, by: &shop)
        var others = try policy(pool: "api")
        #expect(open(text, by: &others) == .foreign)
        others = try policy(PersistenceSettings(name: "other"))
        #expect(open(text, by: &others) == .foreign)
        others = try policy(ring: ring(2))
        #expect(open(text, by: &others) == .foreign)
    }

    @Test func `names cannot be shifted between pool and cookie`() throws {
        var first = try policy(PersistenceSettings(name: "ab"), pool: "c")
        var second = try policy(PersistenceSettings(name: "b"), pool: "ca")
        let text = try cookie(someBinding, by: &first)
        #expect(open(text, by: &second) == .foreign)
    }

    @Test func `another pool's cookie that claims to be ours is tampered`() throws {
        var shop = try policy()
        var api = try policy(pool: "api")
        let ours = try decoded(cookie(someBinding, by: &shop))
        let theirs = try decoded(cookie(someBinding, by: &api))
        #expect(open(encoded(spliced(ours, theirs)), by: &shop) == .tampered)
    }

    @Test func `two Belays with the same ring open each other's cookies`() throws {
        var here = try policy(ring: ring(1, 2))
        var there = try policy(ring: ring(1, 2))
        let text = try cookie(someBinding, by: &here)
        #expect(open(text, by: &there) == .binding(someBinding))
        let back = try cookie(someBinding, by: &there)
        #expect(open(back, by: &here) == .binding(someBinding))
    }

    @Test func `the format is fixed: a cookie of an earlier release opens`() throws {
        // Sealed by another implementation (Python's hmac and cryptography) after the format's
        // description, with a key of 32 ones. If this fails, deployed cookies are lost.
        var policy = try policy()
        let text =
            "Ad7W3OpQ7gABAgMEBQYHCAkKC7ZsLQrO8GkyfqqehPAVqZa_hG_1aezrQZIZlyKJzUeDsSa2YdFSi2pMLA"
        #expect(open(Array(text.utf8), by: &policy) == .binding(someBinding))
    }

    @Test func `new bindings differ, and begin now`() throws {
        var policy = try policy()
        var ids: Set<BindingID> = []
        for _ in 0..<200 {
            let made = policy.makeBinding(to: ServerID(rawValue: 5), now: morning)
            let binding = try #require(made)
            #expect(binding.serverID == ServerID(rawValue: 5))
            #expect(binding.issued == morning && binding.renewed == morning && !binding.hasOldKey)
            ids.insert(binding.id)
        }
        #expect(ids.count == 200)
    }

    @Test func `a binding that moves keeps its id and its age`() throws {
        var policy = try policy()
        let moved = someBinding.moved(to: ServerID(rawValue: 9))
        let text = try cookie(moved, now: morning + 600, by: &policy)
        let opened = try #require(open(text, now: morning + 700, by: &policy).binding)
        #expect(opened.serverID == ServerID(rawValue: 9))
        #expect(opened.id == someBinding.id)
        #expect(opened.issued == morning && opened.renewed == morning + 600)
    }

    @Test func `without room nothing is written`() throws {
        var policy = try policy()
        var writer = ByteWriter(capacity: 82)
        writer.append(UInt8(ascii: "x"))
        let isSealed = policy.seal(someBinding, now: morning, into: &writer)
        #expect(!isSealed && writer.count == 1 && !writer.hasOverflowed)
        let isWritten = policy.writeSetCookie(
            someBinding,
            now: morning,
            isOverTLS: false,
            into: &writer
        )
        #expect(!isWritten && writer.count == 1 && !writer.hasOverflowed)
    }
}
