import Foundation

/// The ways to bind as Documentation/persistence.md lists them; those that TCP has too, once more.
/// Each has a pool of its own, of that name.
enum Way: String, CaseIterable, CustomStringConvertible {
    case cookie
    case learn
    case prefix
    case route
    case header
    case query
    case addressTable = "address-table"
    case addressHash = "address-hash"
    case tuple
    case tlsSession = "tls-session"
    case jwt
    case tcpAddressTable = "tcp-address-table"
    case tcpAddressHash = "tcp-address-hash"
    case tcpTuple = "tcp-tuple"
    case tcpTLSSession = "tcp-tls-session"

    var description: String { self.rawValue }

    /// An entry of `ways`.
    var setting: String {
        switch self {
        case .cookie: "cookie: {}"
        case .learn: "application-cookie: { name: SID }"
        case .prefix: "application-cookie: { name: SID, mode: prefix }"
        case .route: "application-cookie: { name: SID, mode: route }"
        case .header: "header: { name: X-Session }"
        case .query: "query: { name: sid, learn: header X-Sid }"
        case .addressTable, .tcpAddressTable: "source-address: {}"
        case .addressHash, .tcpAddressHash: "source-address: { store: hash }"
        // A client that comes again has another port.
        case .tuple, .tcpTuple: "tuple: { fields: 3 }"
        case .tlsSession, .tcpTLSSession: "tls-session: {}"
        case .jwt: "jwt: {}"
        }
    }

    /// What this pool's servers give a client that brings none: the field, and what follows its
    /// value there.
    var handsOut: String? {
        switch self {
        case .learn, .prefix, .route: "Set-Cookie: SID="
        case .header: "X-Session: "
        case .query: "X-Sid: "
        case .cookie, .addressTable, .addressHash, .tuple, .tlsSession, .jwt, .tcpAddressTable,
            .tcpAddressHash, .tcpTuple, .tcpTLSSession:
            nil
        }
    }

    var isTCP: Bool {
        switch self {
        case .tcpAddressTable, .tcpAddressHash, .tcpTuple, .tcpTLSSession: true
        case .cookie, .learn, .prefix, .route, .header, .query, .addressTable, .addressHash,
            .tuple, .tlsSession, .jwt:
            false
        }
    }

    var isTLS: Bool { self == .tlsSession || self == .tcpTLSSession }

    /// Affinity: nothing is remembered, so nobody is bound.
    var isHash: Bool {
        switch self {
        case .addressHash, .tuple, .tcpAddressHash, .tcpTuple: true
        case .cookie, .learn, .prefix, .route, .header, .query, .addressTable, .tlsSession, .jwt,
            .tcpAddressTable, .tcpTLSSession:
            false
        }
    }

    /// The application's cookie names the server by itself, and Belay can't write it anew.
    var isNamedByApplication: Bool { self == .prefix || self == .route }
}

/// What a client met.
struct WayAnswer {
    /// Nil: Belay itself answered, or closed the connection.
    let server: String?
    let status: Int
    /// What the server was told of a client that has moved. TCP has no words for that.
    let told: String?
    /// Which line of the log it is: whose, and the how manieth of his.
    let client: String
    let number: Int
}

/// A client that binds in one way, and comes back.
final class WayClient {
    /// A question that is under way.
    enum Pending {
        case wire(Wire)
        case program(Program)
    }

    let way: Way
    private let site: PersistenceSite
    private let number: Int
    private var asked = 0
    /// What the client has been given, as it presents it.
    private var value: String?

    /// Each client has an address of its own.
    var source: UInt32 { 0x7F01_0000 + UInt32(self.number) }
    var address: String { "127.1.\(self.number >> 8).\(self.number & 255)" }

    init(_ way: Way, _ number: Int, _ site: PersistenceSite) {
        self.way = way
        self.number = number
        self.site = site
        if way == .jwt {
            let claims = Data("{\"sub\":\"user\(number)\"}".utf8).base64EncodedString()
            let text = claims.replacing("+", with: "-").replacing("/", with: "_")
            self.value = "eyJhbGciOiJub25lIn0.\(text.replacing("=", with: "")).x"
        }
    }

    var host: String { "\(self.way.rawValue).test" }

    /// Path and query.
    func target(_ path: String = "/") -> String {
        guard self.way == .query, let value = self.value else { return path }
        return "\(path)?sid=\(value)"
    }

    /// What it presents in its requests' heads.
    var fields: [String] {
        var fields = ["X-Client: \(self.number)"]
        guard let value = self.value else { return fields }
        switch self.way {
        case .cookie, .learn, .prefix, .route: fields.append("Cookie: \(value)")
        case .header: fields.append("X-Session: \(value)")
        case .jwt: fields.append("Authorization: Bearer \(value)")
        case .query, .addressTable, .addressHash, .tuple, .tlsSession, .tcpAddressTable,
            .tcpAddressHash, .tcpTuple, .tcpTLSSession:
            break
        }
        return fields
    }

    // MARK: Asking

    func ask(_ path: String = "/", _ more: [String] = []) throws -> WayAnswer {
        try self.finish(try self.begin(path, more))
    }

    /// Sends a request, or opens a connection of TCP.
    func begin(
        _ path: String = "/",
        method: String = "GET",
        _ more: [String] = []
    ) throws -> Pending {
        let start = "\(method) \(self.target(path)) HTTP/1.1"
        let lines = [start, "Host: \(self.host)", "Connection: close"] + self.fields + more
        // Its last line feed is written with it.
        let request = lines.joined(separator: "\r\n") + "\r\n\r"
        if self.way.isTLS {
            let program = try self.site.scenario.start(self.handshake(), reads: true)
            if !self.way.isTCP { try program.type(request) }
            return .program(program)
        }
        let wire = Wire(try Socket.connect(to: self.site.port(self.way), from: self.source))
        if !self.way.isTCP { try wire.write(request + "\n") }
        return .wire(wire)
    }

    /// A TLS client that resumes the session it has, if it has one.
    private func handshake() throws -> [String] {
        let session = self.site.scenario.path("session-\(self.number)")
        let known = FileManager.default.fileExists(atPath: session) ? ["-sess_in", session] : []
        return [
            "openssl", "s_client", "-quiet", "-connect", "127.0.0.1:\(self.site.port(self.way))",
            "-bind", "\(self.address):0", "-servername", "shop.test", "-tls1_3",
            "-sess_out", session,
        ] + known
    }

    /// Waits for the answer.
    func finish(_ pending: Pending) throws -> WayAnswer {
        let message: Message
        switch pending {
        case .wire(let wire):
            message = self.way.isTCP ? try self.greeting(wire) : try wire.answer()
            wire.close()
        case .program(let program):
            message = self.way.isTCP ? try self.greeting(program) : try self.answer(program)
        }
        self.take(message)
        self.asked += 1
        self.site.answers += 1
        return WayAnswer(
            server: message["x-server"],
            status: message.status,
            told: message["x-told"],
            client: self.address,
            number: self.asked
        )
    }

    /// A server of TCP says its name first.
    private func greeting(_ wire: Wire) throws -> Message {
        let name = try wire.read(until: "\n").trimmingCharacters(in: .whitespacesAndNewlines)
        return Message(fields: name.isEmpty ? [] : [(name: "x-server", value: name)])
    }

    private func greeting(_ program: Program) throws -> Message {
        let name = try look(for: "a name") {
            program.output.now.first ?? (program.isRunning ? nil : "")
        }
        // The server ends the connection then.
        if program.isRunning { try? program.type("end") }
        try program.waitForEnd()
        return Message(fields: name.isEmpty ? [] : [(name: "x-server", value: name)])
    }

    private func answer(_ program: Program) throws -> Message {
        try program.waitForEnd()
        let lines = program.output.now.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
        var message = Message()
        message.start = lines.first { $0.hasPrefix("HTTP/1.1 ") } ?? ""
        for line in lines.prefix(while: { !$0.isEmpty }) {
            let parts = line.split(separator: ":", maxSplits: 1).map { String($0) }
            guard parts.count == 2 else { continue }
            let value = parts[1].trimmingCharacters(in: .whitespaces)
            message.fields.append((name: parts[0], value: value))
        }
        return message
    }

    /// Keeps what the answer gives.
    private func take(_ message: Message) {
        let given: String? =
            switch self.way {
            case .cookie, .learn, .prefix, .route: message.setCookie
            case .header: message["x-session"]
            case .query: message["x-sid"]
            case .addressTable, .addressHash, .tuple, .tlsSession, .jwt, .tcpAddressTable,
                .tcpAddressHash, .tcpTuple, .tcpTLSSession:
                nil
            }
        if let given { self.value = given }
    }
}
