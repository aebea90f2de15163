import BelayAdmin
import BelayCore
import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

/// An answer, taken apart.
struct Answer {
    let status: Int
    /// By lower-case name.
    let headers: [String: String]
    let body: String

    init?(_ text: String) {
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count > 1, let status = Int(words[1]) else { return nil }
        self.status = status
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers[line[..<colon].lowercased()] = String(value)
        }
        self.headers = headers
        self.body = String(text[end.upperBound...])
    }
}

/// Runs the admin server on a port of the system's choice and lets `body` talk to it.
func withAdmin<Result: Sendable>(
    _ source: FakeSource = FakeSource(),
    ip: IPAddress = .loopbackV4,
    _ body: @escaping @Sendable (Browser) async throws -> Result
) async throws -> Result {
    let (bound, listening) = AsyncStream.makeStream(of: BelayCore.SocketAddress.self)
    return try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask {
            defer { listening.finish() }
            var logger = Logger(label: "admin")
            logger.logLevel = .critical
            try await AdminServer.run(
                source: source,
                address: BelayCore.SocketAddress(ip: ip, port: 0),
                logger: logger
            ) { listening.yield($0) }
            return nil
        }
        group.addTask {
            for await address in bound { return try await body(Browser(address: address)) }
            return nil
        }
        while let result = try await group.next() {
            if let result {
                // The server ends because its task is cancelled; the group waits for that.
                group.cancelAll()
                return result
            }
        }
        throw AdminError.failed(.init(ip: ip, port: 0), reason: "it ended by itself")
    }
}

/// Sends bytes as they are, and reads until the server closes.
struct Browser {
    let address: BelayCore.SocketAddress

    func get(_ path: String, host: String? = nil) async throws -> Answer {
        try await self.send("GET", path, host: host)
    }

    func send(
        _ method: String,
        _ path: String,
        host: String? = nil,
        headers: [String] = []
    ) async throws -> Answer {
        let host = host ?? self.address.description
        let lines = ["\(method) \(path) HTTP/1.1", "Host: \(host)", "Connection: close"] + headers
        let text = try await self.exchange(lines.joined(separator: "\r\n") + "\r\n\r\n")
        return try #require(Answer(text))
    }

    /// What the server answers to `request`, whole.
    func exchange(_ request: String) async throws -> String {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: self.address.ip.description, port: Int(self.address.port)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel
                    )
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var answer = ByteBuffer()
            for try await part in inbound { answer.writeImmutableBuffer(part) }
            return String(buffer: answer)
        }
    }
}
