import BelayBytes

/// What happens to a trailer field.
package enum TrailerUse: Sendable {
    case pass, drop
}

extension Span<UInt8> {
    /// Behind the extensions that begin with the ";" at `start`, each `";" name [ "=" value ]`
    /// with a token or a quoted string as value (RFC 9112 §7.1.1), no white space around. Nil
    /// when they are not complete.
    func endOfChunkExtensions(from start: Int) throws(MessageError) -> Int? {
        var index = start
        while index < self.count, self[index] == 0x3B {
            index &+= 1
            let name = index
            while index < self.count, ByteClass.token.contains(self[index]) { index &+= 1 }
            guard index < self.count else { return nil }
            guard index > name else { throw .badChunkExtension }
            guard self[index] == 0x3D else { continue }
            index &+= 1
            guard index < self.count else { return nil }
            if self[index] == 0x22 {
                guard let end = try self.endOfQuotedString(from: index) else { return nil }
                index = end
            } else {
                let value = index
                while index < self.count, ByteClass.token.contains(self[index]) { index &+= 1 }
                guard index < self.count else { return nil }
                guard index > value else { throw .badChunkExtension }
            }
        }
        guard index < self.count else { return nil }
        guard self[index] == 0x0D else { throw .badChunkExtension }
        return index
    }

    /// Behind the quoted string that begins at `start` (RFC 9110 §5.6.4); nil when it is not
    /// complete.
    private func endOfQuotedString(from start: Int) throws(MessageError) -> Int? {
        var index = start &+ 1
        while index < self.count {
            switch self[index] {
            case 0x22: return index &+ 1
            case 0x5C:
                index &+= 1
                guard index < self.count else { return nil }
            default: break
            }
            guard self[index] >= 0x20 && self[index] != 0x7F || self[index] == 0x09 else {
                throw .badChunkExtension
            }
            index &+= 1
        }
        return nil
    }

    /// Reads the trailer field line in `range`, its line end included.
    ///
    /// Fields of framing and routing are refused: a program that merges trailers into the head
    /// would take another message for this one. Others that mean nothing at the end, or must not
    /// come so late (RFC 9110 §6.5.1), are dropped.
    package func trailerUse(_ range: Range<Int>) throws(MessageError) -> TrailerUse {
        let bytes = self.extracting(range)
        var index = 0
        let line: FieldLine
        do {
            line = try FieldLine.read(bytes, at: &index)
        } catch {
            switch error {
            case .bareCarriageReturn, .bareLineFeed: throw error
            default: throw .badTrailer
            }
        }
        guard index == bytes.count else { throw .badTrailer }
        switch line.id {
        case .host, .contentLength, .transferEncoding: throw .badTrailer
        case .connection, .keepAlive, .proxyConnection, .te, .trailer, .upgrade, .expect,
            .forwarded, .xForwardedFor, .xForwardedProto, .xForwardedHost, .via, .cookie,
            .setCookie, .cacheControl, .date, .accept, .expires, .authorization:
            return .drop
        case .other:
            return bytes.isForbiddenTrailer(line.name) ? .drop : .pass
        }
    }

    private func isForbiddenTrailer(_ name: Range<Int>) -> Bool {
        switch name.count {
        case 3: self.isEqual(name, toLowercase: "age")
        case 4: self.isEqual(name, toLowercase: "vary")
        case 5: self.isEqual(name, toLowercase: "range")
        case 6: self.isEqual(name, toLowercase: "pragma")
        case 8:
            self.isEqual(name, toLowercase: "location")
                || self.isEqual(name, toLowercase: "if-match")
                || self.isEqual(name, toLowercase: "if-range")
        case 11: self.isEqual(name, toLowercase: "retry-after")
        case 12:
            self.isContentType(name) || self.isEqual(name, toLowercase: "max-forwards")
        case 13:
            self.isEqual(name, toLowercase: "content-range")
                || self.isEqual(name, toLowercase: "if-none-match")
        case 16:
            self.isEqual(name, toLowercase: "content-encoding")
                || self.isEqual(name, toLowercase: "www-authenticate")
        case 17: self.isEqual(name, toLowercase: "if-modified-since")
        case 18: self.isEqual(name, toLowercase: "proxy-authenticate")
        case 19:
            self.isEqual(name, toLowercase: "proxy-authorization")
                || self.isEqual(name, toLowercase: "if-unmodified-since")
        default: false
        }
    }
}
