import Foundation
import Testing

extension Scenarios {
    /// Clients and servers of different versions of HTTP.
    @Suite(.serialized) struct VersionTests {
        @Test(arguments: ClientVersion.allCases, ServerVersion.allCases)
        func `a mebibyte goes up and comes back whole`(
            client: ClientVersion,
            server: ServerVersion
        ) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let echo = try crossing.echo(server)
                let belay = try crossing.belay([("echo", echo.port)], server)
                let sent = try scenario.randomFile("sent", size: 1 << 20)
                let program = try scenario.curl(
                    crossing.options(client) + [
                        "--data-binary", "@\(sent)", "--output", "got", "--dump-header", "head",
                        "--write-out", "%{http_version} %{http_code}",
                        crossing.url(belay, client) + "/upload",
                    ]
                )
                #expect(program.errors.now == [])
                #expect(program.text == (client.name == "HTTP/2" ? "2 200" : "1.1 200"))
                let digest = try scenario.digest(of: sent)
                #expect(try scenario.digest(of: scenario.path("got")) == digest)
                let head = scenario.text(of: "head").lowercased()
                #expect(head.contains("x-version: \(server.number)"))
                // What the server found comes as trailers.
                #expect(head.contains("x-digest: \(digest)"))
                #expect(head.contains("x-length: 1048576"))
                #expect(head.contains("x-saw-x-forwarded-for: 127.0.0.1"))
                let scheme = client.isSecure ? "https" : "http"
                #expect(head.contains("x-saw-x-forwarded-proto: \(scheme)\r"))
            }
        }

        @Test(arguments: ClientVersion.allCases, ServerVersion.allCases)
        func `a request without a body has an answer, and HEAD its head`(
            client: ClientVersion,
            server: ServerVersion
        ) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let echo = try crossing.echo(server)
                let belay = try crossing.belay([("echo", echo.port)], server)
                let answer = try crossing.ask(belay, client, "/a?b=c")
                #expect(answer.version == client.name)
                #expect(answer.status == 200)
                #expect(answer.text == "hello")
                #expect(answer["x-host"]?.hasPrefix("127.0.0.1:") == true)
                #expect(try crossing.ask(belay, client, "/", ["--head"]).status == 200)
                #expect(echo.program.output.now.contains("request \(server.number) HEAD /"))
            }
        }

        @Test(arguments: [ServerVersion.h2c, .h2])
        func `curl reaches an nginx that speaks HTTP 2`(server: ServerVersion) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let content = try scenario.randomFile("page", size: 1 << 20)
                let nginx = try scenario.nginxServer(
                    "one",
                    listen: server == .h2 ? "ssl http2" : "http2",
                    lines: [
                        "ssl_certificate \(crossing.certificate.certificate);",
                        "ssl_certificate_key \(crossing.certificate.key);",
                        "location = /page { root \(scenario.directory); }",
                        "location / { return 200 \"$server_protocol $ssl_server_name\\n\"; }",
                    ]
                )
                let belay = try crossing.belay([("one", nginx.port)], server)
                for client in ClientVersion.allCases {
                    let answer = try crossing.ask(belay, client)
                    let name = server == .h2 ? "shop.test" : ""
                    #expect(answer.text == "HTTP/2.0 \(name)")
                    let program = try scenario.curl(
                        crossing.options(client)
                            + ["--output", "got", crossing.url(belay, client) + "/page"]
                    )
                    #expect(program.errors.now == [])
                    let digest = try scenario.digest(of: content)
                    #expect(try scenario.digest(of: scenario.path("got")) == digest)
                }
            }
        }

        @Test(arguments: [ServerVersion.h2c, .h2])
        func `curl reaches nghttpd, which sends uploads back`(server: ServerVersion) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let port = try scenario.nghttpd(
                    server == .h2 ? crossing.certificate : nil,
                    ["--echo-upload"]
                )
                let belay = try crossing.belay([("nghttpd", port)], server)
                let sent = try scenario.randomFile("sent", size: 1 << 20)
                for client in ClientVersion.allCases {
                    let program = try scenario.curl(
                        crossing.options(client) + [
                            "--data-binary", "@\(sent)", "--output", "got",
                            crossing.url(belay, client) + "/upload",
                        ]
                    )
                    #expect(program.errors.now == [])
                    let digest = try scenario.digest(of: sent)
                    #expect(try scenario.digest(of: scenario.path("got")) == digest)
                }
            }
        }

        @Test(arguments: ClientVersion.allCases, ServerVersion.allCases)
        func `h2load gets an answer to each of many streams`(
            client: ClientVersion,
            server: ServerVersion
        ) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let echo = try crossing.echo(server)
                let belay = try crossing.belay([("echo", echo.port)], server)
                var arguments = ["-n", "2000", "-c", "8", "-m", "50", crossing.url(belay, client)]
                if client.name == "HTTP/1.1" { arguments.insert("--h1", at: 0) }
                let load = try H2Load(scenario, arguments)
                // An answer without a reason phrase is a failure for h2load over HTTP/1.1.
                #expect(load.succeeded == 2000)
                #expect(load.failed == 0)
                #expect(load.good == 2000)
                let labels = "{pool=\"shop\",server=\"echo\",class=\"2xx\"}"
                try belay.wait(for: ["belay_server_exchanges_total\(labels)": 2000])
            }
        }

        @Test(arguments: [ClientVersion.http2, .http2TLS])
        func `h2load uploads bodies on many streams`(client: ClientVersion) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let echo = try crossing.echo(.h2c)
                let belay = try crossing.belay([("echo", echo.port)], .h2c)
                let body = try scenario.randomFile("body", size: 100_000)
                let load = try H2Load(
                    scenario,
                    ["-n", "200", "-c", "4", "-m", "20", "-d", body, crossing.url(belay, client)]
                )
                #expect(load.succeeded == 200)
                #expect(load.good == 200)
            }
        }

        @Test(arguments: [ClientVersion.http2, .http2TLS])
        func `nghttp asks many times on one connection`(client: ClientVersion) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let belay = try crossing.belay(
                    [("echo", try crossing.echo(.http1).port)],
                    .http1
                )
                let url = crossing.url(belay, client) + "/"
                let program = try scenario.run(["nghttp", "--multiply=50", "--no-verify-peer", url])
                #expect(program.output.now == Array(repeating: "hello", count: 50))
                #expect(try belay.metrics()["belay_connections_accepted_total"] == 1)
            }
        }
    }
}

extension Scenario {
    /// nginx with a server of these lines; `listen` is what stands behind its port.
    func nginxServer(
        _ name: String,
        listen: String = "",
        lines: [String],
        http: [String] = []
    ) throws -> ServerPeer {
        for _ in 0..<20 {
            let port = try self.freePort()
            let settings = try self.file(
                "nginx-\(name).conf",
                """
                daemon off;
                master_process off;
                pid nginx-\(name).pid;
                error_log stderr;
                events { worker_connections 1024; }
                http {
                    access_log off;
                    ssl_protocols TLSv1.2 TLSv1.3;
                    client_max_body_size 0;
                    client_body_temp_path body-\(name);
                    proxy_temp_path proxy-\(name);
                    fastcgi_temp_path fastcgi-\(name);
                    uwsgi_temp_path uwsgi-\(name);
                    scgi_temp_path scgi-\(name);
                    \(http.joined(separator: "\n    "))
                    server {
                        listen 127.0.0.1:\(port) \(listen);
                        \(lines.joined(separator: "\n        "))
                    }
                }

                """
            )
            let program = try self.start([
                "nginx", "-e", "stderr", "-p", self.directory, "-c", settings,
            ])
            if try self.isUp(program, port) {
                return ServerPeer(name: name, port: port, program: program)
            }
        }
        throw Watched<Int>.TimedOut(description: "nginx finds no port")
    }

    /// nghttpd, over TLS with a certificate, else in clear text; its port.
    func nghttpd(_ certificate: Certificate?, _ arguments: [String] = []) throws -> UInt16 {
        for _ in 0..<20 {
            let port = try self.freePort()
            var command = ["nghttpd", "--address=127.0.0.1", "-d", self.directory] + arguments
            command += certificate == nil ? ["--no-tls"] : []
            command.append("\(port)")
            if let certificate { command += [certificate.key, certificate.certificate] }
            if try self.isUp(try self.start(command), port) { return port }
        }
        throw Watched<Int>.TimedOut(description: "nghttpd finds no port")
    }

    /// Waits until a program listens; false when it ended, such as for a port that was taken.
    private func isUp(_ program: Program, _ port: UInt16) throws -> Bool {
        try look(for: "a listener on port \(port)") {
            if !program.isRunning { return false }
            guard let socket = try? Socket.connect(to: port) else { return nil }
            socket.close()
            return true
        }
    }
}
