import BelayBytes
import BelayCore
import BelayPersistence
import Testing

@Suite struct KeyHasherTests {
    private func hasher(
        _ keys: UInt8...,
        pool name: String = "shop",
        kind: BindingKind = .header,
        name way: String = "Mcp-Session-Id"
    ) throws -> KeyHasher {
        let ring = try KeyRing(keys: keys.map(key))
        return try KeyHasher(ring: ring, pool: pool(name), kind: kind, name: way)
    }

    /// The reference code's vectors for 128 bits (its `vectors_sip128`): the key is the bytes 0 to
    /// 15, the message as many bytes from 0 on.
    @Test(arguments: [
        (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
        (2, "8177228da4a45dc7fca38bdef60affe4"), (7, "a1f1ebbed8dbc153c0b84aa61ff08239"),
        (8, "3b62a9ba6258f5610f83e264f31497b4"), (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
        (40, "df6a301e95c95dad97ae0cc8c6913bd8"),
    ])
    func `hashes as the published vectors say`(count: Int, want: String) {
        let bytes = (0..<count).map { UInt8($0) }
        let hash = SipHash128(first: 0x0706_0504_0302_0100, second: 0x0F0E_0D0C_0B0A_0908)
            .hash(bytes.span)
        var text = ""
        for half in [hash.high, hash.low] {
            for byte in 0..<8 {
                let digits = String(half >> UInt64(byte * 8) & 0xFF, radix: 16)
                text += digits.count == 1 ? "0" + digits : digits
            }
        }
        #expect(text == want)
    }

    @Test func `pool, kind, way and ring make other keys of the same text`() throws {
        let text = Array("3f1c".utf8)
        let keys = try [
            self.hasher(1), self.hasher(2), self.hasher(1, pool: "api"),
            self.hasher(1, kind: .query), self.hasher(1, name: "X-Session"),
        ].map { $0.key(of: text.span) }
        #expect(Set(keys).count == keys.count)
        #expect(try self.hasher(1).key(of: text.span) == keys[0])
        #expect(try self.hasher(2, 1).key(of: text.span, ringKey: 1) == keys[0])
        #expect(try self.hasher(2, 1).keyCount == 2)
    }

    @Test func `a key's halves are an address where that is what is bound`() throws {
        let network = try #require(
            Network(IPAddress(v4: 0xC0A8_0117), prefixLength: 24)
        )
        #expect(BindingKey(network).address == IPAddress(v4: 0xC0A8_0100))
        #expect(BindingKey(BindingID(rawValue: 9)) == BindingKey(high: 0, low: 9))
    }

    @Test func `a binding survives rotations of the ring`() throws {
        let table = try BindingTable(entriesMax: 100, times: hours)
        let text = Array("session of a client".utf8)
        let first = ServerID(rawValue: 1)
        let old = try self.hasher(1)
        let absent = table.look(text.span, by: old, now: morning)
        #expect(absent.finding == .absent)
        _ = table.bind(absent.key, .header, to: first, issued: morning, now: morning)
        table.mark(absent.key)

        for (index, hasher) in try [
            self.hasher(1, 2), self.hasher(2, 1), self.hasher(3, 2, 1), self.hasher(3),
        ].enumerated() {
            let now = morning + Int64(index + 1)
            let found = table.look(text.span, by: hasher, touching: true, now: now)
            #expect(found.key == hasher.key(of: text.span))
            guard case .bound(let entry) = found.finding else {
                Issue.record("lost after rotation \(index)")
                return
            }
            #expect(entry.serverID == first && entry.issued == morning && entry.isMarked)
            #expect(entry.key == found.key)
            #expect(table.count == 1 && table.bound(to: first) == 1)
        }
        #expect(try table.look(text.span, by: self.hasher(9), now: morning).finding == .absent)
    }
}
