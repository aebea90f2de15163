import BelayAdmin
import BelayCore
import Foundation
import Testing

private let header = "Belay-Admin: 1"

extension Browser {
    /// A request that may change something.
    fileprivate func command(
        _ method: String,
        _ path: String,
        body: String = "",
        headers: [String] = [header]
    ) async throws -> Answer {
        let length = body.isEmpty ? [] : ["Content-Length: \(body.utf8.count)"]
        let lines = [
            "\(method) \(path) HTTP/1.1", "Host: \(self.address)", "Connection: close",
        ]
        let head = (lines + headers + length).joined(separator: "\r\n")
        let text = try await self.exchange(head + "\r\n\r\n" + body)
        return try #require(Answer(text))
    }
}

struct CommandRequestTests {
    private static let shop1 = ServerRef(pool: "shop", server: "shop1")

    private static func changes(_ change: (inout ServerChanges) -> Void) -> ServerChanges {
        var changes = ServerChanges()
        change(&changes)
        return changes
    }

    @Test(
        arguments: [
            ("POST", "/api/upgrade", "", .upgrade),
            ("GET", "/api/pools/shop/servers/shop1/drain", "", .drainStatus(Self.shop1)),
            (
                "POST", "/api/pools/shop/servers/shop1/drain", "",
                .drain(Self.shop1, deadline: nil, rate: nil)
            ),
            (
                "POST", "/api/pools/shop/servers/shop1/drain?deadline=30m&rate=50%2Fs", "",
                .drain(Self.shop1, deadline: .minutes(30), rate: 50)
            ),
            (
                "POST", "/api/pools/-/servers/shop1/drain?deadline=90&rate=0", "",
                .drain(ServerRef(pool: nil, server: "shop1"), deadline: .seconds(90), rate: 0)
            ),
            ("DELETE", "/api/pools/shop/servers/shop1/drain", "", .undoDrain(Self.shop1)),
            ("POST", "/api/pools/shop/servers/shop1/drain/pause", "", .pauseDrain(Self.shop1)),
            ("POST", "/api/pools/shop/servers/shop1/drain/resume", "", .resumeDrain(Self.shop1)),
            (
                "PUT", "/api/pools/shop/servers/shop1", "{\"weight\":0,\"state\":\"ready\"}",
                .setServer(
                    Self.shop1,
                    Self.changes { ($0.weight, $0.state) = (0, "ready") }
                )
            ),
            (
                "PUT", "/api/pools/shop/servers/10.0.0.1%3A80", "{}",
                .setServer(ServerRef(pool: "shop", server: "10.0.0.1:80"), ServerChanges())
            ),
            (
                "POST", "/api/pools/shop/servers",
                "{\"name\":\"d\",\"address\":\"10.0.0.9:80\",\"maxConnections\":7,"
                    + "\"generation\":2}",
                .addServer(
                    pool: "shop",
                    Self.changes {
                        ($0.name, $0.address) = ("d", "10.0.0.9:80")
                        ($0.maxConnections, $0.generation) = (7, 2)
                    }
                )
            ),
            (
                "POST", "/api/pools/shop/rebalance", "",
                .rebalance(pool: "shop", goal: 1.05, rate: 50)
            ),
            (
                "POST", "/api/pools/shop/rebalance?goal=1.2&rate=0.5", "",
                .rebalance(pool: "shop", goal: 1.2, rate: 0.5)
            ),
            ("DELETE", "/api/pools/shop/rebalance", "", .stopRebalance(pool: "shop")),
            (
                "GET", "/api/pools/a%20b/bindings", "",
                .bindings(pool: "a b", server: nil, limit: 100, cursor: 0)
            ),
            (
                "GET", "/api/pools/shop/bindings?server=shop1&limit=5&cursor=17", "",
                .bindings(pool: "shop", server: "shop1", limit: 5, cursor: 17)
            ),
            (
                "GET", "/api/pools/shop/bindings/find?way=header&value=a%2Fb%26c", "",
                .findBinding(pool: "shop", way: "header", value: "a/b&c")
            ),
            (
                "PUT", "/api/pools/shop/bindings/0a?server=shop2", "",
                .moveBinding(pool: "shop", key: "0a", server: "shop2")
            ),
            ("DELETE", "/api/pools/shop/bindings/0a", "", .forgetBinding(pool: "shop", key: "0a")),
        ] as [(String, String, String, AdminCommand)]
    )
    func `each command arrives as it was meant`(
        method: String,
        path: String,
        body: String,
        want: AdminCommand
    ) async throws {
        let source = FakeSource()
        let answer = try await withAdmin(source) {
            try await $0.command(method, path, body: body)
        }
        #expect(answer.status == 200, "\(answer.body)")
        #expect(source.commands == [want])
    }

    @Test(arguments: [
        ("POST", "/api/upgrade", "{\"done\":\"Done.\"}", 200),
        (
            "DELETE", "/api/pools/shop/servers/s", "{\"error\":\"it is the pool's last server\"}",
            409
        ),
        (
            "POST", "/api/reload",
            "{\"news\":[],\"problems\":[\"belay.yaml:3:5: unknown key \\\"servres\\\"\"],"
                + "\"served\":false,\"warnings\":[]}", 422
        ),
        (
            "POST", "/api/pools/shop/servers/shop1/drain",
            "{\"began\":1000,\"bound\":12,\"boundAtStart\":40,\"cause\":\"command\","
                + "\"countsAll\":true,\"deadline\":2800,\"expectedEnd\":1900,"
                + "\"losing\":12,\"openRequests\":3,"
                + "\"phase\":\"running\",\"pool\":\"shop\",\"rate\":null,\"server\":\"shop1\"}",
            200
        ),
        (
            "POST", "/api/pools/shop/rebalance",
            "{\"goal\":1.05,\"moving\":7,\"pool\":\"shop\",\"sentence\":\"7 clients move.\","
                + "\"spread\":1.5}", 200
        ),
        (
            "GET", "/api/pools/shop/bindings",
            "{\"bindings\":[{\"address\":null,\"issued\":1000,"
                + "\"key\":\"00000000000000010000000000000002\",\"renewed\":1060,"
                + "\"server\":\"shop1\",\"way\":\"cookie\"}],\"count\":40,\"evictions\":2,"
                + "\"next\":17}", 200
        ),
    ])
    func `what a command comes to is told as JSON`(
        method: String,
        path: String,
        want: String,
        status: Int
    ) async throws {
        let answer = try await withAdmin { try await $0.command(method, path) }
        #expect(answer.status == status)
        #expect(answer.headers["content-type"] == "application/json")
        #expect(answer.body == want + "\n")
    }

    @Test(arguments: [
        ("POST", "/api/reload?file=x", "", 400, "unknown parameter file; there are none"),
        (
            "POST", "/api/pools/p/servers/s/drain?dedline=30m", "", 400,
            "unknown parameter dedline; known are deadline, rate"
        ),
        (
            "POST", "/api/pools/p/servers/s/drain?deadline=soon", "", 400,
            "deadline=soon is not a time such as 30m"
        ),
        (
            "POST", "/api/pools/p/servers/s/drain?rate=inf", "", 400,
            "rate=inf is not a rate such as 50/s"
        ),
        (
            "POST", "/api/pools/p/servers/s/drain", "{\"deadline\":\"30m\"}", 400,
            "this request has no body; what it says is in the query"
        ),
        (
            "DELETE", "/api/pools/p/servers/s?now=maybe", "", 400,
            "now=maybe is neither true nor false"
        ),
        ("POST", "/api/pools/p/rebalance?goal=x", "", 400, "goal=x is not a number"),
        ("GET", "/api/pools/p/bindings?limit=-1", "", 400, "limit=-1 is not a whole number"),
        ("GET", "/api/pools/p/bindings/find?way=header", "", 400, "the parameter value is missing"),
        ("PUT", "/api/pools/p/bindings/0a", "", 400, "the parameter server is missing"),
        (
            "PUT", "/api/pools/p/servers/s", "", 400,
            "the body must be a JSON object such as "
                + "{\"address\": \"10.0.0.13:3000\", \"weight\": 2}"
        ),
        (
            "PUT", "/api/pools/p/servers/s", "[1]", 400,
            "the body must be a JSON object such as "
                + "{\"address\": \"10.0.0.13:3000\", \"weight\": 2}"
        ),
        (
            "PUT", "/api/pools/p/servers/s", "{\"wieght\":2}", 400,
            "unknown key \"wieght\" in the body; known are name, address, weight, state, "
                + "maxConnections, generation"
        ),
        (
            "PUT", "/api/pools/p/servers/s", "{\"weight\":\"2\"}", 400,
            "weight in the body is of another kind than in "
                + "{\"address\": \"10.0.0.13:3000\", \"weight\": 2}"
        ),
        ("POST", "/api/nothing", "", 405, "only GET and HEAD are answered here"),
        ("GET", "/api/pools/p/nothing/s", "", 404, "there is no such page; / lists them"),
        ("GET", "/api/reload", "", 405, "POST is what is answered here"),
        ("PATCH", "/api/pools/p/servers/s", "{}", 405, "PUT, DELETE is what is answered here"),
    ])
    func `what can't be meant is refused, and nothing is done`(
        method: String,
        path: String,
        body: String,
        status: Int,
        sentence: String
    ) async throws {
        let source = FakeSource()
        let answer = try await withAdmin(source) {
            try await $0.command(method, path, body: body)
        }
        #expect(answer.status == status)
        struct Failure: Decodable { let error: String }
        let failure = try JSONDecoder().decode(Failure.self, from: Data(answer.body.utf8))
        #expect(failure.error == sentence)
        #expect(source.commands.isEmpty)
    }

    @Test func `a body beyond 64 KiB is refused`() async throws {
        let source = FakeSource()
        let name = String(repeating: "a", count: 70_000)
        let answer = try await withAdmin(source) {
            try await $0.command("PUT", "/api/pools/p/servers/s", body: "{\"name\":\"\(name)\"}")
        }
        #expect(answer.status == 413)
        #expect(source.commands.isEmpty)
    }

    // MARK: Who may ask

    /// What a page of another site can make a browser send: forms, and requests without headers of
    /// its own choice.
    @Test(arguments: [
        ["Origin: http://evil.example"],
        ["Origin: http://evil.example", "Content-Type: text/plain"],
        ["Origin: null", "Content-Type: application/x-www-form-urlencoded"],
        [],
    ])
    func `a page of another site changes nothing`(headers: [String]) async throws {
        for (method, path) in [
            ("POST", "/api/reload"), ("POST", "/api/pools/p/servers/s/drain"),
            ("DELETE", "/api/pools/p/servers/s"), ("PUT", "/api/pools/p/bindings/0a?server=s"),
        ] {
            let source = FakeSource()
            let answer = try await withAdmin(source) {
                try await $0.command(method, path, headers: headers)
            }
            #expect(answer.status == 403)
            #expect(source.commands.isEmpty)
            #expect(answer.headers.keys.allSatisfy { !$0.hasPrefix("access-control-") })
        }
    }

    @Test func `a browser that asks beforehand is told no`() async throws {
        let source = FakeSource()
        let answer = try await withAdmin(source) {
            try await $0.command(
                "OPTIONS",
                "/api/reload",
                headers: [
                    "Origin: http://evil.example", "Access-Control-Request-Method: POST",
                    "Access-Control-Request-Headers: belay-admin",
                ]
            )
        }
        #expect(answer.status == 405)
        #expect(answer.headers.keys.allSatisfy { !$0.hasPrefix("access-control-") })
        #expect(source.commands.isEmpty)
    }

    @Test func `a stranger's host name is refused before anything else`() async throws {
        let source = FakeSource()
        let answer = try await withAdmin(source) {
            try await $0.send("POST", "/api/reload", host: "evil.example", headers: [header])
        }
        #expect(answer.status == 421)
        #expect(source.commands.isEmpty)
    }
}

struct CommandTextTests {
    @Test(arguments: [
        ("30m", 1_800_000), ("90", 90_000), ("1.5h", 5_400_000), ("500ms", 500),
        ("2d", 172_800_000),
        ("0", 0), ("0s", 0), ("3650d", 315_360_000_000),
    ])
    func `a time has a unit, or is in seconds`(text: String, milliseconds: Int) {
        #expect(CommandText.span(text) == .milliseconds(Int64(milliseconds)))
    }

    @Test(arguments: [
        "", "m", "-1s", "+1s", "1e3s", "0x10s", "inf", "nan", "1 m", "1m30s", ".5h", "5.h",
        "1.2.3s",
        "3651d", "99999999999999999999", "30min", "١s",
    ])
    func `anything else is no time`(text: String) {
        #expect(CommandText.span(text) == nil)
    }

    @Test(arguments: [("50/s", 50), ("50", 50), ("0.5/s", 0.5), ("0", 0), ("1000000/s", 1_000_000)])
    func `a rate is a number in a second`(text: String, want: Double) {
        #expect(CommandText.rate(text) == want)
    }

    @Test(arguments: ["", "/s", "-1/s", "50/m", "nan", "inf/s", "1000001", "5 0"])
    func `anything else is no rate`(text: String) {
        #expect(CommandText.rate(text) == nil)
    }
}
