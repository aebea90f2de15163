import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
import BelayProxy
import BelayTelemetry
import BelayTransport
import Testing

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/// A new plan while connections are open.
@Suite struct ReloadTests {
    /// Servers of pools of their own: `pool0`, `pool1`, …; the routes lead to the first.
    private func apart(_ servers: Int = 2) -> Setup {
        var setup = Setup()
        setup.servers = servers
        setup.isApart = true
        return setup
    }

    @Test func `the next request on a kept connection follows the new routes`() throws {
        let stage = try Stage(self.apart())
        let client = try stage.connect()
        #expect(try stage.exchange(client) == 0)
        stage.replace { $0.routes[0].pool = 1 }
        #expect(try stage.exchange(client) == 1)
        stage.replace { $0.routes[0].pool = 0 }
        #expect(try stage.exchange(client) == 0)
        #expect(!stage[client].isOver)
    }

    @Test func `an exchange under way ends where it began, though its pool is gone`() throws {
        let stage = try Stage(self.apart())
        let client = try stage.connect()
        stage.send(client, get)
        let (slot, _) = try stage.request()
        stage.replace { plan in
            plan.routes[0].pool = 1
            plan.pools[0].isGone = true
        }
        stage.send(slot, ok)
        #expect(try stage.message(client).body == "ok")
        #expect(try stage.exchange(client) == 1)
        stage.waitUntilFree()
    }

    @Test func `a streamed answer goes on over many reloads`() throws {
        let stage = try Stage(self.apart())
        let client = try stage.connect()
        stage.send(client, get)
        let (slot, _) = try stage.request()
        stage.send(slot, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in 0..<10 {
            stage.replace { $0.routes[0].pool = number % 2 }
            stage.send(slot, "1\r\n\(number)\r\n")
        }
        stage.send(slot, "0\r\n\r\n")
        #expect(try stage.message(client).body == "0123456789")
    }

    @Test func `a server that has moved is connected to at its new address`() throws {
        let stage = try Stage(self.apart())
        let client = try stage.connect()
        #expect(try stage.exchange(client) == 0)
        let old = try #require(stage.peers.keys.first { stage[$0].server == 0 })
        stage.replace { $0.pools[0].servers[0].address = $0.pools[1].servers[0].address }
        stage.end(old)
        #expect(try stage.exchange(client) == 1)
    }

    @Test func `connections that are kept to a removed server are closed`() throws {
        let stage = try Stage(self.apart())
        let client = try stage.connect()
        #expect(try stage.exchange(client) == 0)
        let kept = try #require(stage.peers.keys.first { stage[$0].server == 0 })
        stage.plan.pools[0].table.setMembership(.removed, 0)
        stage.replace { $0.routes[0].pool = 1 }
        stage.end(kept)
        #expect(try stage.exchange(client) == 1)
    }

    @Test func `sessions of a removed server end with their streams`() throws {
        var setup = self.apart()
        setup.speaksHTTP2 = true
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, get)
        let (talker, id) = try stage.arrival()
        stage.plan.pools[0].table.setMembership(.removed, 0)
        stage.replace { $0.routes[0].pool = 1 }
        talker.ok(id)
        #expect(try stage.message(client).body == "ok")
        stage.end(talker.slot)
    }

    @Test func `a server that is added takes its share`() throws {
        var setup = Setup()
        setup.servers = 2
        setup.adjustPool = { pool in
            // The second server listens, and is not known yet.
            pool.servers.removeLast()
            pool.table = ServerPoolTable(
                weights: [.one],
                openMax: [0],
                ejection: EjectionPolicy(),
                capacity: 8
            )
            pool.tunnels = CounterTable(rows: 8, columns: 1)
            if let lookup = try? ServerLookup(pool.servers.map(\.name)) { pool.lookup = lookup }
            pool.balancer = Self.balancer(pool.servers)
        }
        let stage = try Stage(setup)
        let client = try stage.connect()
        for _ in 0..<3 { #expect(try stage.exchange(client) == 0) }
        let address = stage.serverAddresses[1]
        stage.replace { plan in
            guard let name = ServerName("late") else { return }
            var pool = plan.pools[0]
            pool.servers.append(ServerPlan(name: name, address: address))
            pool.table = pool.table.adding(weight: .one, openMax: 0) ?? pool.table
            pool.balancer = Self.balancer(pool.servers)
            pool.balancerVersion += 1
            plan.pools[0] = pool
        }
        var servers: [Int] = []
        for _ in 0..<6 { servers.append(try stage.exchange(client)) }
        #expect(servers.count { $0 == 1 } == 3)
    }

    private static func balancer(_ servers: [ServerPlan]) -> Balancer {
        Balancer(
            algorithm: .roundRobin,
            weights: servers.map { _ in .one },
            names: servers.map(\.name),
            loadBound: 1.25,
            seed: 0
        )
    }

    @Test func `limits and what a listener asks hold for open connections too`() throws {
        let stage = try Stage(self.apart())
        let client = try stage.connect()
        #expect(try stage.exchange(client) == 0)
        stage.replace { $0.listeners[0].redirectPort = 8443 }
        stage.send(client, "GET /x HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        let answer = try stage.message(client)
        #expect(answer.value("location") == "https://shop.example:8443/x")
        stage.replace { plan in
            plan.listeners[0].redirectPort = nil
            plan.limits.requestsPerConnection = 1
        }
        stage.send(client, get)
        stage.send(try stage.request().slot, ok)
        #expect(try stage.message(client).value("connection") == "close")
        stage.end(client)
    }

    @Test func `a new listener accepts, a closed one refuses, its connections go on`() throws {
        let stage = try Stage(self.apart())
        let client = try stage.connect()
        let socket = try Descriptor.listen(
            on: SocketAddress(ip: .loopbackV4, port: 0),
            backlog: 16
        )
        let address = try #require(socket.localAddress())
        var change = PlanChange(plan: stage.plan)
        change.plan.listeners.append(ListenerPlan(name: InternedText("second")))
        change.sockets = [WorkerSocket(listener: 1, socket: ListeningSocket(socket))]
        change.closing = [0]
        stage.take(change)
        #expect(!Descriptor.isListenedOn(stage.addresses[0]))
        #expect(try stage.exchange(client) == 0)
        let second = try stage.connect(at: address)
        #expect(try stage.exchange(second) == 0)
        // Back under its index, with another socket.
        let again = try Descriptor.listen(on: stage.addresses[0], backlog: 16)
        change.sockets = [WorkerSocket(listener: 0, socket: ListeningSocket(again))]
        change.closing = []
        stage.take(change)
        #expect(try stage.exchange(try stage.connect()) == 0)
    }

    @Test func `counters go on, and name what is new`() throws {
        let stage = try Stage(self.apart())
        let client = try stage.connect()
        for _ in 0..<3 { #expect(try stage.exchange(client) == 0) }
        stage.replace { $0.routes[0].pool = 1 }
        #expect(try stage.exchange(client) == 1)
        stage.watch("all are counted") {
            stage.metric("belay_route_exchanges_total{route=\"route0\"}") == 4
        }
        #expect(stage.store.exchanges(pool: 0, server: 0).ended == 3)
        #expect(stage.store.exchanges(pool: 1, server: 0).ended == 1)
    }
}

/// Another process accepts from the same sockets.
@Suite struct HandingOverTests {
    @Test func `kept connections end with their next answer, and nobody is refused`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        #expect(try stage.exchange(client) == 0)
        // Stands for the socket that the other process has.
        let other = try #require(stage.sockets.first).duplicate()
        defer { other.close() }
        stage.post(.retire(within: .seconds(60)))
        stage.settle()
        // It waits in the queue that the other process accepts from.
        let late = try stage.connect()
        stage.send(client, get)
        stage.send(try stage.request().slot, ok)
        #expect(try stage.message(client).value("connection") == "close")
        stage.end(client)
        stage.join()
        #expect(!stage[late].isOver)
    }

    @Test func `a tunnel stays open until its sides end it`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        let (slot, _) = try stage.request()
        stage.send(
            slot,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
        )
        _ = try stage.message(client, hasBody: false)
        stage.post(.retire(within: .seconds(60)))
        stage.settle()
        stage.send(client, "ping")
        stage.wait("the server has it") { stage.text(slot).hasSuffix("ping") }
        stage.send(slot, "pong")
        stage.wait("the client has it") { stage.text(client).hasSuffix("pong") }
        stage.close(client)
        stage.end(slot)
        stage.close(slot)
        stage.join()
    }

    @Test func `a stop shortens what a handing over left`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, get)
        let (slot, _) = try stage.request()
        stage.post(.retire(within: .hours(1)))
        stage.settle()
        stage.post(.stop(within: .milliseconds(20)))
        stage.end(client)
        stage.end(slot)
        stage.join()
    }
}

extension Stage {
    /// Puts a plan in the place of the worker's, and waits until it follows it.
    func replace(_ change: (inout ProxyPlan) -> Void) {
        var next = PlanChange(plan: self.latest ?? self.plan)
        change(&next.plan)
        self.take(next)
    }

    func take(_ change: PlanChange) {
        self.latest = change.plan
        let taken = Semaphore()
        var change = change
        change.whenTaken = { taken.post() }
        self.post(.replacePlan(change))
        #expect(taken.wait(nanoseconds: 10_000_000_000))
    }

    /// A whole exchange on a client's connection: which server it went to.
    func exchange(
        _ client: Int,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Int {
        self.send(client, get)
        let (slot, _) = try self.request(sourceLocation: sourceLocation)
        let server = try #require(self[slot].server, sourceLocation: sourceLocation)
        self.send(slot, ok)
        let answer = try self.message(client, sourceLocation: sourceLocation)
        #expect(answer.body == "ok", sourceLocation: sourceLocation)
        return server
    }
}
