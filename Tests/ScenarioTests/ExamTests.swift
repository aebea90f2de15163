import Foundation
import Testing

extension Scenarios {
    /// The exams in `Tests/Exams`, which know Belay from outside only: what they ask is written
    /// there, case by case.
    @Suite(.serialized) struct ExamTests {
        /// How clients reach the listener, and what the exams are told about it.
        enum Door: String, CaseIterable {
            case clear, secure

            var arguments: [String] { self == .secure ? ["--tls"] : [] }
        }

        @Test(arguments: Door.allCases)
        func `HTTP/2 is spoken as RFC 9113 and RFC 7541 demand`(door: Door) throws {
            try Scenario.run { scenario in
                let (port, _) = try scenario.nginx("exam-server")
                let belay = try scenario.examined(door, server: port)
                try scenario.exam("h2_exam.py", of: belay, door.arguments)
            }
        }

        /// Half a minute, most of it spent watching the honest client.
        @Test func `floods over HTTP/2 are ended, and honest clients are served`() throws {
            try Scenario.run { scenario in
                let server = try scenario.freePort()
                let belay = try scenario.examined(.clear, server: server)
                try scenario.exam(
                    "h2_floods.py",
                    of: belay,
                    [
                        "--server-port", "\(server)", "--pid", "\(belay.program.identifier)",
                        "--strict", "--seconds", "2",
                    ]
                )
                #expect(belay.program.isRunning)
            }
        }

        @Test(arguments: Door.allCases)
        func `no request over HTTP/2 becomes another one over HTTP/1.1`(door: Door) throws {
            try Scenario.run { scenario in
                let server = try scenario.freePort()
                let belay = try scenario.examined(door, server: server)
                let arguments = ["--server-port", "\(server)", "--strict"] + door.arguments
                try scenario.exam("h2_downgrade.py", of: belay, arguments)
            }
        }

        @Test func `an upgrade opens a tunnel only when the server agrees to it`() throws {
            try Scenario.run { scenario in
                let server = try scenario.freePort()
                let belay = try scenario.examined(.clear, server: server)
                try scenario.exam("upgrade_exam.py", of: belay, ["--server-port", "\(server)"])
            }
        }

        @Test func `PROXY protocol headers are read strictly, however they are cut`() throws {
            try Scenario.run { scenario in
                let server = try scenario.freePort()
                let belay = try scenario.examined(
                    listener: #"{ address: "127.0.0.1:0", proxy-protocol: required }"#,
                    server: server,
                    top: ["trusted-proxies: [127.0.0.1]"]
                )
                let arguments = ["--server-port", "\(server)"]
                try scenario.exam("proxy_header_exam.py", of: belay, arguments)
            }
        }
    }
}

/// The project's own folder.
private let projectFolder = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

extension Scenario {
    /// Belay in front of one server, for an exam that comes through this door.
    fileprivate func examined(_ door: Scenarios.ExamTests.Door, server: UInt16) throws -> Belay {
        switch door {
        case .clear:
            return try self.examined(listener: #""127.0.0.1:0""#, server: server)
        case .secure:
            let (certificate, key) = try self.examCertificate()
            let pair = "{ certificate: \(certificate), key: \(key) }"
            return try self.examined(
                listener: #"{ address: "127.0.0.1:0", tls: { certificates: [\#(pair)] } }"#,
                server: server
            )
        }
    }

    fileprivate func examined(
        listener: String,
        server: UInt16,
        top: [String] = []
    ) throws -> Belay {
        // The log would be as long as the floods.
        var file = BelayFile(
            top: ["listeners: [\(listener)]", "log: { access: off }"] + top
        )
        file.servers = [("exam", server)]
        return try self.belay(file)
    }

    /// Runs an exam to its end and tells of the cases that failed.
    fileprivate func exam(
        _ script: String,
        of belay: Belay,
        _ arguments: [String],
        _ place: SourceLocation = #_sourceLocation
    ) throws {
        let python = projectFolder + "/.build/python/bin/python"
        let path = projectFolder + "/Tests/Exams/" + script
        let address = ["--address", "127.0.0.1:\(belay.port)"]
        let program = try self.start([python, path] + address + arguments)
        let status = try program.waitForEnd()
        let told = (program.output.now + program.errors.now).joined(separator: "\n")
        #expect(status == 0, "\(told)", sourceLocation: place)
    }

    /// A certificate for `exam.test`, signed by itself; the paths of its files.
    private func examCertificate() throws -> (certificate: String, key: String) {
        let certificate = self.path("exam.pem")
        let key = self.path("exam-key.pem")
        let openssl = try self.run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=exam.test", "-addext",
            "subjectAltName=DNS:exam.test", "-keyout", key, "-out", certificate,
        ])
        try #require(openssl.waitForEnd() == 0)
        return (certificate, key)
    }
}
