import BelayCore
import Testing

@Suite struct NetworkTests {
    @Test(
        arguments: [
            ("10.0.0.0", 8, "10.255.255.255", true),
            ("10.0.0.0", 8, "11.0.0.0", false),
            ("192.168.4.0", 22, "192.168.7.255", true),
            ("192.168.4.0", 22, "192.168.8.0", false),
            ("1.2.3.4", 32, "1.2.3.4", true),
            ("1.2.3.4", 32, "1.2.3.5", false),
            ("0.0.0.0", 0, "255.1.2.3", true),
            ("0.0.0.0", 0, "::1", false),
            ("10.0.0.0", 8, "::ffff:10.1.2.3", true),
            ("2001:db8::", 32, "2001:db8:ffff::1", true),
            ("2001:db8::", 32, "2001:db9::", false),
            ("2001:db8::", 64, "2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8::", 64, "2001:db8:0:1::", false),
            ("2001:db8::", 65, "2001:db8::7fff:ffff:ffff:ffff", true),
            ("2001:db8::", 65, "2001:db8::8000:0:0:0", false),
            ("::1", 128, "::1", true),
            ("::1", 128, "::2", false),
            ("::", 0, "::1", true),
        ]
    )
    func `a network contains the addresses that share its first bits`(
        address: String,
        length: Int,
        other: String,
        want: Bool
    ) throws {
        let first = try #require(IPAddress(address))
        let network = try #require(Network(first, prefixLength: length))
        let asked = try #require(IPAddress(other))
        #expect(network.contains(asked) == want)
        #expect(network.prefixLength == length)
    }

    @Test func `a network of one address has its full length`() {
        #expect(Network(.loopbackV4).prefixLength == 32)
        #expect(Network(.anyV6).prefixLength == 128)
        #expect(Network(.loopbackV4) == Network(.loopbackV4, prefixLength: 32))
    }

    @Test(arguments: [("1.2.3.4", 33), ("1.2.3.4", -1), ("::1", 129), ("::1", -1)])
    func `a length that no address has makes no network`(address: String, length: Int) throws {
        let address = try #require(IPAddress(address))
        #expect(Network(address, prefixLength: length) == nil)
    }

    @Test func `bits after the length are dropped`() throws {
        let network = try #require(Network(IPAddress(v4: 0x0A01_0203), prefixLength: 8))
        #expect(network.address == IPAddress(v4: 0x0A00_0000))
    }
}
