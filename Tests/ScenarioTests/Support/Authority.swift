import Foundation
import Testing

/// A certificate with its key: the paths of their PEM files.
struct Certificate {
    enum Kind: CaseIterable {
        case ecdsa
        case rsa

        var options: [String] {
            switch self {
            case .ecdsa: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            case .rsa: ["-newkey", "rsa:2048"]
            }
        }
    }

    let certificate: String
    let key: String

    /// As an entry of `certificates`.
    var entry: String { "{ certificate: \"\(self.certificate)\", key: \"\(self.key)\" }" }
}

/// An authority of the test's own, that signs certificates with the `openssl` program.
struct Authority {
    let scenario: Scenario
    let name: String

    var path: String { self.scenario.path("\(self.name).pem") }
    private var key: String { self.scenario.path("\(self.name).key") }

    init(_ scenario: Scenario, name: String = "authority") throws {
        self.scenario = scenario
        self.name = name
        try scenario.file(
            "\(name).cnf",
            """
            [req]
            distinguished_name = subject
            [subject]
            [authority]
            basicConstraints = critical, CA:TRUE
            keyUsage = critical, keyCertSign, cRLSign
            subjectKeyIdentifier = hash
            [leaf]
            basicConstraints = critical, CA:FALSE
            keyUsage = critical, digitalSignature, keyEncipherment
            extendedKeyUsage = serverAuth, clientAuth
            subjectKeyIdentifier = hash
            authorityKeyIdentifier = keyid

            """
        )
        try self.openssl(
            ["req", "-x509", "-nodes", "-days", "365", "-subj", "/CN=Test authority \(name)"]
                + ["-config", "\(name).cnf", "-extensions", "authority"]
                + Certificate.Kind.ecdsa.options + ["-keyout", self.key, "-out", self.path]
        )
    }

    /// Signs a certificate for these names, or over the files of the same name that are there.
    func certificate(
        _ names: [String] = ["shop.test"],
        as file: String = "server",
        _ kind: Certificate.Kind = .ecdsa,
        days: Int = 10
    ) throws -> Certificate {
        let made = Certificate(
            certificate: self.scenario.path("\(file).pem"),
            key: self.scenario.path("\(file).key")
        )
        let alternatives = names.map { "DNS:" + $0 } + ["DNS:localhost", "IP:127.0.0.1"]
        // Each file is replaced as a whole, as those who renew certificates do.
        try self.openssl(
            ["req", "-x509", "-nodes", "-days", "\(days)", "-subj", "/CN=\(names[0])"]
                + ["-config", "\(self.name).cnf", "-extensions", "leaf"]
                + ["-addext", "subjectAltName=" + alternatives.joined(separator: ",")]
                + ["-CA", self.path, "-CAkey", self.key] + kind.options
                + ["-keyout", made.key + ".new", "-out", made.certificate + ".new"]
        )
        for path in [made.key, made.certificate] {
            try? FileManager.default.removeItem(atPath: path)
            try FileManager.default.moveItem(atPath: path + ".new", toPath: path)
        }
        return made
    }

    /// A certificate that ended yesterday.
    func expired(_ name: String) throws -> Certificate {
        let made = Certificate(
            certificate: self.scenario.path("\(name).pem"),
            key: self.scenario.path("\(name).key")
        )
        let request = self.scenario.path("\(name).csr")
        try self.openssl(
            ["req", "-new", "-nodes", "-subj", "/CN=\(name)", "-config", "\(self.name).cnf"]
                + Certificate.Kind.ecdsa.options + ["-keyout", made.key, "-out", request]
        )
        try self.openssl([
            "x509", "-req", "-in", request, "-days", "-1", "-CA", self.path, "-CAkey", self.key,
            "-extfile", "\(self.name).cnf", "-extensions", "leaf", "-out", made.certificate,
        ])
        return made
    }

    /// A signed answer about a certificate, as the authority's responder would give; its path.
    func stapled(
        _ certificate: Certificate,
        as file: String,
        revoked: Bool = false
    ) throws -> String {
        let serial = try self.serial(of: certificate)
        // The authority's list: state, when it ends, when it was revoked, serial, file, subject.
        let state = revoked ? "R\t400101000000Z\t250101000000Z" : "V\t400101000000Z\t"
        let index = try self.scenario.file(
            "\(file).index",
            "\(state)\t\(serial)\tunknown\t/CN=shop.test\n"
        )
        try self.scenario.file("\(file).index.attr", "unique_subject = no\n")
        let path = self.scenario.path("\(file).der")
        try self.openssl([
            "ocsp", "-index", index, "-CA", self.path, "-rsigner", self.path, "-rkey", self.key,
            "-issuer", self.path, "-cert", certificate.certificate, "-ndays", "7",
            "-respout", path, "-noverify", "-no_nonce",
        ])
        return path
    }

    /// The serial number in hexadecimal digits.
    func serial(of certificate: Certificate) throws -> String {
        let arguments = ["openssl", "x509", "-noout", "-serial", "-in", certificate.certificate]
        let program = try self.scenario.run(arguments)
        return program.text.replacing("serial=", with: "")
    }

    private func openssl(_ arguments: [String]) throws {
        let program = try self.scenario.run(["openssl"] + arguments)
        let status = try program.waitForEnd()
        #expect(status == 0, "openssl \(arguments): \(program.errors.now)")
    }
}
