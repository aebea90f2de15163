import BelayBytes
import BelayCore
import BelayTransport
import Glibc
import Testing

/// One end of a connection: a socket, a stream, and what came out of it.
final class TLSEnd {
    let socket: Descriptor
    let stream: TLSStream
    var scratch: TLSScratch
    var step: TLSHandshakeStep?
    var received: [UInt8] = []
    /// How the last read ended.
    var last: Moved?
    /// What was sent so far, in the clear and not.
    var sentCount = 0
    private var isClosed = false
    private var pool: BufferPool
    private let block: BlockIndex

    init(_ socket: Int32, make: (borrowing TLSScratch) -> TLSStream?) throws {
        self.socket = Descriptor(number: socket)
        self.scratch = TLSScratch()
        guard let stream = make(self.scratch), var pool = BufferPool(blockCount: 1),
            let block = pool.take()
        else { throw SystemError(code: ENOMEM) }
        self.stream = stream
        self.pool = pool
        self.block = block
    }

    deinit {
        self.stream.free()
        if !self.isClosed { self.socket.close() }
    }

    var isDone: Bool { if case .done = self.step { true } else { false } }
    var failure: TLSFailure.Kind? {
        if case .failed(let failure) = self.step { failure.kind } else { nil }
    }

    var isDrained: Bool { self.scratch.isDrained }
    var hasOutput: Bool { self.scratch.hasOutput }

    func handshake() {
        if self.step != nil, self.failure != nil || self.isDone { return }
        self.scratch.begin(self.socket, mayRead: true, mayEnd: false)
        self.step = self.stream.handshake(&self.scratch)
        self.flush()
    }

    /// The whole handshake with an end that works by itself; at most ten seconds.
    func handshakeWhenReadable() throws {
        while !self.isDone, self.failure == nil {
            try #require(isReadable(self.socket.number), "the other end is silent")
            self.handshake()
            if case .closed = self.step { return }
        }
    }

    /// Reads what is there, at most `limit` bytes with each call.
    func read(limit: Int = BlockMemory.blockSize, mayEnd: Bool = true) {
        while true {
            self.scratch.begin(self.socket, mayRead: true, mayEnd: mayEnd)
            let moved = self.stream.read(&self.scratch, self.pool.memory, self.block, 0..<limit)
            self.last = moved
            self.flush()
            guard case .bytes(let count) = moved else { return }
            let memory = self.pool.memory
            let bytes = memory.bytes(self.block, 0..<count)
            self.received += bytes.indices.map { bytes[$0] }
            if self.scratch.isDrained { return }
        }
    }

    /// How one read ended, in a word; what it brought is dropped.
    func readOnce(mayRead: Bool, limit: Int = BlockMemory.blockSize) -> String {
        self.scratch.begin(self.socket, mayRead: mayRead, mayEnd: false)
        self.last = self.stream.read(&self.scratch, self.pool.memory, self.block, 0..<limit)
        return self.lastText
    }

    var lastText: String {
        switch self.last {
        case .bytes(let count): "\(count)"
        case .wouldBlock: "wouldBlock"
        case .end: "end"
        case .failed(let error): "failed \(error.code)"
        case nil: "nothing"
        }
    }

    func write(_ bytes: [UInt8]) -> Bool {
        let isDone = self.stream.write(bytes.span, &self.scratch)
        self.flush()
        return isDone
    }

    /// Sends what lies in the scratch.
    func flush() {
        let bytes = self.scratch.outputCopy()
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBufferPointer { rest in
                // Safe: the call reads the buffer's bytes.
                unsafe send(
                    self.socket.number,
                    rest.baseAddress,
                    rest.count,
                    Int32(MSG_NOSIGNAL)
                )
            }
            if count < 0 { break }
            sent += count
        }
        self.sentCount += sent
        self.scratch.removeAll()
    }

    func shutdown() { _ = Glibc.shutdown(self.socket.number, Int32(SHUT_WR)) }

    /// Closes although bytes have come that were not read: the other side sees a reset.
    func reset() {
        self.socket.close()
        self.isClosed = true
    }

    /// The socket below, for bytes as they are.
    var wire: Wire { Wire(borrowing: self.socket.number) }

    /// The fingerprint of the other side's certificate.
    var peerFingerprint: String { self.text { $0.writePeerFingerprint(into: &$1) } }

    /// The text that `body` writes.
    func text(_ body: (TLSStream, inout ByteWriter) -> Void) -> String {
        var writer = ByteWriter(capacity: 16_384)
        body(self.stream, &writer)
        let bytes = writer.bytes
        return String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
}

extension TLSScratch {
    func outputCopy() -> [UInt8] {
        let output = self.output
        return output.indices.map { output[$0] }
    }
}

/// Waits for bytes or a connection, ten seconds at most.
private func isReadable(_ socket: Int32) -> Bool {
    var poll = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    // Safe: the call writes to `poll`.
    return unsafe Glibc.poll(&poll, 1, 10_000) == 1
}

/// A listener on a port of the system's choice.
final class TCPListener {
    private let socket: Descriptor
    let port: UInt16

    init() throws {
        self.socket = try Descriptor.listen(
            on: SocketAddress(ip: .loopbackV4, port: 0),
            backlog: 4
        )
        self.port = self.socket.localAddress()?.port ?? 0
    }

    deinit { self.socket.close() }

    func accept() throws -> Int32 {
        try #require(isReadable(self.socket.number), "nobody connects")
        let socket = Glibc.accept(self.socket.number, nil, nil)
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
        return socket
    }
}

/// Two sockets that are connected with each other and do not block.
func socketPair() throws -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    // Safe: the call writes two numbers.
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    try #require(unsafe socketpair(AF_UNIX, type, 0, &ends) == 0)
    return (ends[0], ends[1])
}

/// A socket whose bytes the test reads and writes as they are.
final class Wire {
    private var socket: Int32

    private let isOwner: Bool

    init(_ socket: Int32) {
        self.socket = socket
        self.isOwner = true
    }

    init(borrowing socket: Int32) {
        self.socket = socket
        self.isOwner = false
    }

    deinit { if self.isOwner { self.close() } }

    func close() {
        if self.socket >= 0 { Descriptor(number: self.socket).close() }
        self.socket = -1
    }

    func readByte() -> UInt8? {
        var byte: UInt8 = 0
        // Safe: the call writes at most one byte.
        return unsafe recv(self.socket, &byte, 1, 0) == 1 ? byte : nil
    }

    func write(_ bytes: [UInt8]) {
        // Safe: the call reads the array's bytes.
        let count = unsafe send(self.socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        #expect(count == bytes.count)
    }
}

/// Both ends of a connection.
struct TLSEnds {
    let client: TLSEnd
    let server: TLSEnd

    init(
        _ serverContext: TLSServerContext,
        _ clientContext: TLSClientContext,
        name: String? = "shop.example",
        session: UInt32? = nil
    ) throws {
        let (one, two) = try socketPair()
        self.client = try TLSEnd(one) { scratch in
            TLSStream.connecting(clientContext, serverName: name, session: session, scratch)
        }
        self.server = try TLSEnd(two) { scratch in TLSStream.accepting(serverContext, scratch) }
    }

    /// Between ends that are made for it.
    init(
        _ server: TLSServerSettings,
        _ client: TLSClientSettings = .forTest(),
        name: String? = "shop.example"
    ) throws {
        try self.init(TLSServerContext(server), TLSClientContext(client), name: name)
    }

    /// Goes on until both ends are done or one has failed.
    func handshake() {
        for _ in 0..<8 {
            self.client.handshake()
            self.server.handshake()
        }
    }

    var isDone: Bool { self.client.isDone && self.server.isDone }
}
