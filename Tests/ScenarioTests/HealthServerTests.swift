import Foundation
import Testing

extension Scenarios {
    /// Checks of servers that others wrote.
    @Suite(.serialized) struct HealthServerTests {
        // MARK: nginx

        @Test func `nginx is down when its page is another one, and up when it is right again`()
            throws
        {
            try Scenario.run { scenario in
                let nginx = try CheckedNginx(scenario)
                defer { nginx.end() }
                let belay = try nginx.belay()
                try belay.wait(for: "nginx", toBe: "up")
                let faults = [
                    ("return 503;", "it answered 503"),
                    ("return 301 /elsewhere;", "it answered 301"),
                    ("return 200 \"all is lost\";", "its answer lacks the text that was asked for"),
                    (
                        "if ($host != other.test) { return 421; } return 200 \"all is well\";",
                        "it answered 421"
                    ),
                    ("return 444;", "the server closed the connection"),
                ]
                for (line, reason) in faults {
                    try nginx.serve(line)
                    try belay.program.line(with: "shop/nginx is down: \(reason)")
                    try belay.wait(for: "nginx", toBe: "down")
                    let check = try #require(try belay.servers()[0].check)
                    #expect(!check.good && check.reason == reason)
                    #expect(try belay.ask().status == 503)
                    // Three checks in a row, perhaps one more until it was seen, and of the good
                    // ones two.
                    let seen = nginx.checks
                    #expect(seen.count >= 3, "\(reason)")
                    try nginx.serve(CheckedNginx.good)
                    try belay.wait(forServers: "nginx to be up") { $0[0].health != "down" }
                    #expect(nginx.checks.count >= 2, "\(reason)")
                    #expect(try belay.ask().text == "page\n")
                }
                let ups = belay.program.errors.now.count { $0.contains("shop/nginx is up again") }
                #expect(ups == faults.count)
            }
        }

        @Test func `nginx that is stopped is down, and up when it is started again`() throws {
            try Scenario.run { scenario in
                let nginx = try CheckedNginx(scenario)
                defer { nginx.end() }
                let belay = try nginx.belay()
                try belay.wait(for: "nginx", toBe: "up")
                for _ in 0..<2 {
                    try nginx.stop()
                    try belay.wait(for: "nginx", toBe: "down")
                    let reason = try #require(try belay.servers()[0].check?.reason)
                    #expect(reason.hasPrefix("cannot connect"))
                    try nginx.start()
                    try belay.wait(forServers: "nginx to be up") { $0[0].health != "down" }
                    #expect(try belay.ask().text == "page\n")
                }
            }
        }

        @Test(arguments: ["tls", "http"])
        func `nginx is checked over TLS, and a wrong certificate is told`(check: String) throws {
            try Scenario.run { scenario in
                let authority = try Authority(scenario)
                _ = try authority.certificate()
                let nginx = try CheckedNginx(scenario, isSecure: true)
                defer { nginx.end() }
                let health = check == "tls" ? "check: tls" : "path: /healthz, host: shop.test"
                let belay = try nginx.belay(
                    health,
                    pool: ["tls: { authorities: \"\(authority.path)\", server-name: shop.test }"]
                )
                let row = try belay.wait(forServers: "a check") { $0[0].check != nil }[0]
                #expect(row.check?.good == true && row.health == "up")
                #expect(try belay.ask().text == "page\n")

                _ = try authority.certificate(["other.test"])
                try nginx.reload()
                try belay.program.line(
                    with: "shop/nginx is down: no TLS: certificate refused: hostname mismatch"
                )
                _ = try authority.certificate()
                try nginx.reload()
                try belay.wait(forServers: "nginx to be up") { $0[0].health != "down" }

                let stranger = try Authority(scenario, name: "stranger")
                _ = try stranger.certificate()
                try nginx.reload()
                try belay.program.line(
                    with: "shop/nginx is down: no TLS: certificate refused: unable to get"
                )
                #expect(try belay.ask().status == 503)
            }
        }

        // MARK: The demo's shop

        @Test func `a shop that is stopped from its page is down until it is started again`() throws
        {
            try Scenario.run { scenario in
                let first = try scenario.shop("shop1")
                var file = BelayFile(pool: ["health: { path: /healthz, body: ok, \(often) }"])
                file.servers = [("shop1", first.port)]
                let belay = try scenario.belay(file)
                try belay.wait(for: "shop1", toBe: "up")
                #expect(try belay.ask("/whoami").text == "shop1\n")
                let stop = try belay.ask("/stop", method: "POST", body: "")
                #expect(stop.status == 303)
                try first.program.waitForEnd()
                try belay.program.line(with: "shop/shop1 is down: cannot connect")
                _ = try scenario.shop("shop1", port: first.port)
                try belay.program.line(with: "shop/shop1 is up again")
                #expect(try belay.ask("/whoami").text == "shop1\n")
            }
        }

        // MARK: gRPC

        @Test func `gRPC's health service says when its server is down, and when it is up`() throws
        {
            try Scenario.run { scenario in
                let server = try scenario.grpcHealth(["SERVING"])
                let belay = try scenario.belay(
                    pools: [
                        PoolText(
                            peers: [server],
                            ["protocol: h2c", "health: { check: grpc, \(often) }"]
                        )
                    ]
                )
                try belay.wait(for: "health", toBe: "up")
                try server.set("NOT_SERVING")
                try belay.program.line(
                    with: "shop/health is down: it calls itself NOT_SERVING"
                )
                try server.set("SERVING")
                try belay.program.line(with: "shop/health is up again")
                try server.set("UNKNOWN")
                try belay.program.line(with: "shop/health is down: it calls itself UNKNOWN")
            }
        }

        @Test func `one service of a gRPC server is asked about, and one that it lacks is told`()
            throws
        {
            try Scenario.run { scenario in
                let server = try scenario.grpcHealth(["NOT_SERVING", "SERVING shop.Cart"])
                let without = try scenario.grpcHealth([], ["--without"])
                func pool(_ name: String, _ peer: ServerPeer, _ service: String) -> PoolText {
                    PoolText(
                        name,
                        peers: [peer],
                        ["protocol: h2c", "health: { service: \(service), \(often) }"]
                    )
                }
                let belay = try scenario.belay(
                    listeners: [listener()],
                    pools: [
                        pool("cart", server, "shop.Cart"), pool("till", server, "shop.Till"),
                        pool("none", without, "shop.Cart"),
                    ],
                    top: ["routes: [{ pool: cart }]"]
                )
                try belay.program.line(with: "till/health is down: it does not know the service")
                try belay.program.line(with: "none/health is down: it has no health service")
                #expect(try belay.servers().map(\.health) == ["up", "down", "down"])
                try server.set("SERVING shop.Till")
                try belay.program.line(with: "till/health is up again")
                try server.set("NOT_SERVING shop.Cart")
                try belay.program.line(with: "cart/health is down: it calls itself NOT_SERVING")
            }
        }

        @Test(arguments: ["http/1.1", "h2"])
        func `a gRPC check over TLS speaks HTTP 2, whatever the pool does`(version: String) throws {
            try Scenario.run { scenario in
                let authority = try Authority(scenario)
                let pair = try authority.certificate()
                let server = try scenario.grpcHealth(["SERVING"], [pair.certificate, pair.key])
                let tls = "tls: { authorities: \"\(authority.path)\", server-name: shop.test }"
                let belay = try scenario.belay(
                    pools: [
                        PoolText(
                            peers: [server],
                            ["protocol: \(version)", tls, "health: { check: grpc, \(often) }"]
                        )
                    ]
                )
                let row = try belay.wait(forServers: "a check") { $0[0].check != nil }[0]
                #expect(row.check?.good == true, "\(row.check?.reason ?? "")")
                try server.set("NOT_SERVING")
                try belay.program.line(with: "shop/health is down: it calls itself NOT_SERVING")
            }
        }
    }
}

/// Checks that come as often as can be.
let often = "interval: 100ms, fast-interval: 50ms"

/// nginx with a page for checks, whose settings change while it runs.
private final class CheckedNginx {
    static let good = "return 200 \"all is well\";"

    let scenario: Scenario
    let port: UInt16
    private let isSecure: Bool
    private var program: Program?

    init(_ scenario: Scenario, isSecure: Bool = false) throws {
        self.scenario = scenario
        self.isSecure = isSecure
        self.port = try scenario.freePort()
        try self.write(Self.good)
        try self.start()
    }

    /// Belay with checks that want everything of the page to be right.
    func belay(
        _ health: String = "path: /healthz, host: shop.test, statuses: [200], body: is well",
        pool: [String] = []
    ) throws -> Belay {
        var file = BelayFile(
            pool: pool + ["health: { \(health), \(often), fall: 3, rise: 2 }", "stall: off"]
        )
        file.servers = [("nginx", self.port)]
        return try self.scenario.belay(file)
    }

    func start() throws {
        let program = try self.scenario.start([
            "nginx", "-e", "stderr", "-p", self.scenario.directory, "-c",
            self.scenario.path("checked.conf"),
        ])
        self.program = program
        let port = self.port
        try look(for: "nginx") { () -> Bool? in
            try #require(program.isRunning)
            guard let socket = try? Socket.connect(to: port) else { return nil }
            socket.close()
            return true
        }
    }

    func stop() throws {
        self.program?.signal(SIGTERM)
        try self.program?.waitForEnd()
    }

    /// Its worker would outlive it if it were killed.
    func end() { try? self.stop() }

    /// Answers checks so from now on.
    func serve(_ line: String) throws {
        try self.write(line)
        try self.reload()
    }

    func reload() throws {
        let command = try self.scenario.run([
            "nginx", "-e", "stderr", "-p", self.scenario.directory, "-c",
            self.scenario.path("checked.conf"), "-s", "reload",
        ])
        #expect(try command.waitForEnd() == 0, "\(command.errors.now)")
    }

    /// The checks that were answered as they are now.
    var checks: [Substring] {
        self.scenario.text(of: "\(self.serving).log").split(separator: "\n")
            .filter { $0.contains("/healthz") }
    }

    private var serving = 0

    private func write(_ line: String) throws {
        self.serving += 1
        let tls = [
            "ssl_certificate \(self.scenario.path("server.pem"));",
            "ssl_certificate_key \(self.scenario.path("server.key"));", "ssl_session_cache off;",
            "ssl_session_tickets off;",
        ]
        try self.scenario.file(
            "checked.conf",
            """
            daemon off;
            worker_processes 1;
            pid checked.pid;
            error_log stderr;
            events { worker_connections 512; }
            http {
                client_body_temp_path body;
                proxy_temp_path proxy;
                fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi;
                scgi_temp_path scgi;
                access_log \(self.serving).log;
                server {
                    listen 127.0.0.1:\(self.port)\(self.isSecure ? " ssl" : "");
                    \(self.isSecure ? tls.joined(separator: "\n        ") : "")
                    location / { return 200 "page\\n"; }
                    location /healthz { \(line) }
                }
            }

            """
        )
    }
}

extension ServerPeer {
    /// A status of the health service from now on.
    fileprivate func set(_ status: String) throws {
        let before = self.program.output.now.count
        try self.program.type(status)
        try self.program.output.wait(for: status) { $0.count > before ? true : nil }
    }
}

extension Scenario {
    /// A gRPC server with these statuses.
    fileprivate func grpcHealth(
        _ statuses: [String],
        _ arguments: [String] = []
    ) throws -> ServerPeer {
        let program = try self.peer("grpc_health_server.py", arguments, reads: true)
        let peer = ServerPeer(name: "health", port: try program.port(), program: program)
        for status in statuses { try peer.set(status) }
        return peer
    }

    /// The demo's shop.
    fileprivate func shop(_ name: String, port: UInt16 = 0) throws -> ServerPeer {
        let path = try belayPath() + "-shop"
        let program = try self.start([path, "--name", name, "--port", "\(port)"])
        let mark = "\(name) answers on 127.0.0.1:"
        let text = try program.line(with: mark, on: program.output)
        return ServerPeer(name: name, port: try #require(UInt16(text)), program: program)
    }
}
