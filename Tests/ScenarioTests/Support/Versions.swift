import Foundation
import Testing

/// How a client speaks to Belay.
enum ClientVersion: CaseIterable {
    case http1
    case http1TLS
    case http2
    case http2TLS

    var isSecure: Bool { self == .http1TLS || self == .http2TLS }

    /// What makes curl speak so.
    var option: String {
        switch self {
        case .http1, .http1TLS: "--http1.1"
        case .http2: "--http2-prior-knowledge"
        case .http2TLS: "--http2"
        }
    }

    /// As curl shows it.
    var name: String {
        switch self {
        case .http1, .http1TLS: "HTTP/1.1"
        case .http2, .http2TLS: "HTTP/2"
        }
    }
}

/// How Belay speaks to a server.
enum ServerVersion: CaseIterable {
    case http1
    case h2c
    case h2

    /// The value of `protocol`.
    var name: String {
        switch self {
        case .http1: "http/1.1"
        case .h2c: "h2c"
        case .h2: "h2"
        }
    }

    /// As Node calls it.
    var number: String { self == .http1 ? "1.1" : "2.0" }

    /// The lines of a pool whose servers speak so, with certificates of this authority.
    func lines(_ authority: Authority) -> [String] {
        var lines = ["protocol: \(self.name)"]
        if self == .h2 {
            lines.append("tls: { authorities: \"\(authority.path)\", server-name: shop.test }")
        }
        return lines
    }
}

/// Belay between a client and servers of any version.
struct Crossing {
    let authority: Authority
    let certificate: Certificate
    let scenario: Scenario

    init(_ scenario: Scenario) throws {
        self.scenario = scenario
        self.authority = try Authority(scenario)
        self.certificate = try self.authority.certificate()
    }

    /// Belay, whose first listener speaks clear text and whose second TLS.
    func belay(
        _ servers: [(String, UInt16)],
        _ version: ServerVersion,
        top: [String] = []
    ) throws -> Belay {
        let pool = PoolText("shop", servers, version.lines(self.authority))
        let listeners = [listener(), listener(tls(self.certificate))]
        return try self.scenario.belay(listeners: listeners, pools: [pool], top: top)
    }

    /// A Node server that sends bodies back.
    func echo(_ version: ServerVersion) throws -> ServerPeer {
        let files = version == .h2 ? [self.certificate.certificate, self.certificate.key] : []
        let arguments = [version.name] + files
        return try self.scenario.serverPeer("echo.js", name: "echo", arguments)
    }

    func url(_ belay: Belay, _ version: ClientVersion) -> String {
        let port = belay.ports[version.isSecure ? 1 : 0]
        return "\(version.isSecure ? "https" : "http")://127.0.0.1:\(port)"
    }

    /// What curl needs to speak this version.
    func options(_ version: ClientVersion) -> [String] {
        [version.option] + (version.isSecure ? ["--cacert", self.authority.path] : [])
    }

    func ask(
        _ belay: Belay,
        _ version: ClientVersion,
        _ path: String = "/",
        _ arguments: [String] = []
    ) throws -> Message {
        try self.scenario.ask(self.url(belay, version) + path, self.options(version) + arguments)
    }
}

/// What h2load tells at its end.
struct H2Load {
    let succeeded: Int
    let failed: Int
    let good: Int

    init(_ scenario: Scenario, _ arguments: [String]) throws {
        let program = try scenario.run(["h2load"] + arguments)
        let text = program.text
        func number(before word: String) -> Int {
            guard let end = text.range(of: " " + word) else { return -1 }
            let digits = text[..<end.lowerBound].reversed().prefix { $0.isNumber }
            return Int(String(digits.reversed())) ?? -1
        }
        self.succeeded = number(before: "succeeded")
        self.failed = number(before: "failed")
        self.good = number(before: "2xx")
    }
}
