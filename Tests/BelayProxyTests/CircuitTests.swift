import BelayBalancing
import BelayCore
import BelayProxy
import Testing

/// What a pool in trouble is spared: more requests than it may have, and retries without end.
@Suite struct CircuitTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    private static let get = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n"

    @Test func `a pool takes no more requests at once than its servers may have together`() throws {
        var setup = Setup()
        setup.servers = 2
        setup.adjustPool = { $0.requestsMax = 2 }
        let stage = try Stage(setup)
        let clients = try (0..<3).map { _ in try stage.connect() }
        stage.send(clients[0], Self.get)
        let first = try stage.request().slot
        stage.send(clients[1], Self.get)
        let second = try stage.request().slot
        stage.send(clients[2], Self.get)
        let refusal = try stage.message(clients[2])
        #expect(refusal.status == 503)
        #expect(refusal.body.contains("pool-full"))
        stage.send(first, Self.ok)
        #expect(try stage.message(clients[0]).status == 200)
        stage.send(clients[2], Self.get)
        stage.send(try stage.request().slot, Self.ok)
        #expect(try stage.message(clients[2]).status == 200)
        stage.send(second, Self.ok)
        #expect(try stage.message(clients[1]).status == 200)
        stage.settle()
        #expect(stage.plan.pools[0].table.openInPool == 0)
    }

    @Test func `with the budget for retries used up a failure is told`() throws {
        var setup = Setup()
        setup.servers = 3
        setup.retries = 2
        setup.adjustPool = {
            $0.retryBudget = 0
            $0.retriesMin = 1
        }
        let stage = try Stage(setup)
        let clients = try (0..<2).map { _ in try stage.connect() }
        stage.send(clients[0], Self.get)
        stage.close(try stage.request().slot, cutting: true)
        // The first one's second attempt is under way, and all that is allowed.
        let retry = try stage.request().slot
        stage.send(clients[1], Self.get)
        stage.close(try stage.request().slot, cutting: true)
        #expect(try stage.message(clients[1]).status == 502)
        // A third attempt of the first one is no retry more.
        stage.close(retry, cutting: true)
        stage.send(try stage.request().slot, Self.ok)
        #expect(try stage.message(clients[0]).status == 200)
        // With its answer the budget is free again.
        stage.send(clients[1], Self.get)
        stage.close(try stage.request().slot, cutting: true)
        stage.send(try stage.request().slot, Self.ok)
        #expect(try stage.message(clients[1]).status == 200)
        stage.settle()
        let table = stage.plan.pools[0].table
        #expect(table.retryBegan(budget: 0, min: 1))
        #expect(!table.retryBegan(budget: 0, min: 1))
    }

    @Test func `a refused connection costs its server nothing, and no budget`() throws {
        var setup = Setup()
        setup.servers = 2
        setup.retries = 1
        setup.refusing = [0]
        setup.adjustPool = {
            $0.retryBudget = 0
            $0.retriesMin = 0
        }
        let stage = try Stage(setup)
        let client = try stage.connect()
        for _ in 0..<2 {
            stage.send(client, Self.get)
            stage.send(try stage.request().slot, Self.ok)
            #expect(try stage.message(client).status == 200)
        }
    }
}
