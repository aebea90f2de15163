import BelayBytes
import BelayCore
import BelayHTTP
import Testing

/// Builds ClientHellos, right and wrong ones.
private struct Hello {
    var type: UInt8 = 1
    var version: [UInt8] = [3, 3]
    var sessionID: [UInt8] = Array(0..<32)
    var suites: [UInt8] = [0x13, 0x01, 0x13, 0x02]
    var compressions: [UInt8] = [0]
    /// Nil for none, not even their length.
    var extensions: [UInt8]? = []
    var trailing: [UInt8] = []

    var message: [UInt8] {
        var body = self.version + Array(repeating: 0xAA, count: 32)
        body += [UInt8(self.sessionID.count)] + self.sessionID + sized(self.suites)
        body += [UInt8(self.compressions.count)] + self.compressions
        if let extensions { body += sized(extensions) }
        body += self.trailing
        return [self.type, 0] + sized(body)
    }

    /// The message in records of so many bytes each.
    func records(of size: Int = 16_384) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = self.message[...]
        while !rest.isEmpty {
            bytes += [22, 3, 1] + sized(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return bytes
    }
}

private func sized(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
}

private func part(_ type: Int, _ value: [UInt8]) -> [UInt8] {
    [UInt8(type >> 8), UInt8(type & 255)] + sized(value)
}

private func serverName(_ name: [UInt8]) -> [UInt8] { part(0, sized([0] + sized(name))) }

private func serverName(_ name: String) -> [UInt8] { serverName(Array(name.utf8)) }

private func protocols(_ names: String...) -> [UInt8] {
    part(16, sized(names.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }))
}

private func versions(_ versions: UInt16...) -> [UInt8] {
    let list = versions.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
    return part(43, [UInt8(list.count)] + list)
}

/// What the front of some bytes is, as text.
private func reading(_ bytes: [UInt8], from start: Int = 0) -> String {
    do throws(ClientHelloError) {
        switch try ClientHello.parse(bytes.span, from: start) {
        case .needsMore: return "needs more"
        case .notTLS: return "not TLS"
        case .hello(let hello):
            var name: [UInt8] = []
            for index in 0..<hello.serverName.count { name.append(hello.serverName[index]) }
            #expect(hello.hasServerName == !name.isEmpty)
            var text = "\"\(String(decoding: name, as: UTF8.self))\""
            text += " \(String(hello.highestVersion, radix: 16))"
            text += " id \(hello.sessionID.map { "\(bytes[$0].count)" } ?? "cut")"
            if let list = hello.protocols {
                var index = list.lowerBound
                while index < list.upperBound {
                    let end = index + 1 + Int(bytes[index])
                    text += " " + String(decoding: bytes[index + 1..<end], as: UTF8.self)
                    index = end
                }
            }
            return text + " +\(hello.length)"
        }
    } catch {
        return "\(error.name)"
    }
}

struct ClientHelloTests {
    private static func hello(_ extensions: [UInt8]...) -> Hello {
        Hello(extensions: extensions.flatMap { $0 })
    }

    private static let full = hello(
        part(0x0A0A, []),
        serverName("Shop.Example.com"),
        part(10, [0, 2, 0, 29]),
        protocols("h2", "http/1.1"),
        versions(0x2A2A, 0x0303, 0x0304, 0x7F1C),
        part(21, Array(repeating: 0, count: 40))
    )

    /// As OpenSSL 3 wrote it, for Shop.example.com with h2 and http/1.1.
    private static let captured = octets(
        hexadecimal: """
            1603010200010001fc03037817508f3bbaf907d6349ee71d909a0319897c971233ff1a0c2dcdc6ba7777
            4b20c0f3602128f26140b572a66339236ed7aad52d36a4d4dea97ce8cc19626b87290024130213031301
            c02cc030c02bc02fcca9cca8c024c028c023c027009f009e006b006700ff0100018f0000001500130000
            1053686f702e6578616d706c652e636f6d000b000403000102000a00160014001d0017001e0019001801
            000101010201030104002300000010000e000c02683208687474702f312e310016000000170000000d00
            2a0028040305030603080708080809080a080b0804080508060401050106010303030103020402050206
            02002b00050403040303002d00020101003300260024001d0020ff4ce59fae2ecb8e8f7a4207cca85ba8
            08fdee24f7945955bb1a85a09d670a0a001500cb00000000000000000000000000000000000000000000
            000000000000000000000000000000000000000000000000000000000000000000000000000000000000
            000000000000000000000000000000000000000000000000000000000000000000000000000000000000
            000000000000000000000000000000000000000000000000000000000000000000000000000000000000
            000000000000000000000000000000000000000000000000000000000000000000000000000000000000
            00000000000000000000000000
            """
    )

    private static let hellos: [([UInt8], String)] = [
        (captured, "\"Shop.example.com\" 304 id 32 h2 http/1.1"),
        (full.records(), "\"Shop.Example.com\" 304 id 32 h2 http/1.1"),
        (hello(serverName("a")).records(), "\"a\" 303 id 32"),
        (
            hello(serverName(String(repeating: "a", count: 255))).records(),
            "\"\(String(repeating: "a", count: 255))\" 303 id 32"
        ),
        (hello(serverName("a-b_c~1.example.")).records(), "\"a-b_c~1.example.\" 303 id 32"),
        (hello(versions(0x0302, 0x0301)).records(), "\"\" 302 id 32"),
        (hello(versions(0x7F1C, 0x0A0A)).records(), "\"\" 0 id 32"),
        (hello(protocols("acme-tls/1")).records(), "\"\" 303 id 32 acme-tls/1"),
        (Hello(extensions: nil).records(), "\"\" 303 id 32"),
        (Hello(sessionID: []).records(), "\"\" 303 id 0"),
        (Hello(version: [3, 1], extensions: nil).records(), "\"\" 301 id 32"),
        (Hello(version: [3, 4]).records(), "\"\" 303 id 32"),
        (Hello(version: [3, 0], sessionID: [], extensions: nil).records(), "\"\" 300 id 0"),
        // An extension that is not read may come twice.
        (hello(part(21, []), part(21, [1])).records(), "\"\" 303 id 32"),
    ]

    @Test(arguments: hellos)
    func `a ClientHello is read, wherever it is cut`(bytes: [UInt8], want: String) {
        for end in 0..<bytes.count {
            #expect(reading(Array(bytes[..<end])) == "needs more", "\(end)")
        }
        let whole = "\(want) +\(bytes.count)"
        #expect(reading(bytes) == whole)
        #expect(reading(bytes + [22, 3]) == whole)
        #expect(reading([0x16, 0x04] + bytes, from: 2) == whole)
    }

    @Test func `a ClientHello in several records is the same one`() throws {
        for size in 1...Self.full.message.count {
            let bytes = Self.full.records(of: size)
            guard case .hello(let hello) = try ClientHello.parse(bytes.span, from: 0) else {
                Issue.record("no hello in records of \(size)")
                continue
            }
            #expect(hello.length == bytes.count)
            #expect(hello.highestVersion == 0x0304)
            let name = hello.serverName
            let isSame = name.isEqual(0..<name.count, to: "Shop.Example.com")
            #expect(isSame)
            // What is not cut by a record's head is found where it lies.
            if let list = hello.protocols {
                #expect(Array(bytes[list]) == Array("\u{2}h2\u{8}http/1.1".utf8))
            }
            if let id = hello.sessionID { #expect(Array(bytes[id]) == Array(0..<32)) }
            // The session's id lies at 39 of the message, the protocols at 121.
            #expect((hello.sessionID == nil) == (39 / size != 70 / size))
            for end in 0..<bytes.count where size > 3 || end % 7 == 0 {
                #expect(reading(Array(bytes[..<end])) == "needs more")
            }
        }
    }

    @Test(arguments: [
        ([0x47, 0x45, 0x54], 1), ([0x15, 3, 1, 0, 2], 1), ([0x80, 0x2E, 1, 3, 1], 1),
        ([22, 2, 0, 0, 5], 2), ([22, 4, 0], 2), ([0], 1), ([0xFE], 1),
    ])
    func `other bytes are no TLS as soon as that is certain`(bytes: [UInt8], after: Int) {
        for end in 0...bytes.count {
            let want = end < after ? "needs more" : "not TLS"
            #expect(reading(Array(bytes[..<end])) == want)
        }
    }

    private static let name256 = serverName(String(repeating: "a", count: 256))
    private static let first = Array(full.records(of: 100)[..<105])

    private static let wrong: [([UInt8], String)] = [
        // Records.
        ([22, 3, 1, 0, 0], "bad-record"),
        ([22, 3, 1, 0x40, 0x01], "bad-record"),
        ([22, 3, 1, 0x40, 0x00], "too-long"),
        ([22, 3, 1, 0x3F, 0xFC], "too-long"),
        (first + [23, 3, 1, 0, 1, 0], "bad-record"),
        (first + [22, 2, 1, 0, 1, 0], "bad-record"),
        (first + [22, 3, 1, 0, 0], "bad-record"),
        (first + [22, 3, 1, 0x3F, 0xFF], "too-long"),
        (first + [22, 3, 1, 0, 94], "trailing-bytes"),
        ([22, 3, 1, 0, 5, 1, 0, 0, 0, 0], "trailing-bytes"),
        ([22, 3, 1, 0, 4, 1, 0, 0x40, 0x01], "too-long"),
        ([22, 3, 1, 0, 4, 1, 1, 0, 0], "too-long"),
        (Hello(type: 2).records(), "other-message"),
        ([22, 3, 1, 0, 4, 0, 0, 0, 0], "other-message"),
        // The message.
        ([22, 3, 1, 0, 4, 1, 0, 0, 0], "bad-length"),
        (Hello(version: [2, 0]).records(), "bad-version"),
        (Hello(version: [4, 0]).records(), "bad-version"),
        (Hello(sessionID: Array(repeating: 0, count: 33)).records(), "bad-length"),
        (Hello(suites: []).records(), "bad-length"),
        (Hello(suites: [0x13, 0x01, 0x13]).records(), "bad-length"),
        (Hello(compressions: []).records(), "bad-length"),
        (Hello(extensions: nil, trailing: [0]).records(), "bad-length"),
        (Hello(extensions: nil, trailing: [0, 1]).records(), "bad-length"),
        (Hello(trailing: [0]).records(), "bad-length"),
        // Extensions.
        (hello([0, 21, 0]).records(), "bad-length"),
        (hello([0, 21, 0, 1]).records(), "bad-length"),
        (hello(serverName("a"), serverName("a")).records(), "repeated-extension"),
        (hello(protocols("a"), protocols("b")).records(), "repeated-extension"),
        (hello(versions(0x0304), versions(0x0304)).records(), "repeated-extension"),
        (hello(part(0, [])).records(), "bad-length"),
        (hello(part(0, [0, 0])).records(), "bad-server-name"),
        (hello(part(0, [0, 1])).records(), "bad-length"),
        (hello(part(0, [0, 5, 0, 0, 1, 0x61])).records(), "bad-length"),
        (hello(part(0, [0, 3, 0, 0, 1, 0x61])).records(), "bad-length"),
        (hello(part(0, sized([1] + sized([0x61])))).records(), "bad-server-name"),
        (hello(part(0, sized([0] + sized([])))).records(), "bad-server-name"),
        (hello(part(0, sized([0, 0, 2, 0x61]))).records(), "bad-server-name"),
        (hello(part(0, sized([0, 0, 1, 0x61, 0, 0, 1, 0x62]))).records(), "bad-server-name"),
        (hello(name256).records(), "bad-server-name"),
        (hello(serverName("a\u{0}b")).records(), "bad-server-name"),
        (hello(serverName("a b")).records(), "bad-server-name"),
        (hello(serverName("a/b")).records(), "bad-server-name"),
        (hello(serverName("a:443")).records(), "bad-server-name"),
        (hello(serverName("[::1]")).records(), "bad-server-name"),
        (hello(serverName([0xC3, 0xA4])).records(), "bad-server-name"),
        (hello(part(16, [])).records(), "bad-length"),
        (hello(part(16, [0, 0])).records(), "bad-protocols"),
        (hello(part(16, [0, 1, 0])).records(), "bad-protocols"),
        (hello(part(16, [0, 2, 2, 0x68])).records(), "bad-length"),
        (hello(part(16, [0, 4, 1, 0x68])).records(), "bad-length"),
        (hello(protocols("h2", "", "a")).records(), "bad-protocols"),
        (hello(part(43, [])).records(), "bad-length"),
        (hello(part(43, [0])).records(), "bad-length"),
        (hello(part(43, [3, 3, 3, 4])).records(), "bad-length"),
        (hello(part(43, [2, 3, 3, 3, 4])).records(), "bad-length"),
    ]

    @Test(arguments: wrong)
    func `a ClientHello that is wrong is refused, whenever that is certain`(
        bytes: [UInt8],
        want: String
    ) {
        #expect(reading(bytes) == want)
        #expect(reading(bytes + [22, 3, 3]) == want)
        var isCertain = false
        for end in 0..<bytes.count {
            let early = reading(Array(bytes[..<end]))
            #expect(early == want || early == "needs more" && !isCertain)
            if early == want { isCertain = true }
        }
    }

    @Test func `records of one byte cannot be longer than the limit`() {
        let padding = part(21, Array(repeating: 0, count: 4_000))
        let bytes = Self.hello(padding).records(of: 1)
        #expect(reading(bytes) == "too-long")
        #expect(reading(Array(bytes[..<ClientHello.sizeMax])) == "too-long")
        // The sixth byte of a record more would be beyond the limit.
        #expect(reading(Array(bytes[..<16_374])) == "needs more")
        let fits = Self.hello(padding).records(of: 4_000)
        #expect(reading(fits) == "\"\" 303 id 32 +\(fits.count)")
    }

    @Test func `no change of a byte makes the reader fail`() {
        var random = RandomSource(seed: 5)
        let bytes = Self.full.records(of: 60)
        for _ in 0..<20_000 {
            var changed = bytes
            for _ in 0...random.below(3) {
                changed[random.below(changed.count)] = UInt8(random.below(256))
            }
            _ = reading(changed)
        }
    }

    @Test func `each error has a name of its own`() {
        let names = ClientHelloError.allCases.map { "\($0.name)" }
        #expect(Set(names).count == names.count)
    }
}
