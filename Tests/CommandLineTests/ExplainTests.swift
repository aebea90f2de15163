import ArgumentParser
import BelayAdmin
import BelayCore
import Testing
import belay

@Suite struct ExplainTests {
    @Test func `the options are the question`() throws {
        let command = try ExplainCommand.parse([
            "--host", "shop.example.com:8080", "--path", "/a b?c=d", "--method", "PUT",
            "--cookie", "belay=1", "--cookie", "x=2", "--header", "X-A:  b ", "--from", "::1",
        ])
        let query =
            "method=PUT&host=shop.example.com%3A8080&path=%2Fa%20b%3Fc%3Dd&from=%3A%3A1"
            + "&cookie=belay%3D1%3B%20x%3D2&header=X-A%3A%20b"
        #expect(try command.question().query == query)
    }

    @Test(
        arguments: [
            ([], "127.0.0.1:9900"), (["--admin", ":1"], "127.0.0.1:1"),
            (["--admin", "localhost:2"], "127.0.0.1:2"), (["--admin", "[::1]:3"], "[::1]:3"),
        ]
    )
    func `the admin address may be short`(arguments: [String], want: String) throws {
        let command = try ExplainCommand.parse(["--host", "a"] + arguments)
        #expect(try command.admin.address().description == want)
    }

    @Test func `a decision reads as a table`() throws {
        func server(
            _ name: String,
            _ address: UInt32,
            _ state: AdminState,
            _ open: Int,
            _ passedOver: PassOver
        ) throws -> ExplainAnswer.Candidate {
            ExplainAnswer.Candidate(
                server: name,
                address: SocketAddress(ip: IPAddress(v4: address), port: 3000),
                state: state,
                health: .up,
                weight: .one,
                openRequests: open,
                passedOver: passedOver
            )
        }
        let answer = ExplainAnswer(
            route: "*/",
            pool: "shop",
            persistence: .serverMaintenance,
            rule: .redispatch,
            server: "shop2",
            reason: "the bound server is in maintenance",
            candidates: [
                try server("shop1", 0x0A00_0001, .maintenance, 0, .maintenance),
                try server("shop2", 0x0A00_0016, .ready, 123, .no),
            ]
        )
        let want = """
            route        */
            pool         shop
            persistence  server-maintenance: bound to a server in maintenance
            rule         redispatch
            server       shop2
            because      the bound server is in maintenance

               server  address         state        health  weight  open  passed over
               shop1   10.0.0.1:3000   maintenance  up           1     0  maintenance
            →  shop2   10.0.0.22:3000  ready        up           1   123

            """
        #expect(DecisionTable(answer).text == want)
    }

    @Test func `a decision for nobody has no table of servers`() {
        let answer = ExplainAnswer(
            route: nil,
            pool: nil,
            persistence: .off,
            rule: .none,
            server: nil,
            reason: "no route matches \u{1B}[2J",
            candidates: []
        )
        let want = """
            route        none
            pool         none
            persistence  off: the pool binds nobody
            rule         none
            server       none
            because      no route matches \u{FFFD}[2J

            """
        #expect(DecisionTable(answer).text == want)
    }
}

@Suite struct AdminMessageTests {
    private let address = SocketAddress(ip: .loopbackV4, port: 9900)

    @Test func `the question is a request of one line and five fields`() {
        let request = AdminRequest(path: "/api/explain?host=a", to: self.address)
        let want =
            "GET /api/explain?host=a HTTP/1.1\r\nHost: 127.0.0.1:9900\r\n"
            + "Accept: application/json\r\nUser-Agent: belay\r\nConnection: close\r\n\r\n"
        #expect(String(decoding: request.bytes, as: UTF8.self) == want)
    }

    @Test func `a request that changes something says that it comes from no browser`() {
        let request = AdminRequest(
            "PUT",
            path: "/api/pools/a/servers/b",
            to: self.address,
            body: Array("{}".utf8)
        )
        let want =
            "PUT /api/pools/a/servers/b HTTP/1.1\r\nHost: 127.0.0.1:9900\r\n"
            + "Accept: application/json\r\nUser-Agent: belay\r\nConnection: close\r\n"
            + "Belay-Admin: 1\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
        #expect(String(decoding: request.bytes, as: UTF8.self) == want)
    }

    @Test(
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "{}"),
            ("HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\n{}trailing", "{}"),
            ("HTTP/1.1 200 OK\r\n\r\n{}", "{}"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
                "{}"
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""),
        ]
    )
    func `a body is found whichever way its end is told`(answer: String, want: String) throws {
        let body = try AdminAnswer(parsing: Array(answer.utf8)).successfulBody()
        #expect(String(decoding: body, as: UTF8.self) == want)
    }

    @Test(
        arguments: [
            ("", .notBelay), ("SSH-2.0\r\n", .notBelay), ("HTTP/1.1 20", .cutShort),
            ("HTTP/1.1 OK\r\n\r\n", .notBelay), ("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", .notBelay),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", .cutShort),
            ("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n{}", .notBelay),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .cutShort),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n", .cutShort),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n", .notBelay),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n{}\r\n",
                .cutShort
            ),
            ("HTTP/1.1 404 Not Found\r\n\r\n<html>", .notBelay),
            (
                "HTTP/1.1 400 Bad Request\r\n\r\n{\"error\":\"host is missing\"}",
                .refused(status: 400, "host is missing")
            ),
        ] as [(String, AdminCallError)]
    )
    func `what is no answer of Belay's is named`(answer: String, want: AdminCallError) {
        #expect(throws: want) {
            try AdminAnswer(parsing: Array(answer.utf8)).successfulBody()
        }
    }

    @Test func `every prefix of an answer is judged`() {
        let answer = Array(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n".utf8
        )
        for end in answer.indices {
            let prefix = Array(answer[..<end])
            #expect(throws: AdminCallError.self) { try AdminAnswer(parsing: prefix) }
        }
    }

    @Test(
        arguments: [
            (
                .noConnection("connection refused"),
                "no Belay answers on 127.0.0.1:9900 (connection refused); is it running, with "
                    + "admin on this address?"
            ),
            (.timedOut, "the Belay on 127.0.0.1:9900 did not answer in time"),
            (.cutShort, "the answer of 127.0.0.1:9900 ended too early"),
            (.tooLarge, "the answer of 127.0.0.1:9900 is too large to be Belay's"),
            (.notBelay, "what listens on 127.0.0.1:9900 is not a Belay's admin address"),
            (.refused(status: 503, "starting\u{7}"), "starting\u{FFFD}"),
        ] as [(AdminCallError, String)]
    )
    func `an operator reads what went wrong`(error: AdminCallError, want: String) {
        #expect(error.sentence(for: self.address) == want)
    }
}
