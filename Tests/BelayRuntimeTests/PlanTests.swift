import BelayBalancing
import BelayBytes
import BelayCore
import BelayPersistence
import BelayProxy
import BelayRuntime
import BelaySettings
import BelayTelemetry
import Foundation
import Logging
import Testing

/// Settings that follow each other, as reloads make plans of them.
private struct Steps {
    private(set) var planned: Planned?
    private(set) var names: TelemetryNames?
    let directory: String
    var isEdit = false
    var free: [Int: [Int]] = [:]

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(
            "belay-plans-\(UUID().uuidString)"
        )
        self.directory = url.path
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    func end() { try? FileManager.default.removeItem(atPath: self.directory) }

    func settings(_ text: String) throws -> Settings {
        let top = "state-directory: \(self.directory)\nadmin: off\n"
        let (settings, problems) = SettingsFile.load(text: top + text, file: "a.yaml")
        #expect(problems.isEmpty)
        return try #require(settings)
    }

    func planned(_ settings: Settings) throws -> Planned {
        var builder = PlanBuilder(settings: settings, logger: Logger(label: "test"))
        builder.isEdit = self.isEdit
        builder.free = self.free
        return try builder.planned(connectionsMax: 1000, after: self.planned)
    }

    @discardableResult
    mutating func take(_ text: String) throws -> Planned {
        try self.take(try self.settings(text))
    }

    @discardableResult
    mutating func take(_ settings: Settings) throws -> Planned {
        let next = try self.planned(settings)
        let now = Instant(nanoseconds: 1_000_000_000)
        self.names = next.names(after: self.names)
        for change in next.changes + next.lateChanges { change(now) }
        self.planned = next
        return next
    }

    func pool(_ name: String) throws -> PoolPlan {
        try #require(self.planned?.plan.pools.first { $0.name.rawValue == name })
    }

    func server(_ name: String, of pool: String = "shop") throws -> Int {
        try #require(try self.pool(pool).servers.firstIndex { $0.name.rawValue == name })
    }
}

private func pool(_ servers: String..., more: String = "") -> String {
    let list = servers.enumerated().map { index, server in
        server.contains("{")
            ? "- \(server)" : "- { name: \(server), address: \"10.0.0.\(index + 1):80\" }"
    }
    let lines = list.map { "      " + $0 }.joined(separator: "\n")
    return "pools:\n  shop:\n    removal: now\n\(more)    servers:\n\(lines)\n"
}

@Suite struct PlanTests {
    @Test func `servers keep their indices whatever the order, and new ones come behind`() throws {
        var steps = try Steps()
        defer { steps.end() }
        try steps.take(pool("a", "b", "c"))
        #expect(try steps.pool("shop").servers.map(\.name.rawValue) == ["a", "b", "c"])
        let table = try steps.pool("shop").table
        _ = table.requestOpened(1)
        table.setDown(true, 1)
        try steps.take(pool("d", #"{ name: b, address: "10.0.0.2:80" }"#, "a"))
        #expect(try steps.pool("shop").servers.map(\.name.rawValue) == ["a", "b", "c", "d"])
        let after = try steps.pool("shop").table
        #expect(after.openRequests(1) == 1)
        #expect(after.isDown(1))
        #expect(after.membership(2) == .removed)
        #expect([0, 1, 3].allSatisfy { after.membership($0) == .present })
        #expect(after.isStarting(3, at: Instant(nanoseconds: 1_000_000_001)))
        #expect(!after.isStarting(1, at: Instant(nanoseconds: 1_000_000_001)))
    }

    @Test func `a server that comes back has its place, and no old health`() throws {
        var steps = try Steps()
        defer { steps.end() }
        try steps.take(pool("a", "b"))
        try steps.pool("shop").table.setDown(true, 1)
        try steps.take(pool("a"))
        let planned = try steps.take(pool("a", "b"))
        #expect(try steps.server("b") == 1)
        #expect(try !steps.pool("shop").table.isDown(1))
        #expect(try steps.pool("shop").table.membership(1) == .present)
        #expect(planned.news == ["shop/b is back, at 10.0.0.2:80"])
    }

    @Test func `a removed server leaves first where the pool says so`() throws {
        var steps = try Steps()
        defer { steps.end() }
        let text = pool("a", "b").replacing("removal: now", with: "removal: drain")
        try steps.take(text)
        let planned = try steps.take(pool("a").replacing("removal: now", with: "removal: drain"))
        #expect(planned.leaving == [ServerPlace(pool: 0, server: 1)])
        #expect(try steps.pool("shop").table.membership(1) == .leaving)
        try steps.take(text)
        #expect(try steps.pool("shop").table.membership(1) == .present)
    }

    @Test func `a changed address is the same server, whose health is not known`() throws {
        var steps = try Steps()
        defer { steps.end() }
        try steps.take(pool("a", "b"))
        let id = try steps.pool("shop").servers[1].id
        try steps.pool("shop").table.setDown(true, 1)
        try steps.take(pool("a", #"{ name: b, address: "10.0.9.9:81" }"#))
        #expect(try steps.pool("shop").servers[1].id == id)
        #expect(try "\(steps.pool("shop").servers[1].address)" == "10.0.9.9:81")
        #expect(try !steps.pool("shop").table.isDown(1))
    }

    @Test func `another generation is another server to its clients`() throws {
        var steps = try Steps()
        defer { steps.end() }
        try steps.take(pool("a", "b"))
        let id = try steps.pool("shop").servers[1].id
        try steps.take(pool("a", #"{ name: b, address: "10.0.0.2:80", generation: 1 }"#))
        let plan = try steps.pool("shop")
        #expect(plan.servers.count == 2)
        #expect(plan.servers[1].id != id)
        #expect(plan.lookup.index(of: id) == nil)
        #expect(plan.lookup.index(of: plan.servers[1].id) == 1)
    }

    @Test func `what a command set holds until the file says something else`() throws {
        var steps = try Steps()
        defer { steps.end() }
        try steps.take(pool("a", "b"))
        try steps.pool("shop").table.setAdminState(.draining, 1)
        try steps.take(pool("a", "b", "c"))
        #expect(try steps.pool("shop").table.adminState(1) == .draining)
        try steps.take(pool("a", #"{ name: b, address: "10.0.0.2:80", state: maintenance }"#))
        #expect(try steps.pool("shop").table.adminState(1) == .maintenance)
        try steps.take(pool("a", "b"))
        #expect(try steps.pool("shop").table.adminState(1) == .ready)
    }

    @Test func `a balancer is made anew only for other servers, weights or algorithms`() throws {
        var steps = try Steps()
        defer { steps.end() }
        try steps.take(pool("a", "b"))
        let first = try steps.pool("shop").balancerVersion
        try steps.take(pool("a", "b", more: "    retries: 1\n"))
        #expect(try steps.pool("shop").balancerVersion == first)
        try steps.take(pool("a", "b", more: "    balance: round-robin\n"))
        #expect(try steps.pool("shop").balancerVersion == first + 1)
        try steps.take(pool("a", "b", "c", more: "    balance: round-robin\n"))
        #expect(try steps.pool("shop").balancerVersion == first + 2)
    }

    @Test func `tables stay, and are not made again`() throws {
        var steps = try Steps()
        defer { steps.end() }
        try steps.take(pool("a"))
        try steps.pool("shop").tunnels.add(1, 0, 0)
        try steps.pool("shop").queue.add(1, 0, 0)
        try steps.take(pool("a", "b"))
        #expect(try steps.pool("shop").tunnels.load(0, 0) == 1)
        #expect(try steps.pool("shop").queue.load(0, 0) == 1)
    }

    @Test func `pools and routes keep their numbers in any order`() throws {
        var steps = try Steps()
        defer { steps.end() }
        func file(_ pools: [String], _ routes: [String]) -> String {
            let all = pools.map { "  \($0): { servers: [\"10.0.0.1:80\"] }\n" }.joined()
            let list = routes.map { "  - { match: { path: /\($0) }, pool: \($0), name: \($0) }\n" }
            return "routes:\n\(list.joined())pools:\n\(all)"
        }
        try steps.take(file(["a", "b"], ["a", "b"]))
        let planned = try steps.take(file(["c", "b"], ["c", "b"]))
        #expect(planned.plan.pools.map(\.name.rawValue) == ["a", "b", "c"])
        #expect(planned.plan.pools.map(\.isGone) == [true, false, false])
        #expect(planned.plan.routes.map(\.number) == [2, 1])
        #expect(planned.plan.routes.map(\.pool) == [2, 1])
        #expect(planned.routeNames.map(\.text) == ["a", "b", "c"])
        let back = try steps.take(file(["a"], ["a"]))
        #expect(back.plan.pools.map(\.isGone) == [false, true, true])
        #expect(back.plan.routes.map(\.number) == [0])
    }

    @Test func `a place is another server's only when it is free, and says nothing old`() throws {
        var steps = try Steps()
        defer { steps.end() }
        try steps.take(pool("a", "b"))
        let table = try steps.pool("shop").table
        _ = table.requestOpened(1)
        table.requestClosed(1)
        try steps.take(pool("a"))
        try steps.take(pool("a", "c"))
        #expect(try steps.server("c") == 2)
        steps.free = [0: [1]]
        let planned = try steps.take(pool("a", "c", "d"))
        #expect(try steps.server("d") == 1)
        #expect(planned.recycled == [ServerPlace(pool: 0, server: 1)])
        #expect(try steps.pool("shop").table.requests(1) == 0)
        #expect(try steps.pool("shop").table.membership(1) == .present)
        // One that was there before does not come back into a place that is taken.
        steps.free = [:]
        try steps.take(pool("a", "c", "d", "b"))
        #expect(try steps.server("b") == 3)
    }

    @Test func `a server that comes back is not put into another's place`() throws {
        var steps = try Steps()
        defer { steps.end() }
        try steps.take(pool("a", "b", "c"))
        try steps.take(pool("a"))
        steps.free = [0: [1, 2]]
        try steps.take(pool("a", "d", "b"))
        #expect(try steps.server("b") == 1)
        #expect(try steps.server("d") == 2)
    }

    @Test func `a mistake changes nothing`() throws {
        var steps = try Steps()
        defer { steps.end() }
        try steps.take(pool("a", "b"))
        let table = try steps.pool("shop").table
        let wrong = try steps.settings(
            "error-pages: /nowhere/at/all\n" + pool("a", #"{ name: c, address: "10.0.0.3:80" }"#)
        )
        #expect(throws: StartError.self) { try steps.planned(wrong) }
        #expect(table.membership(1) == .present)
        #expect(try steps.pool("shop").servers.count == 2)
    }

    @Test func `listeners keep their indices, and come back with another`() throws {
        var steps = try Steps()
        defer { steps.end() }
        func file(_ ports: [Int]) -> String {
            let list = ports.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", ")
            return "listeners: [\(list)]\n" + pool("a")
        }
        let first = try steps.take(file([8001, 8002]))
        #expect(first.newListeners.map(\.index) == [0, 1])
        let second = try steps.take(file([8002, 8003]))
        #expect(second.newListeners.map(\.index) == [2])
        #expect(second.closedListeners == [0])
        let third = try steps.take(file([8001, 8002, 8003]))
        #expect(third.closedListeners.isEmpty)
        #expect(third.newListeners.map(\.listener.address.port) == [8001])
    }

    @Test func `a pool may be without servers for a while`() throws {
        var steps = try Steps()
        defer { steps.end() }
        var settings = try steps.settings(pool("a"))
        settings.pools[0].servers = []
        try steps.take(settings)
        #expect(try steps.pool("shop").table.membership(0) == .removed)
        try steps.take(pool("a"))
        #expect(try steps.server("a") == 1)
    }

    @Test func `names of what is gone are not shown, and rows stay`() throws {
        var steps = try Steps()
        defer { steps.end() }
        try steps.take(pool("a", "b"))
        let first = try #require(steps.names)
        let store = MetricsStore(names: first, workers: 1)
        store.workers[0].count(ServerCounter.retries, pool: 0, server: 1)
        let servers = (0..<200).map { "s\($0)" }
        let many =
            "pools:\n  shop:\n    removal: now\n    servers:\n"
            + servers.map { "      - { name: \($0), address: \"10.1.0.1:80\" }\n" }.joined()
        try steps.take(many)
        let names = try #require(steps.names)
        let grown = try #require(store.with(names))
        grown.workers[0].count(ServerCounter.retries, pool: 0, server: 199)
        #expect(grown.names.pools[0].areGone.prefix(3) == [true, true, false])
        #expect(grown.names.pools[0].servers.count == 202)
    }
}

@Suite struct ServerOverlayTests {
    private let shop = PoolName("shop")

    private func settings(_ text: String) throws -> Settings {
        let (settings, problems) = SettingsFile.load(text: text, file: "a.yaml")
        #expect(problems.isEmpty)
        return try #require(settings)
    }

    private func server(_ name: String, _ port: UInt16 = 80) throws -> Settings.Server {
        let address = Settings.ServerAddress(host: "10.9.0.1", port: port)
        return Settings.Server(name: try #require(ServerName(name)), address: address)
    }

    private func names(_ settings: Settings) -> [String] {
        settings.pools[0].servers.map(\.name.rawValue)
    }

    @Test func `changes outlive a reload of the same file`() throws {
        let shop = try #require(self.shop)
        let (a, b) = (try #require(ServerName("a")), try #require(ServerName("b")))
        let file = try self.settings(pool("a", "b"))
        var overlay = ServerOverlay()
        overlay.note(
            [.add(try self.server("c")), .setWeight(a, .zero), .remove(b)],
            in: shop,
            by: .admin
        )
        #expect(self.names(overlay.applied(to: file)) == ["a", "c"])
        overlay.follow(from: file, to: file)
        let applied = overlay.applied(to: file)
        #expect(self.names(applied) == ["a", "c"])
        #expect(applied.pools[0].servers[0].weight == .zero)
    }

    @Test func `the file has the last word where it says something new`() throws {
        let shop = try #require(self.shop)
        let a = try #require(ServerName("a"))
        let file = try self.settings(pool("a", "b"))
        var overlay = ServerOverlay()
        overlay.note([.setWeight(a, .zero), .setState(a, .draining)], in: shop, by: .admin)
        let next = try self.settings(pool(#"{ name: a, address: "10.0.0.1:80", weight: 3 }"#, "b"))
        overlay.follow(from: file, to: next)
        let server = overlay.applied(to: next).pools[0].servers[0]
        #expect(server.weight == Weight(3))
        #expect(server.state == .draining)
    }

    @Test func `each origin replaces its own servers only`() throws {
        let shop = try #require(self.shop)
        let file = try self.settings(pool("a"))
        var overlay = ServerOverlay()
        overlay.note([.add(try self.server("x"))], in: shop, by: .admin)
        overlay.note(
            [.replaceAll([try self.server("d1"), try self.server("d2")])],
            in: shop,
            by: .discovery("dns shop.internal")
        )
        #expect(self.names(overlay.applied(to: file)) == ["a", "x", "d1", "d2"])
        overlay.note(
            [.replaceAll([try self.server("d2"), try self.server("a")])],
            in: shop,
            by: .discovery("dns shop.internal")
        )
        // A name that the file has stays the file's.
        #expect(self.names(overlay.applied(to: file)) == ["a", "x", "d2"])
        #expect("\(overlay.applied(to: file).pools[0].servers[0].address.host)" == "10.0.0.1")
    }

    @Test func `a removed server may be added again`() throws {
        let shop = try #require(self.shop)
        let b = try #require(ServerName("b"))
        let file = try self.settings(pool("a", "b"))
        var overlay = ServerOverlay()
        overlay.note([.remove(b)], in: shop, by: .admin)
        #expect(self.names(overlay.applied(to: file)) == ["a"])
        overlay.note([.add(try self.server("b", 8080))], in: shop, by: .admin)
        let servers = overlay.applied(to: file).pools[0].servers
        #expect(servers.map(\.name.rawValue) == ["a", "b"])
        #expect(servers[1].address.port == 8080)
    }
}
