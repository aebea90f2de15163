import BelayTransport
import Foundation
import TestPrograms
import Testing

/// Certificates and keys for the tests, made once by the `openssl` command.
final class TLSFiles: Sendable {
    static let shared: TLSFiles = {
        do { return try TLSFiles() } catch { fatalError("no certificates: \(error)") }
    }()

    let directory: String

    private init() throws {
        self.directory =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("belay-tls-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: self.directory,
            withIntermediateDirectories: true
        )
        let ec = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        for name in ["ca", "other-ca"] {
            try self.openssl(
                ["req", "-x509", "-newkey"] + ec
                    + [
                        "-noenc", "-keyout", "\(name).key", "-out", "\(name).pem",
                        "-days", "30", "-subj", "/O=Belay Tests/CN=\(name)",
                    ]
            )
        }
        let shop = "subjectAltName=DNS:Shop.example,DNS:*.shop.example"
        try self.certificate("shop", ec, shop)
        try self.certificate("shop-rsa", ["rsa:2048"], shop)
        try self.certificate("first", ec, "subjectAltName=DNS:first.example")
        try self.certificate("second", ec, "subjectAltName=DNS:first.example,DNS:second.example")
        try self.certificate("address", ec, "subjectAltName=IP:127.0.0.1")
        try self.certificate("weak", ["rsa:1024"], "subjectAltName=DNS:weak.example")
        try self.certificate("common", ec, "basicConstraints=CA:false", subject: "/CN=Old.example")
        try self.certificate(
            "client",
            ec,
            "extendedKeyUsage=clientAuth",
            subject: "/O=A, B\u{7}C/CN=J\u{fc}rgen \\\"x\\\""
        )
        try self.certificate("server-only", ec, "extendedKeyUsage=serverAuth")
        try self.certificate("stranger", ec, "extendedKeyUsage=clientAuth", by: "other-ca")
        try self.openssl([
            "pkey", "-in", "shop.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key",
        ])
        try self.write("empty.pem", "")
        try self.write("prose.pem", "not a certificate\n")
        let whole = try String(contentsOfFile: self.path("shop.pem"), encoding: .utf8)
        try self.write("damaged.pem", whole.replacingOccurrences(of: "MII", with: "MIJ"))
        try self.staple("shop")
    }

    func path(_ name: String) -> String { "\(self.directory)/\(name)" }

    func identity(_ name: String, ocsp: String? = nil) -> TLSIdentityFiles {
        TLSIdentityFiles(
            certificate: self.path("\(name).pem"),
            key: self.path("\(name).key"),
            ocsp: ocsp.map(self.path)
        )
    }

    /// The SHA-256 of a certificate, as `openssl` computes it.
    func fingerprint(_ name: String) throws -> String {
        try self.openssl(["x509", "-in", "\(name).pem", "-noout", "-fingerprint", "-sha256"])
            .split(separator: "=").last?
            .replacingOccurrences(of: ":", with: "")
            .trimmingCharacters(in: .whitespacesAndNewlines)
            .lowercased() ?? ""
    }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: self.path(name), atomically: true, encoding: .utf8)
    }

    private func certificate(
        _ name: String,
        _ key: [String],
        _ extensions: String,
        subject: String = "/CN=a certificate",
        by authority: String = "ca"
    ) throws {
        try self.openssl(
            ["req", "-x509", "-newkey"] + key
                + [
                    "-noenc", "-keyout", "\(name).key", "-out", "\(name).pem", "-days", "20",
                    "-CA", "\(authority).pem", "-CAkey", "\(authority).key", "-utf8",
                    "-subj", subject, "-addext", extensions,
                ]
        )
    }

    /// A certificate's number, in hexadecimal digits.
    func serial(_ name: String) throws -> String {
        try self.openssl(["x509", "-in", "\(name).pem", "-noout", "-serial"])
            .replacingOccurrences(of: "serial=", with: "")
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// What the authority says of a certificate: good, for a day.
    private func staple(_ name: String) throws {
        let serial = try self.serial(name)
        try self.write("index.txt", "V\t491231235959Z\t\t\(serial)\tunknown\t/CN=a certificate\n")
        try self.openssl([
            "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey",
            "ca.key", "-issuer", "ca.pem", "-cert", "\(name).pem", "-ndays", "1", "-respout",
            "\(name).ocsp", "-no_nonce",
        ])
    }

    func copy(_ name: String, to other: String, mode: Int) throws {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: self.path(name)))
        try bytes.write(to: URL(fileURLWithPath: self.path(other)))
        try FileManager.default.setAttributes(
            [.posixPermissions: mode],
            ofItemAtPath: self.path(other)
        )
    }

    func move(_ name: String, to other: String) throws {
        if FileManager.default.fileExists(atPath: self.path(other)) {
            try FileManager.default.removeItem(atPath: self.path(other))
        }
        try FileManager.default.moveItem(atPath: self.path(name), toPath: self.path(other))
    }

    @discardableResult
    private func openssl(_ arguments: [String]) throws -> String {
        let program = try RunningProgram(["openssl"] + arguments, directory: self.directory)
        let text = try program.output.rest()
        let complaint = try program.errors.rest()
        if program.waitForEnd() != 0 {
            struct Failed: Error { let complaint: String }
            throw Failed(complaint: String(decoding: complaint, as: UTF8.self))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Starts the command, and returns what waits for its end and its output.
    func start(_ arguments: [String]) throws -> () throws -> String {
        let program = try RunningProgram(
            ["openssl"] + arguments,
            directory: self.directory,
            joinsErrors: true
        )
        return {
            let text = try program.output.rest()
            program.waitForEnd()
            return String(decoding: text, as: UTF8.self)
        }
    }
}

extension TLSServerSettings {
    static func forTest(_ names: String..., ocsp: String? = nil) -> TLSServerSettings {
        TLSServerSettings(identities: names.map { TLSFiles.shared.identity($0, ocsp: ocsp) })
    }
}

extension TLSClientSettings {
    /// Believes the tests' authority.
    static func forTest(
        authorities: String = "ca.pem",
        protocols: [TLSApplicationProtocol] = [],
        version: TLSVersion = .tls13
    ) -> TLSClientSettings {
        var settings = TLSClientSettings()
        settings.maximum = version
        settings.authorities = TLSFiles.shared.path(authorities)
        settings.protocols = protocols
        return settings
    }
}
