import BelayCore
import BelayCrypto
import BelayTransport
import Foundation
import TestPrograms

/// A certificate for `shop.example`, made once by the `openssl` command, and what the tests make
/// of it.
final class Certificates: Sendable {
    static let shared: Certificates = {
        do { return try Certificates() } catch { fatalError("no certificates: \(error)") }
    }()

    private let files: TLSIdentityFiles

    private init() throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("belay-proxy-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        let program = try RunningProgram(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-noenc", "-keyout", "shop.key", "-out", "shop.pem", "-days", "30",
                "-subj", "/CN=shop", "-addext", "subjectAltName=DNS:shop.example",
            ],
            directory: directory,
            joinsErrors: true
        )
        let complaint = try program.output.rest()
        struct Failed: Error { let complaint: String }
        guard program.waitForEnd() == 0 else {
            throw Failed(complaint: String(decoding: complaint, as: UTF8.self))
        }
        self.files = TLSIdentityFiles(
            certificate: "\(directory)/shop.pem",
            key: "\(directory)/shop.key"
        )
    }

    func server(
        _ protocols: [TLSApplicationProtocol] = [.http2, .http11],
        tickets: Bool = false
    ) throws -> TLSServerContext {
        var settings = TLSServerSettings(identities: [self.files])
        settings.protocols = protocols
        if tickets {
            let secret = SecretBytes(copying: [UInt8](repeating: 7, count: 32).span)
            settings.tickets = TLSTicketSettings(secrets: [secret], rotation: .hours(12))
        }
        return try TLSServerContext(settings)
    }

    func client(
        _ protocols: [TLSApplicationProtocol] = [],
        maximum: TLSVersion = .tls13
    ) throws -> TLSClientContext {
        var settings = TLSClientSettings()
        settings.maximum = maximum
        settings.authorities = self.files.certificate
        settings.protocols = protocols
        return try TLSClientContext(settings)
    }
}
