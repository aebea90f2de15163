import Foundation
import Synchronization

/// A small DNS server (RFC 1035), over UDP and TCP, that says what the test says.
final class NameServer: Sendable {
    enum Kind: UInt16, Sendable {
        case a = 1
        case alias = 5
        case aaaa = 28
        case srv = 33
    }

    struct Record: Sendable {
        let kind: Kind
        let data: [UInt8]
        /// Whose it is; nil: of the name that was asked for.
        var owner: String?

        /// An address of IPv4.
        static func a(_ address: String) -> Record {
            Record(kind: .a, data: address.split(separator: ".").compactMap { UInt8($0) })
        }

        /// The loopback of IPv6.
        static let loopbackV6 = Record(kind: .aaaa, data: Array(repeating: 0, count: 15) + [1])

        static func srv(
            _ target: String,
            _ port: UInt16,
            priority: UInt16 = 0,
            weight: UInt16 = 0
        ) -> Record {
            let numbers = [priority, weight, port].flatMap { $0.bytes }
            return Record(kind: .srv, data: numbers + NameServer.labels(target))
        }

        static func alias(_ target: String) -> Record {
            Record(kind: .alias, data: NameServer.labels(target))
        }

        func owned(by name: String) -> Record {
            Record(kind: self.kind, data: self.data, owner: name)
        }
    }

    /// What is said to a question.
    enum Answer: Sendable {
        case records([Record], ttl: UInt32)
        /// The same over TCP; over UDP that it is too long.
        case overTCP([Record], ttl: UInt32)
        case nameError
        case failure
        case silence
    }

    struct Question: Hashable, Sendable {
        let name: String
        let kind: UInt16
        var isTCP = false

        init(_ name: String, _ kind: Kind, isTCP: Bool = false) {
            self.init(name, kind.rawValue, isTCP: isTCP)
        }

        fileprivate init(_ name: String, _ kind: UInt16, isTCP: Bool) {
            self.name = name
            self.kind = kind
            self.isTCP = isTCP
        }
    }

    /// What was asked, in order; also what was not answered.
    let questions = Watched<[Question]>([])
    let port: UInt16
    private let answers = Mutex<[String: [UInt16: Answer]]>([:])
    private let datagrams: DatagramSocket
    private let listener: Socket?
    private let isOver = Mutex(false)

    init(isV6: Bool = false) throws {
        (self.datagrams, self.listener) = try Self.sockets(isV6: isV6)
        self.port = self.datagrams.port
        onThread { [self] in self.serveDatagrams() }
        onThread { [self] in self.serveConnections() }
    }

    /// Of IPv4 both have one port.
    private static func sockets(isV6: Bool) throws -> (DatagramSocket, Socket?) {
        if isV6 { return (try DatagramSocket(isV6: true), nil) }
        for _ in 0..<20 {
            let datagrams = try DatagramSocket()
            if let listener = try? Socket.listen(port: datagrams.port) {
                return (datagrams, listener)
            }
            datagrams.close()
        }
        throw Watched<Int>.TimedOut(description: "no port for UDP and TCP")
    }

    func stop() {
        self.isOver.withLock { $0 = true }
        self.datagrams.wake()
        self.listener?.shutDown()
    }

    // MARK: What it says

    /// What it says of a name from now on. For kinds that are not set the name has no records;
    /// names of which nothing is set do not exist.
    func say(_ name: String, _ kind: Kind, _ answer: Answer) {
        self.answers.withLock { $0[name, default: [:]][kind.rawValue] = answer }
    }

    /// A host with these addresses, and none of IPv6.
    func host(_ name: String, _ addresses: [String], ttl: UInt32 = 1) {
        self.say(name, .a, .records(addresses.map { .a($0) }, ttl: ttl))
    }

    /// A service of servers on this machine.
    func service(_ name: String, _ records: [Record], ttl: UInt32 = 1) {
        self.say(name, .srv, .records(records, ttl: ttl))
    }

    /// Says the same to every question about a name.
    func say(_ name: String, _ answer: Answer) {
        for kind in [Kind.a, .aaaa, .srv] { self.say(name, kind, answer) }
    }

    /// Waits until a question has been asked so many times more.
    func wait(for question: Question, more count: Int = 1) throws {
        func times(_ all: [Question]) -> Int { all.filter { $0 == question }.count }
        let before = times(self.questions.now)
        try self.questions.wait(for: "\(count) more of \(question)") { all in
            times(all) >= before + count ? true : nil
        }
    }

    // MARK: Serving

    private func serveDatagrams() {
        while let (bytes, peer) = self.datagrams.receive(), !self.isOver.withLock({ $0 }) {
            if let answer = self.answer(bytes, isTCP: false) {
                self.datagrams.send(answer, to: peer)
            }
        }
        self.datagrams.close()
    }

    private func serveConnections() {
        guard let listener = self.listener else { return }
        while let socket = listener.accept() {
            // Each connection asks once; a small question comes in one piece or two.
            var bytes: [UInt8] = []
            while let more = try? socket.read(), !more.isEmpty {
                bytes += more
                guard bytes.count > 2, bytes.count >= 2 + bytes.number(0) else { continue }
                if let answer = self.answer(Array(bytes.dropFirst(2)), isTCP: true) {
                    try? socket.write(UInt16(answer.count).bytes + answer)
                }
                break
            }
            socket.close()
        }
        listener.close()
    }

    /// The bytes of an answer; nil: silence.
    private func answer(_ bytes: [UInt8], isTCP: Bool) -> [UInt8]? {
        guard bytes.count > 16, let (name, end) = Self.name(bytes, at: 12) else { return nil }
        let question = Question(name, UInt16(bytes.number(end)), isTCP: isTCP)
        self.questions.change { $0.append(question) }
        let found = self.answers.withLock { answers -> Answer in
            guard let kinds = answers[name] else { return .nameError }
            return kinds[question.kind] ?? .records([], ttl: 0)
        }
        var records: [Record] = []
        var time: UInt32 = 0
        // An answer, authoritative, to a question that wished for recursion.
        var flags: UInt16 = 0x8580
        switch found {
        case .silence: return nil
        case .failure: flags |= 2
        case .nameError: flags |= 3
        case .records(let all, let ttl): (records, time) = (all, ttl)
        case .overTCP(let all, let ttl):
            if isTCP { (records, time) = (all, ttl) } else { flags |= 0x0200 }
        }
        let counts = [1, UInt16(records.count), 0, 0].flatMap { $0.bytes }
        let head = bytes[..<2] + flags.bytes + counts + bytes[12..<(end + 4)]
        return records.reduce(into: Array(head)) { answer, record in
            answer += record.owner.map(Self.labels) ?? [0xC0, 12]
            answer += record.kind.rawValue.bytes + UInt16(1).bytes
            answer += UInt16(time >> 16).bytes + UInt16(time & 0xFFFF).bytes
            answer += UInt16(record.data.count).bytes + record.data
        }
    }

    private static func labels(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    /// The name that begins there, in lower case, and what follows it.
    private static func name(_ bytes: [UInt8], at start: Int) -> (String, Int)? {
        var labels: [String] = []
        var place = start
        while place < bytes.count, bytes[place] != 0 {
            let end = place + 1 + Int(bytes[place])
            guard end < bytes.count else { return nil }
            labels.append(String(decoding: bytes[(place + 1)..<end], as: UTF8.self).lowercased())
            place = end
        }
        return place + 4 < bytes.count ? (labels.joined(separator: "."), place + 1) : nil
    }
}

extension UInt16 {
    fileprivate var bytes: [UInt8] { [UInt8(self >> 8), UInt8(self & 0xFF)] }
}

extension [UInt8] {
    fileprivate func number(_ place: Int) -> Int { Int(self[place]) << 8 | Int(self[place + 1]) }
}
