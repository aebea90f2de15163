import BelayCore
import BelayPersistence
import Testing

struct KeyRotationTests {
    @Test func `keys rotate without losing a binding`() throws {
        // Two Belays are changed one after the other; the client meets both after every step.
        let steps: [[UInt8]] = [[1], [1, 2], [2, 1], [2]]
        var text = try { () throws -> [UInt8] in
            var first = try policy(ring: ring(1))
            return try cookie(someBinding, by: &first)
        }()
        for (before, after) in zip(steps, steps.dropFirst()) {
            for keys in [before, after, before, after] {
                var policy = try policy(ring: KeyRing(keys: keys.map(key)))
                let binding = try #require(open(text, by: &policy).binding)
                #expect(binding.serverID == someBinding.serverID && binding.id == someBinding.id)
                if isDue(binding, by: &policy) {
                    text = try cookie(binding, by: &policy)
                }
            }
        }
    }

    @Test func `a cookie under an older key is renewed with the first, idle or not`() throws {
        let endless = try PersistenceSettings(idle: nil, lifetime: nil)
        var old = try policy(endless, ring: ring(1))
        var new = try policy(endless, ring: ring(2, 1))
        let text = try cookie(someBinding, by: &old)
        let binding = try #require(open(text, by: &new).binding)
        #expect(binding.hasOldKey && isDue(binding, by: &new))
        let renewed = try cookie(binding, by: &new)
        let again = try #require(open(renewed, by: &new).binding)
        #expect(!again.hasOldKey && !isDue(again, by: &new))
        #expect(open(renewed, by: &old) == .foreign)
    }

    @Test func `each of eight keys opens what it sealed`() throws {
        var all = try policy(ring: ring(1, 2, 3, 4, 5, 6, 7, 8))
        for byte in UInt8(1)...8 {
            var one = try policy(ring: ring(byte))
            let text = try cookie(someBinding, by: &one)
            #expect(open(text, by: &all).binding?.hasOldKey == (byte != 1))
        }
    }

    @Test func `more days and keys than there are places open, in any order`() throws {
        let endless = try PersistenceSettings(idle: nil, lifetime: nil)
        var policies = try policy(endless, ring: ring(1, 2))
        var texts: [[UInt8]] = []
        for byte in UInt8(1)...2 {
            var sealer = try policy(endless, ring: ring(byte))
            for back in Int64(0)..<20 {
                texts.append(try cookie(someBinding, now: morning + -back * day, by: &sealer))
            }
        }
        var random = RandomSource(seed: 11)
        for _ in 0..<2000 {
            let text = texts[random.below(texts.count)]
            #expect(open(text, by: &policies).binding?.id == someBinding.id)
        }
    }

    @Test func `forged days between the true ones change nothing`() throws {
        let endless = try PersistenceSettings(idle: nil, lifetime: nil)
        var policy = try policy(endless)
        let text = try cookie(someBinding, by: &policy)
        var forged = try decoded(text)
        for number in UInt16(0)..<2000 {
            forged[5] = UInt8(number >> 8)
            forged[6] = UInt8(number & 255)
            #expect(open(encoded(forged), by: &policy) == .tampered)
            #expect(open(text, by: &policy).binding == someBinding)
        }
    }
}
