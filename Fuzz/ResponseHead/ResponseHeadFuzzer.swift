import BelayBytes
import BelayHTTP
import FuzzSupport

/// What must hold of every response head, read and written again.
struct ResponseHeadFuzzer: ~Copyable {
    private var fields = FieldList(capacity: 24)
    private var out = ByteWriter(capacity: 8192)

    /// What reading a head came to.
    private enum Outcome: Equatable {
        case waits
        case refused(MessageError)
        case read([Int])
    }

    mutating func check(_ input: FuzzInput) {
        let method: BelayHTTP.Method = input.choice % 4 == 0 ? .head : .get
        let whole = self.read(input.bytes, cut: nil, answering: method)
        let cut = self.read(input.bytes, cut: input.cut, answering: method)
        require(cut == whole, "cut at \(input.cut) is as whole")
        guard case .read(let facts) = whole, let length = facts.first else { return }
        let head = Array(input.bytes[..<length])
        self.checkPlain(head)
        self.checkWritten(head, answering: method)
        if isCanary { require(!head.contains(0x09), "the canary: no head holds a tab") }
    }

    private mutating func read(
        _ bytes: [UInt8],
        cut: Int?,
        answering method: BelayHTTP.Method
    ) -> Outcome {
        var scanner = HeadScanner()
        do throws(MessageError) {
            if let cut {
                let first = Array(bytes[..<cut])
                _ = try scanner.scan(first.span, from: 0, headMax: 1024)
            }
            guard let length = try scanner.scan(bytes.span, from: 0, headMax: 1024) else {
                return .waits
            }
            let head = try ResponseHead.parse(
                bytes.span,
                from: 0,
                length: length,
                answering: method,
                into: &self.fields
            )
            require((100...599).contains(head.status), "a status has a class")
            require(head.reason.upperBound + 4 <= length, "a reason lies in the head")
            var facts = [length, Int(head.status), head.reason.lowerBound, head.reason.upperBound]
            facts += [Int(head.minorVersion), head.framing.fact, head.keepsAlive ? 1 : 0]
            facts += [head.isUpgrade ? 1 : 0, head.statedLength.map { Int($0) } ?? -1]
            for index in 0..<self.fields.count { facts += self.fields[index].facts }
            return .read(facts)
        } catch {
            return .refused(error)
        }
    }

    private func checkPlain(_ head: [UInt8]) {
        let plain = PlainReader(head)
        require(plain.faults.isEmpty, "\(plain.faults) in \(text(head))")
        require(
            plain.firstLine.hasPrefix("HTTP/1.1 ") || plain.firstLine.hasPrefix("HTTP/1.0 "),
            "a version"
        )
    }

    /// What goes to the client says what came from the server, in one way only.
    private mutating func checkWritten(_ bytes: [UInt8], answering method: BelayHTTP.Method) {
        guard
            let read = try? ResponseHead.parse(
                bytes.span,
                from: 0,
                length: bytes.count,
                answering: method,
                into: &self.fields
            )
        else { return }
        self.out.removeAll()
        var options = ResponseOptions(framing: read.framing)
        options.connection = read.keepsAlive ? .none : .close
        let cookie = Array("a=b".utf8)
        let date = Array("Sat, 21 Nov 2026 00:00:00 GMT".utf8)
        writeResponse(
            read,
            self.fields,
            in: bytes.span,
            from: 0,
            options: options,
            setCookie: cookie.span,
            date: date.span,
            into: &self.out
        )
        require(!self.out.hasOverflowed, "what is written fits")
        let written = (0..<self.out.count).map { self.out.bytes[$0] }
        self.checkPlain(written)
        do throws(MessageError) {
            var fields = FieldList(capacity: 32)
            let again = try ResponseHead.parse(
                written.span,
                from: 0,
                length: written.count,
                answering: method,
                into: &fields
            )
            require(again.status == read.status, "the status stays")
            require(again.framing == read.framing, "the framing stays")
            require(again.isUpgrade == read.isUpgrade, "the upgrade stays")
        } catch {
            fatalError("broken promise: what is written can be read: \(error) \(text(written))")
        }
    }
}
