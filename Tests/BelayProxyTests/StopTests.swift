import BelayBalancing
import BelayBytes
import BelayCore
import BelayPersistence
import BelayProxy
import Testing

@Suite struct StopTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test func `a graceful stop finishes what runs`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, Self.get)
        let (slot, _) = try stage.request()
        stage.post(.stop(within: .seconds(60)))
        stage.settle()
        stage.send(slot, Self.ok)
        let answer = try stage.message(client)
        #expect(answer.body == "ok")
        #expect(answer.value("connection") == "close")
        stage.end(client)
        #expect(!stage[client].isCut)
        stage.join()
        #expect(stage.shared.openConnections == 0)
    }

    @Test func `a request that comes during a graceful stop is the connection's last`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, Self.get)
        let (slot, _) = try stage.request()
        stage.send(slot, Self.ok)
        _ = try stage.message(client)
        // An idle connection would be closed after a while; this one has begun a request.
        stage.send(client, "GET / HT")
        stage.settle()
        stage.post(.stop(within: .seconds(60)))
        stage.settle()
        stage.send(client, "TP/1.1\r\nHost: a\r\n\r\n")
        stage.send(try stage.request().slot, Self.ok)
        #expect(try stage.message(client).value("connection") == "close")
        stage.end(client)
        stage.join()
    }

    @Test(arguments: [true, false])
    func `a connection whose answer has begun before the stop is told by the next one`(
        isRetired: Bool
    ) throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, Self.get)
        let (slot, _) = try stage.request()
        stage.send(slot, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        stage.settle()
        stage.post(isRetired ? .retire(within: .seconds(60)) : .stop(within: .seconds(60)))
        stage.settle()
        stage.send(slot, "k")
        #expect(try stage.message(client).value("connection") == nil)
        stage.send(client, Self.get)
        stage.send(try stage.request().slot, Self.ok)
        #expect(try stage.message(client).value("connection") == "close")
        stage.end(client)
        stage.join()
    }

    @Test func `the time of a graceful stop is a limit`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, Self.get)
        let (slot, _) = try stage.request()
        stage.post(.stop(within: .milliseconds(20)))
        stage.end(client)
        stage.end(slot)
        stage.join()
    }

    @Test func `a stop at once cuts what runs`() throws {
        let stage = try Stage()
        let (busy, idle) = (try stage.connect(), try stage.connect())
        stage.send(busy, Self.get)
        let (slot, _) = try stage.request()
        stage.send(slot, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        stage.wait("the half arrives") { stage.text(busy).hasSuffix("half") }
        stage.post(.stopNow)
        for connection in [busy, idle, slot] { stage.end(connection) }
        #expect(stage[busy].isCut)
        stage.join()
        #expect(stage.shared.openConnections == 0)
    }
}

@Suite struct BindingTests {
    private func setup() throws -> Setup {
        var setup = Setup()
        setup.servers = 4
        setup.persistence = try PersistenceSettings()
        setup.keyRing = try KeyRing.generate()
        return setup
    }

    /// One exchange on a connection of its own: the server that got it, the cookie that came back.
    private func exchange(_ stage: Stage, cookie: String?) throws -> (Int, String?) {
        let client = try stage.connect()
        defer { stage.close(client) }
        let line = cookie.map { "Cookie: a=b; \($0); c=d\r\n" } ?? ""
        stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\n")
        let (slot, request) = try stage.request()
        #expect(!request.head.contains("belay="), "a server has no use for a binding")
        if cookie != nil { #expect(request.value("cookie") == "a=b; c=d") }
        stage.send(slot, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        let answer = try stage.message(client)
        let value = answer.value("set-cookie")?.split(separator: ";").first
        return (try #require(stage[slot].server), value.map { String($0) })
    }

    @Test func `a client goes back to the server that it is bound to`() throws {
        let stage = try Stage(try self.setup())
        let (server, cookie) = try self.exchange(stage, cookie: nil)
        let binding = try #require(cookie)
        for _ in 0..<6 {
            let (again, fresh) = try self.exchange(stage, cookie: binding)
            #expect(again == server)
            #expect(fresh == nil, "a binding that is fresh is not sealed anew")
        }
    }

    @Test func `a binding stays while its server drains and moves once when it is gone`() throws {
        let stage = try Stage(try self.setup())
        let (server, cookie) = try self.exchange(stage, cookie: nil)
        let table = stage.plan.pools[0].table
        table.setAdminState(.draining, server)
        #expect(try self.exchange(stage, cookie: cookie).0 == server)
        table.setAdminState(.maintenance, server)
        let (next, moved) = try self.exchange(stage, cookie: cookie)
        #expect(next != server)
        #expect(try self.exchange(stage, cookie: cookie).0 == next, "whoever asks")
        table.setAdminState(.ready, server)
        #expect(try self.exchange(stage, cookie: moved).0 == next)
    }

    @Test(arguments: [
        "belay=", "belay=x", "belay=%00", "belay=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ])
    func `a cookie that is not ours counts as none`(cookie: String) throws {
        let stage = try Stage(try self.setup())
        let (_, fresh) = try self.exchange(stage, cookie: cookie)
        #expect(fresh?.hasPrefix("belay=") == true)
    }

    @Test func `an explanation is the decision itself`() throws {
        let stage = try Stage(try self.setup())
        let (server, cookie) = try self.exchange(stage, cookie: nil)
        let head = "GET / HTTP/1.1\r\nHost: a\r\nCookie: \(try #require(cookie))\r\n\r\n"
        let bound = try #require(stage.explain(head))
        #expect(bound.server == server)
        #expect(bound.rule == .binding)
        #expect(bound.persistence == .valid)
        #expect(bound.candidates.count == 4)
        stage.plan.pools[0].table.setAdminState(.maintenance, server)
        let moved = try #require(stage.explain(head))
        #expect(moved.server == (try self.exchange(stage, cookie: cookie).0))
        #expect(moved.rule == .redispatch)
        #expect(moved.persistence == .serverMaintenance)
        #expect(moved.candidates[server].passOver == .maintenance)
        let refused = try #require(stage.explain("GET / HTTP/1.1\r\n\r\n"))
        #expect(refused.server == nil)
        #expect(refused.reason.contains("refused"))
    }
}
