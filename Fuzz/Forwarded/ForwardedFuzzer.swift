import BelayBytes
import BelayCore
import BelayHTTP
import FuzzSupport

/// What must hold of Forwarded and X-Forwarded-For, whatever a client wrote into them: the address
/// that a trusted proxy appended counts, and a second Belay finds the client that the first found.
/// Each line of an input is one field's value.
enum ForwardedFuzzer {
    /// One of the proxies in `networks`.
    private static let proxy = IPAddress(v4: 0x0A00_0001)
    private static let networks = [Network(IPAddress(v4: 0x0A00_0000), prefixLength: 8)]
        .compactMap { $0 }

    static func check(_ input: FuzzInput) {
        let lines = input.bytes.split(separator: 0x0A).map { Array($0) }
        self.check(lines, "Forwarded", .forwarded, appending: "for=\"[2001:db8::7]:80\"")
        self.check(lines, "X-Forwarded-For", .xForwardedFor, appending: "2001:db8::7")
    }

    private static func check(
        _ lines: [[UInt8]],
        _ name: String,
        _ field: ClientAddressField,
        appending element: String
    ) {
        let found = self.client(lines, name, field)
        if isCanary {
            require(found == nil || found == self.proxy, "the canary: no client is found")
        }
        var appended = lines
        if let last = appended.popLast() {
            appended.append(last + Array(", \(element)".utf8))
        } else {
            appended.append(Array(element.utf8))
        }
        if let client = self.client(appended, name, field) {
            require(client == IPAddress("2001:db8::7"), "what the proxy appended counts")
        }
    }

    /// The client's address; nil when the head is refused.
    private static func client(
        _ lines: [[UInt8]],
        _ name: String,
        _ field: ClientAddressField
    ) -> IPAddress? {
        var bytes = Array("GET / HTTP/1.1\r\nHost: a:1\r\n".utf8)
        for line in lines { bytes += Array("\(name): ".utf8) + line + Array("\r\n".utf8) }
        bytes += Array("\r\n".utf8)
        guard bytes.count < 8_192 else { return nil }
        var fields = FieldList(capacity: 64)
        guard
            let request = try? RequestHead.parse(
                bytes.span,
                from: 0,
                length: bytes.count,
                into: &fields
            )
        else { return nil }
        let client = self.address(fields, bytes, field)
        _ = forwardedIsTLS(fields, in: bytes.span, from: 0)

        let written = self.written(request, fields, bytes)
        var again = FieldList(capacity: 64)
        do throws(MessageError) {
            _ = try RequestHead.parse(written.span, from: 0, length: written.count, into: &again)
        } catch {
            fatalError("broken promise: what is written can be read: \(error) \(text(written))")
        }
        require(self.address(again, written, field) == client, "the next Belay finds the same")
        return client
    }

    private static func address(
        _ fields: borrowing FieldList,
        _ bytes: [UInt8],
        _ field: ClientAddressField
    ) -> IPAddress {
        clientAddress(
            peer: self.proxy,
            fields,
            in: bytes.span,
            from: 0,
            trusted: self.networks,
            field: field
        )
    }

    private static func written(
        _ request: RequestHead,
        _ fields: borrowing FieldList,
        _ bytes: [UInt8]
    ) -> [UInt8] {
        var rules = ForwardingRules()
        rules.forwarded = true
        var out = ByteWriter(capacity: 16_384)
        writeRequest(
            request,
            fields,
            in: bytes.span,
            from: 0,
            rules: rules,
            facts: ForwardingFacts(client: self.proxy, isTLS: true, peerIsTrusted: true),
            framing: .none,
            keepsUpgrade: false,
            into: &out
        )
        require(!out.hasOverflowed, "what is written fits")
        return (0..<out.count).map { out.bytes[$0] }
    }
}
