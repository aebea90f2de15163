package import BelayCore
import Glibc
import Hummingbird
package import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Why the admin address could not be listened on.
package enum AdminError: Error, Equatable, Sendable, CustomStringConvertible {
    case addressInUse(BelayCore.SocketAddress)
    /// The machine does not have this address.
    case addressMissing(BelayCore.SocketAddress)
    /// The port is one that only privileged processes may have.
    case notPermitted(BelayCore.SocketAddress)
    case failed(BelayCore.SocketAddress, reason: String)

    package var description: String {
        switch self {
        case .addressInUse(let address):
            "cannot listen for admin on \(address): another program has this address; "
                + "choose another one with admin.address, or off"
        case .addressMissing(let address):
            "cannot listen for admin on \(address): this machine does not have that address"
        case .notPermitted(let address):
            "cannot listen for admin on \(address): not permitted; use a port above 1023"
        case .failed(let address, let reason):
            "cannot listen for admin on \(address): \(reason)"
        }
    }
}

/// The HTTP server of the admin address. One thread of its own; not meant for crowds.
package enum AdminServer {
    // Limit: a browser and a few scrapers; the rest waits in the kernel's queue.
    private static let connectionsMax = 64
    // Limit: a question's cookie and headers fit, and a browser's.
    private static let headMax = 32 * 1_024
    private static let idleSeconds: Int64 = 30
    // Limit: how long the end waits for answers that a client doesn't take.
    private static let answersWithin = Duration.seconds(1)

    /// Listens and answers until the task is cancelled, then finishes the answers that are on their
    /// way, closes what is idle and returns. `whenIdle` is called before that if no answer was
    /// on its way when the task was cancelled. `whenListening` gets the
    /// address, with the port that the system chose where `address` has port 0.
    package static func run(
        source: any AdminSource,
        address: BelayCore.SocketAddress,
        logger: Logger,
        whenListening: @escaping @Sendable (BelayCore.SocketAddress) -> Void = { _ in },
        whenIdle: @escaping @Sendable () -> Void = {}
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listening = ListeningChannel()
        let open = OpenAnswers()
        let application = Application(
            responder: AdminResponder(
                source: source,
                hosts: HostRule(bound: address.ip),
                open: open
            ),
            server: .http1(
                configuration: .init(
                    idleTimeout: .seconds(Self.idleSeconds),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: Self.headMax,
                        maxHeaderListSize: Self.headMax,
                        maxHeaderFieldCount: 100
                    )
                )
            ),
            configuration: ApplicationConfiguration(
                address: .hostname(address.ip.description, port: Int(address.port)),
                availableConnectionsDelegate: .maximum(Self.connectionsMax, logger: logger)
            ),
            onServerRunning: { channel in
                listening.set(channel)
                let port = channel.localAddress?.port.flatMap(UInt16.init(exactly:))
                whenListening(.init(ip: address.ip, port: port ?? address.port))
            },
            eventLoopGroupProvider: .shared(group),
            logger: logger
        )
        let runner = Task { try await application.run() }
        let outcome = await withTaskCancellationHandler {
            await runner.result
        } onCancel: {
            // First of all the address is given up: after a cancellation the group may be shut down
            // before the channel is closed.
            listening.close {
                // An answer that is written may still lie in the channel: it is out with the end.
                if open.isNone { whenIdle() }
                open.whenNone(within: Self.answersWithin) { runner.cancel() }
            }
        }
        try await group.shutdownGracefully()
        switch outcome {
        case .success: break
        case .failure(is CancellationError): break
        case .failure(let error): throw AdminError(error, address)
        }
    }
}

/// The channel that listens, for whoever wants it closed.
private final class ListeningChannel: Sendable {
    private let channel = Mutex<(any Channel)?>(nil)

    func set(_ channel: any Channel) { self.channel.withLock { $0 = channel } }

    /// Calls `then` when nobody listens any more.
    func close(then: @escaping @Sendable () -> Void) {
        guard let channel = self.channel.withLock({ $0 }) else { return then() }
        channel.close(mode: .all).whenComplete { _ in then() }
    }
}

extension AdminError {
    fileprivate init(_ error: any Error, _ address: BelayCore.SocketAddress) {
        guard let error = error as? IOError else {
            self = .failed(address, reason: "\(error)")
            return
        }
        self =
            switch error.errnoCode {
            case EADDRINUSE: .addressInUse(address)
            case EADDRNOTAVAIL: .addressMissing(address)
            case EACCES, EPERM: .notPermitted(address)
            default: .failed(address, reason: "\(error)")
            }
    }
}
