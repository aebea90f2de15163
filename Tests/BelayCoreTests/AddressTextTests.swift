import BelayCore
import Testing

struct AddressTextTests {
    @Test(arguments: [
        ("0.0.0.0", "0.0.0.0"),
        ("1.2.3.4", "1.2.3.4"),
        ("255.255.255.255", "255.255.255.255"),
        ("::", "::"),
        ("::1", "::1"),
        ("1::", "1::"),
        ("2001:DB8::00a1", "2001:db8::a1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("fe80::ff:fe00:0", "fe80::ff:fe00:0"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("::ffff:102:304", "1.2.3.4"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("0:0:0:0:0:0:0:0", "::"),
        ("10:200:3000:f:0:0:0:0", "10:200:3000:f::"),
    ])
    func `an address is read and written as RFC 5952 says`(text: String, want: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == want)
        #expect(IPAddress(address.description) == address)
    }

    @Test(arguments: [
        "", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.1.1.1",
        "01.2.3.4", "1.2.3.04", "1.2.3.0x4", "1.2.3.-4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4:80",
        "1.2.3.1000", "::1%eth0", ":", ":::", "1:::2", "1::2::3", ":1", "1:", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12345::", "g::",
        "1.2.3.4::", "::1.2.3", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "[::1]", "::01.2.3.4",
        "0000000000000000000000000000000000000000000001::",
    ])
    func `what is no address is refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(arguments: [
        ("1.2.3.4:80", "1.2.3.4:80"),
        ("[::1]:80", "[::1]:80"),
        ("[2001:DB8::1]:65535", "[2001:db8::1]:65535"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("[::ffff:1.2.3.4]:443", "1.2.3.4:443"),
        (
            "[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
            "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"
        ),
    ])
    func `an address with a port is read and written`(text: String, want: String) throws {
        let address = try #require(SocketAddress(text))
        #expect(address.description == want)
    }

    @Test(arguments: [
        "", ":", ":80", "1.2.3.4", "1.2.3.4:", "1.2.3.4:080", "1.2.3.4:65536", "1.2.3.4:-1",
        "1.2.3.4:8a", "1.2.3.4:123456", "::1:80", "[::1]", "[::1]80", "[::1]:", "[1.2.3.4]:80",
        "[]:80", "[::1:80", "::1]:80", "x:80", "[::1]]:80",
    ])
    func `what is no address with a port is refused`(text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test func `every address is read back from its own text`() throws {
        var random = RandomSource(seed: 7)
        for round in 0..<2_000 {
            // Groups that are often zero, so that gaps of all lengths appear.
            var halves: [UInt64] = []
            for _ in 0..<2 {
                var half: UInt64 = 0
                for _ in 0..<4 {
                    let group = random.below(2) == 0 ? 0 : UInt64(random.below(0x1_0000))
                    half = half << 16 | group >> UInt64(random.below(16))
                }
                halves.append(half)
            }
            let address = IPAddress(high: halves[0], low: halves[1])
            #expect(IPAddress(address.description) == address, "round \(round)")
            let socket = SocketAddress(ip: address, port: UInt16(random.below(0x1_0000)))
            #expect(SocketAddress(socket.description) == socket, "round \(round)")
        }
    }
}
