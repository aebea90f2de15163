import BelayBytes
import BelayCore
import BelayHTTP
import FuzzSupport

/// What must hold of every beginning of a connection that may be a header of the PROXY protocol.
enum ProxyHeaderFuzzer {
    /// What reading came to. The values of a header as bytes, because ranges move.
    private enum Outcome: Equatable {
        case needsMore, absent
        case fault(ProxyHeaderError)
        case header(ProxyHeader, length: Int)
    }

    static func check(_ input: FuzzInput) {
        let bytes = input.bytes
        let whole = Self.read(bytes)
        // Every prefix is undecided, or decided as the whole is.
        let ends = Array(0..<min(bytes.count, 128)) + [input.cut]
        for end in ends {
            let outcome = Self.read(Array(bytes[..<end]))
            require(outcome == .needsMore || outcome == whole, "cut at \(end) is as whole")
            if case .header(_, let length) = outcome {
                require(length <= end, "a header lies in the bytes")
            }
        }
        if case .needsMore = whole {
            require(bytes.count < ProxyHeader.sizeMax, "what waits in the buffer is limited")
        }
        guard case .header(let header, let length) = whole else { return }
        require(length > 0 && length <= bytes.count, "a header lies in the bytes")
        require(Self.read(Array(bytes[..<(length - 1)])) == .needsMore, "the last byte counts")
        Self.checkRanges(header, length)
        if isCanary { require(header.tlvs.authority == nil, "the canary: there is no authority") }
        if header.version == .v1 { Self.checkLine(header, bytes[..<length]) }
        Self.checkWritten(header, bytes)
        Self.checkMoved(header, length, bytes)
    }

    private static func read(_ bytes: [UInt8], from start: Int = 0) -> Outcome {
        do throws(ProxyHeaderError) {
            switch try ProxyHeader.parse(bytes.span, from: start) {
            case .needsMore: return .needsMore
            case .absent: return .absent
            case .header(let header, let length): return .header(header, length: length)
            }
        } catch {
            return .fault(error)
        }
    }

    private static func ranges(_ tlvs: ProxyHeaderTLVs) -> [Range<Int>?] {
        [
            tlvs.alpn, tlvs.authority, tlvs.uniqueID, tlvs.tls?.version, tlvs.tls?.cipher,
            tlvs.tls?.commonName,
        ]
    }

    private static func values(_ tlvs: ProxyHeaderTLVs, _ bytes: [UInt8]) -> [[UInt8]?] {
        Self.ranges(tlvs).map { range in range.map { Array(bytes[$0]) } }
    }

    private static func checkRanges(_ header: ProxyHeader, _ length: Int) {
        for case let range? in Self.ranges(header.tlvs) {
            require(range.lowerBound >= 19 && range.upperBound <= length, "values lie inside")
        }
        require((header.source == nil) == (header.destination == nil), "both addresses or none")
        if header.command == .local {
            require(header.source == nil, "the proxy's own connection has no other addresses")
            require(header.tlvs == ProxyHeaderTLVs(), "nothing in it counts")
        }
    }

    /// A lenient reader of lines finds the same addresses.
    private static func checkLine(_ header: ProxyHeader, _ line: ArraySlice<UInt8>) {
        require(line.count <= 107, "a line is short")
        guard let source = header.source, let destination = header.destination else { return }
        let words = text(line.dropLast(2)).split(separator: " ", omittingEmptySubsequences: false)
        require(words.count == 6, "one space between")
        require(words[1] == (words[2].contains(":") ? "TCP6" : "TCP4"), "the family is named")
        require(words[2].contains(":") == words[3].contains(":"), "both have one family")
        require(IPAddress(String(words[2])) == source.ip, "the source is there")
        require(IPAddress(String(words[3])) == destination.ip, "the destination is there")
        require(words[4] == "\(source.port)", "the source's port is there")
        require(words[5] == "\(destination.port)", "the destination's port is there")
    }

    /// What is written reads the same, in both versions.
    private static func checkWritten(_ header: ProxyHeader, _ bytes: [UInt8]) {
        guard let source = header.source, let destination = header.destination else { return }
        for version in ProxyHeaderVersion.allCases {
            var out = ByteWriter(capacity: 4_096)
            writeProxyHeader(
                version,
                source: source,
                destination: destination,
                tlvs: header.tlvs,
                in: bytes.span,
                into: &out
            )
            require(!out.hasOverflowed, "what is written fits")
            let written = (0..<out.count).map { out.bytes[$0] }
            guard case .header(let again, let length) = Self.read(written) else {
                fatalError("broken promise: what is written can be read")
            }
            require(length == written.count, "a header is all that is written")
            require(again.version == version, "the version is the one asked for")
            require(again.source == source, "the source stays")
            require(again.destination == destination, "the destination stays")
            guard version == .v2 else { continue }
            let kept = Self.values(header.tlvs, bytes).map {
                $0.flatMap { $0.count > 255 ? nil : $0 }
            }
            require(Self.values(again.tlvs, written) == kept, "the values stay")
            require(again.tlvs.hasChecksum == header.tlvs.hasChecksum, "the checksum stays")
            require(again.tlvs.tls?.flags == header.tlvs.tls?.flags, "the flags stay")
            require(again.tlvs.tls?.verify == header.tlvs.tls?.verify, "the verdict stays")
        }
    }

    /// The same behind other bytes.
    private static func checkMoved(_ header: ProxyHeader, _ length: Int, _ bytes: [UInt8]) {
        let moved = Array("\r\nP".utf8) + bytes
        guard case .header(let again, length) = Self.read(moved, from: 3) else {
            fatalError("broken promise: a header may lie anywhere")
        }
        require(again.source == header.source, "the source does not move")
        require(
            Self.values(again.tlvs, moved) == Self.values(header.tlvs, bytes),
            "the ranges move along"
        )
    }
}
