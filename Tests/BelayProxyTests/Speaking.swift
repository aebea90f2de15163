import BelayCore
import BelayHTTP2
import Testing

/// What the two ends of an exchange speak.
enum Version: String, CaseIterable, CustomTestStringConvertible {
    case http1, http2

    var testDescription: String { self.rawValue }

    /// All combinations of a client's and a server's.
    static var pairs: [(Version, Version)] {
        self.allCases.flatMap { client in self.allCases.map { (client, $0) } }
    }
}

/// One end of an exchange, whatever it speaks.
enum End {
    case text(Int)
    case frames(Talker, Int32)
}

/// A message, whichever version it came in.
struct Heard {
    var head = ""
    var body = ""
    /// In the order in which they came.
    var trailers = ""

    var status: Int { Int(self.head.split(separator: " ").dropFirst().first ?? "") ?? 0 }
}

extension Stage {
    /// Sends a request with a body of unknown length, trailers behind it where there are some, on a
    /// connection of its own.
    func ask(
        _ version: Version,
        _ path: String = "/",
        body: String? = nil,
        trailers: String = ""
    ) throws -> End {
        let method = body == nil ? "GET" : "PUT"
        let head = "\(method) \(path) HTTP/1.1\r\nHost: a\r\n"
        switch version {
        case .http1:
            let slot = try self.connect()
            let length = body == nil ? "" : "Transfer-Encoding: chunked\r\n"
            self.send(slot, head + length + "\r\n" + Self.chunks(body, trailers))
            return .text(slot)
        case .http2:
            let talker = try self.talk()
            let id = try talker.request(head + "\r\n", body: body, trailers: trailers)
            return .frames(talker, id)
        }
    }

    private static func chunks(_ body: String?, _ trailers: String) -> String {
        guard let body else { return "" }
        let size = String(body.utf8.count, radix: 16)
        return (body.isEmpty ? "" : "\(size)\r\n\(body)\r\n") + "0\r\n\(trailers)\r\n"
    }

    /// Waits for a whole request at any server.
    func asked(
        _ version: Version,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> (End, Heard) {
        switch version {
        case .http1:
            let (slot, message) = try self.request(sourceLocation: sourceLocation)
            return (.text(slot), Heard(message))
        case .http2:
            let (talker, id) = try self.arrival(sourceLocation: sourceLocation)
            let stream = self.whole(talker, id, sourceLocation: sourceLocation)
            return (.frames(talker, id), Heard(stream))
        }
    }

    /// Answers 200 with a body of unknown length.
    func reply(_ end: End, body: String = "ok", trailers: String = "") {
        switch end {
        case .text(let slot):
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            self.send(slot, head + Self.chunks(body, trailers))
        case .frames(let talker, let id):
            talker.respond(id, "HTTP/1.1 200 OK\r\n\r\n", body: body, trailers: trailers)
        }
    }

    /// Waits for the whole answer.
    func answer(_ end: End, sourceLocation: SourceLocation = #_sourceLocation) throws -> Heard {
        switch end {
        case .text(let slot):
            return Heard(try self.message(slot, sourceLocation: sourceLocation))
        case .frames(let talker, let id):
            let stream = self.whole(talker, id, sourceLocation: sourceLocation)
            #expect(stream.isWhole, sourceLocation: sourceLocation)
            return Heard(stream)
        }
    }

    /// Gives an exchange up.
    func leave(_ end: End) {
        switch end {
        case .text(let slot): self.close(slot, cutting: true)
        case .frames(let talker, let id): talker.reset(id, HTTP2Code.cancel)
        }
    }
}

extension Heard {
    init(_ message: Message) {
        self.head = message.head
        self.body = message.body
        // Without the empty line, whose end is one character.
        self.trailers = String(message.trailers.dropLast())
    }

    init(_ stream: Talker.Stream) {
        self.head = stream.head
        self.body = stream.text
        self.trailers = stream.trailers
    }
}

// MARK: Tunnels

extension Stage {
    private static let upgrade =
        "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    private static let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

    /// Asks for a WebSocket, on a connection of its own.
    func askForSocket(_ version: Version, fields: String = "") throws -> End {
        let request = "GET /ws HTTP/1.1\r\n\(Self.upgrade)\(fields)\r\n"
        switch version {
        case .http1:
            let slot = try self.connect()
            self.send(slot, request)
            return .text(slot)
        case .http2:
            let talker = try self.talk()
            self.wait("the settings arrive") { talker.takesSockets }
            return .frames(talker, try talker.request(request, isLast: false))
        }
    }

    /// Waits until a server is asked for a WebSocket.
    func askedForSocket(_ version: Version) throws -> End {
        switch version {
        case .http1: return .text(try self.request().slot)
        case .http2:
            let (talker, id) = try self.arrival()
            return .frames(talker, id)
        }
    }

    func openSocket(_ end: End) {
        switch end {
        case .text(let slot): self.send(slot, Self.switching)
        case .frames(let talker, let id): talker.respond(id, Self.switching, isLast: false)
        }
    }

    /// Both ends of an open WebSocket.
    func socket(_ client: Version, _ server: Version) throws -> (client: End, server: End) {
        let asker = try self.askForSocket(client)
        let asked = try self.askedForSocket(server)
        self.openSocket(asked)
        switch asker {
        case .text(let slot): #expect(try self.message(slot).status == 101)
        case .frames(let talker, let id):
            self.wait("the answer arrives") { talker[id].status == 101 }
        }
        return (asker, asked)
    }

    func say(_ end: End, _ bytes: [UInt8]) {
        switch end {
        case .text(let slot): self.send(slot, bytes)
        case .frames(let talker, let id): talker.offer(id, bytes, isLast: false)
        }
    }

    /// Says that no more will be said.
    func finish(_ end: End) {
        switch end {
        case .text(let slot): self.finish(slot)
        case .frames(let talker, let id): talker.offer(id, [], isLast: true)
        }
    }

    /// What has arrived behind the head.
    func heard(_ end: End) -> [UInt8] {
        switch end {
        case .text(let slot): self[slot].received
        case .frames(let talker, let id): talker[id].body
        }
    }

    func isOver(_ end: End) -> Bool {
        switch end {
        case .text(let slot): self[slot].isOver
        case .frames(let talker, let id): talker[id].isOver || self[talker.slot].isOver
        }
    }

    /// Whether the end came without one's being said.
    func isCut(_ end: End) -> Bool {
        switch end {
        case .text(let slot): self[slot].isCut
        case .frames(let talker, let id): talker[id].reset != nil
        }
    }
}
