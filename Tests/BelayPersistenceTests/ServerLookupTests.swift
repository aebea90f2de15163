import BelayCore
import BelayPersistence
import Testing

struct ServerLookupTests {
    @Test(arguments: [0, 1, 2, 3, 10, 1000, 10_000, 65_535])
    func `every server of a pool is found at its place, and no other`(count: Int) throws {
        let names = try (0..<count).map { try server("server-\($0)") }
        let lookup = try ServerLookup(names)
        for (index, name) in names.enumerated() {
            #expect(lookup.index(of: ServerID(of: name)) == index)
        }
        for other in 0..<100 {
            #expect(lookup.index(of: ServerID(of: try server("other-\(other)"))) == nil)
        }
        #expect(lookup.index(of: ServerID(rawValue: 0)) == nil)
        #expect(lookup.index(of: ServerID(rawValue: .max)) == nil)
    }

    @Test func `ids that fall on the same place are told apart`() throws {
        let names = try (0..<50).map { try server("s\($0)") }
        // All in the first place of the table, and one that would follow them.
        let lookup = try ServerLookup(names) { name in
            ServerID(rawValue: UInt64(name.rawValue.dropFirst()).map { $0 << 32 } ?? 0)
        }
        for index in 0..<50 {
            #expect(lookup.index(of: ServerID(rawValue: UInt64(index) << 32)) == index)
        }
        #expect(lookup.index(of: ServerID(rawValue: 50 << 32)) == nil)
    }

    @Test func `two servers that bindings could not tell apart are refused by name`() throws {
        let names = try [server("a"), server("b"), server("c")]
        let error = #expect(throws: ServerLookupError.self) {
            _ = try ServerLookup(names) {
                $0 == names[0] ? ServerID(of: names[2]) : ServerID(of: $0)
            }
        }
        #expect(error == .sameID(names[0], names[2]))
        #expect(
            error?.description
                == "the servers a and c have the same id, so bindings could not tell them apart; "
                + "rename one"
        )
        let twice = #expect(throws: ServerLookupError.self) {
            _ = try ServerLookup([names[0], names[0]])
        }
        #expect(twice?.description == "two servers of the pool are named a; rename one")
    }

    @Test func `a server's id is fixed for ever`() throws {
        // Sealed into cookies: if this fails, deployed bindings name no server any more.
        #expect(ServerID(of: try server("shop1")).rawValue == 0x4E44_2DEC_8549_F9BC)
        let address = ServerID(of: try server("10.0.0.11:3000"))
        #expect(address.rawValue == 0x68E9_B1C0_C9DF_997B)
    }
}
