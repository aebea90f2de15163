import Foundation
import Synchronization

/// A server that does what the test says, on a thread for each connection.
final class RawServer: Sendable {
    typealias Script = @Sendable (Wire, RawServer) throws -> Void

    let name: String
    let port: UInt16
    /// Connections that came.
    let connections = Watched(0)
    /// Connections that the other side closed or that the script ended.
    let ended = Watched(0)
    /// Requests that scripts have read through `next`.
    let requests = Watched<[Message]>([])
    private let listener: Socket
    private let open = Mutex<[Int32: Socket]>([:])
    private let isOver = Mutex(false)

    init(
        _ name: String,
        port: UInt16 = 0,
        at address: UInt32 = 0x7F00_0001,
        _ script: @escaping Script
    ) throws {
        self.name = name
        self.listener = try Socket.listen(port: port, at: address)
        self.port = self.listener.port
        onThread { [self] in
            while let socket = self.listener.accept() {
                self.connections.add()
                self.open.withLock { $0[socket.descriptor] = socket }
                onThread {
                    let wire = Wire(socket)
                    try? script(wire, self)
                    self.open.withLock { $0[socket.descriptor] = nil }
                    wire.close()
                    self.ended.add()
                }
            }
            self.listener.close()
        }
    }

    /// Takes no more connections and ends those that are open.
    func stop() {
        let first = self.isOver.withLock { over in
            defer { over = true }
            return !over
        }
        guard first else { return }
        self.listener.shutDown()
        self.open.withLock { open in
            for socket in open.values { socket.shutDown() }
        }
    }

    /// The next request on a connection, noted in `requests`; nil when there is none.
    func next(_ wire: Wire) throws -> Message? {
        guard let request = try wire.message(), !request.isCut else { return nil }
        self.requests.change { $0.append(request) }
        return request
    }

    /// Answers every request with the server's name.
    static let plain: Script = { wire, server in
        while try server.next(wire) != nil {
            try wire.write(whole(server.name))
        }
    }

    /// A script that answers every request with these bytes, and closes if told to.
    static func answering(_ text: String, closing: Bool = false) -> Script {
        { wire, server in
            while try server.next(wire) != nil {
                try wire.write(text)
                if closing { return }
            }
        }
    }
}

/// A whole answer with a body.
func whole(_ body: String, status: String = "200 OK", fields: [String] = []) -> String {
    let lines = fields.map { $0 + "\r\n" }.joined()
    return "HTTP/1.1 \(status)\r\n\(lines)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}
