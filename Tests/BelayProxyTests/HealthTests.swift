import BelayBalancing
import BelayCore
import BelayProxy
import BelayTransport
import Testing

/// Servers that are checked by connecting to them.
@Suite struct HealthTests {
    private static func setup(_ count: Int = 2) -> Setup {
        var setup = Setup()
        setup.servers = 2
        setup.adjustPool = {
            $0.health = HealthCheckPlan(
                interval: .milliseconds(1),
                timeout: .seconds(5),
                fall: count,
                rise: count
            )
        }
        return setup
    }

    private func isTold(_ stage: Stage, isUp: Bool, _ server: Int) -> Bool {
        stage.notices.all.contains { notice in
            switch notice {
            case .checkedDown(0, server): !isUp
            case .checkedUp(0, server): isUp
            default: false
            }
        }
    }

    @Test func `a server that refuses is found down, and gets no request`() throws {
        var setup = Self.setup()
        setup.refusing = [0]
        setup.retries = 0
        let stage = try Stage(setup)
        stage.watch("it is found down") { self.isTold(stage, isUp: false, 0) }
        #expect(stage.plan.pools[0].table.isDown(0))
        #expect(!stage.plan.pools[0].table.isDown(1))
        let client = try stage.connect()
        for _ in 0..<4 {
            stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let (server, _) = try stage.request()
            #expect(stage[server].server == 1)
            stage.reply(.text(server))
            #expect(try stage.message(client).status == 200)
        }
        // One that accepts gives no notice.
        #expect(!self.isTold(stage, isUp: true, 1))
    }

    @Test func `a server that accepts again is found up`() throws {
        let stage = try Stage(Self.setup())
        stage.plan.pools[0].table.setDown(true, 0)
        stage.watch("it is found up") { self.isTold(stage, isUp: true, 0) }
        #expect(!stage.plan.pools[0].table.isDown(0))
    }

    @Test func `where all are down a request is told that none can take it`() throws {
        var setup = Self.setup(1)
        setup.refusing = [0, 1]
        let stage = try Stage(setup)
        stage.watch("both are found down") {
            stage.plan.pools[0].table.isDown(0) && stage.plan.pools[0].table.isDown(1)
        }
        let client = try stage.connect()
        stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try stage.message(client).status == 503)
    }

    @Test func `checks are no requests, and leave nothing behind`() throws {
        let stage = try Stage(Self.setup())
        var known: Set<Int> = []
        stage.wait("each server is checked twice") {
            for (slot, peer) in stage.peers where peer.server != nil { known.insert(slot) }
            return (0..<2).allSatisfy { server in
                known.count { stage[$0].server == server && stage[$0].isOver } >= 2
            }
        }
        for slot in known { #expect(stage[slot].received.isEmpty) }
        stage.waitUntilFree()
        #expect(stage.metric("belay_exchanges_total{ending=\"done\"}") == 0)
    }
}
