import BelayBytes
import BelayCore
import BelayHTTP
import FuzzSupport

/// What must hold of every request head, read and written again.
struct RequestHeadFuzzer: ~Copyable {
    private var fields = FieldList(capacity: 24)
    private var out = ByteWriter(capacity: 8192)

    /// What reading a head came to.
    private enum Outcome: Equatable {
        case waits
        case refused(MessageError)
        case read([Int])
    }

    mutating func check(_ input: FuzzInput) {
        let whole = self.read(input.bytes, cut: nil)
        require(self.read(input.bytes, cut: input.cut) == whole, "cut at \(input.cut) is as whole")
        let moved = [0x58, 0x0A, 0x58] + input.bytes
        require(self.read(moved, start: 3, cut: nil) == whole, "it does not matter where it lies")
        guard case .read(let facts) = whole, let length = facts.first else { return }
        let head = Array(input.bytes[..<length])
        _ = self.read(head, cut: nil)
        self.checkLines(of: head)
        self.checkPlain(head, isWritten: false)
        self.checkWritten(head)
    }

    private mutating func read(_ bytes: [UInt8], start: Int = 0, cut: Int?) -> Outcome {
        var scanner = HeadScanner()
        do throws(MessageError) {
            if let cut {
                let first = Array(bytes[..<(start + cut)])
                _ = try scanner.scan(first.span, from: start, headMax: 1024)
            }
            guard let length = try scanner.scan(bytes.span, from: start, headMax: 1024) else {
                return .waits
            }
            let head = try RequestHead.parse(
                bytes.span,
                from: start,
                length: length,
                into: &self.fields
            )
            return .read(self.facts(of: head))
        } catch {
            return .refused(error)
        }
    }

    private func facts(of head: RequestHead) -> [Int] {
        var facts = [head.length, Int(head.method.rawValue), Int(head.form.rawValue)]
        for range in [head.methodBytes, head.target, head.path, head.authority] {
            facts += [range.lowerBound, range.upperBound]
        }
        facts += [Int(head.minorVersion), head.framing.fact, head.keepsAlive ? 1 : 0]
        facts += [head.expectsContinue ? 1 : 0, head.wantsUpgrade ? 1 : 0]
        for index in 0..<self.fields.count { facts += self.fields[index].facts }
        return facts
    }

    /// The lines lie one behind the other, and nothing but a colon, white space and line ends
    /// lies between their names and values.
    private func checkLines(of head: [UInt8]) {
        var index = 0
        for number in 0..<self.fields.count {
            let line = self.fields[number]
            require(line.name.lowerBound >= index, "lines do not overlap")
            require(line.name.upperBound < line.value.lowerBound + 1, "the name comes first")
            require(line.value.upperBound + 4 <= head.count, "a line lies in the head")
            require(!line.name.isEmpty, "a name is not empty")
            let colon = head[line.name.upperBound]
            require(colon == 0x3A, "a colon stands behind the name")
            let gap = head[(line.name.upperBound + 1)..<line.value.lowerBound]
            require(gap.allSatisfy { $0 == 0x20 || $0 == 0x09 }, "white space before the value")
            if isCanary {
                require(!head[line.value].contains(0x09), "the canary: no value holds a tab")
            }
            index = line.value.upperBound
        }
    }

    private func checkPlain(_ head: [UInt8], isWritten: Bool) {
        let plain = PlainReader(head.first == 0x0D ? head[2...] : head[...])
        require(plain.faults.isEmpty, "\(plain.faults) in \(text(head))")
        let words = plain.firstLine.split(separator: " ", omittingEmptySubsequences: false)
        require(words.count == 3, "a request line has three words: \(plain.firstLine)")
        require(words.allSatisfy { !$0.isEmpty }, "and none is empty")
        require(words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" && !isWritten, "a version")
        require(
            words[1].unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value < 0x7F },
            "a target is printable"
        )
        let hosts = plain.fields.filter { $0.name.lowercased() == "host" }
        require(hosts.count <= 1, "one host")
        if words[2] == "HTTP/1.1" { require(hosts.count == 1, "one Host") }
    }

    /// What goes to the server says what came from the client, in one way only.
    private mutating func checkWritten(_ bytes: [UInt8]) {
        guard
            let read = try? RequestHead.parse(
                bytes.span,
                from: 0,
                length: bytes.count,
                into: &self.fields
            ), read.method != .connect
        else { return }
        var rules = ForwardingRules()
        rules.defaultHost = InternedText("default.example")
        rules.forwarded = true
        self.out.removeAll()
        writeRequest(
            read,
            self.fields,
            in: bytes.span,
            from: 0,
            rules: rules,
            facts: ForwardingFacts(
                client: .loopbackV4,
                isTLS: false,
                peerIsTrusted: false
            ),
            framing: read.framing,
            keepsUpgrade: read.wantsUpgrade,
            into: &self.out
        )
        require(!self.out.hasOverflowed, "what is written fits")
        let written = (0..<self.out.count).map { self.out.bytes[$0] }
        self.checkPlain(written, isWritten: true)
        let again: RequestHead
        do throws(MessageError) {
            var fields = FieldList(capacity: 40)
            again = try RequestHead.parse(
                written.span,
                from: 0,
                length: written.count,
                into: &fields
            )
        } catch {
            fatalError("broken promise: what is written can be read: \(error) \(text(written))")
        }
        require(written[again.methodBytes] == bytes[read.methodBytes], "the method stays")
        // A POST without a body is written with a length of zero (RFC 9110 §8.6).
        let isEmpty = read.framing == .none && again.framing == .length(0)
        require(isEmpty || again.framing == read.framing, "the framing stays")
        require(again.wantsUpgrade == read.wantsUpgrade, "the upgrade stays")
        require(again.expectsContinue == read.expectsContinue, "the expectation stays")
        if read.form == .origin {
            require(written[again.target] == bytes[read.target], "the target stays")
        }
    }
}
