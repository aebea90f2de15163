import BelayCore
import BelayRuntime
import BelaySettings
import Foundation
import Testing

/// Changes of servers as they are kept in the state directory.
@Suite struct ServerBookTests {
    private let directory = FileManager.default.temporaryDirectory
        .appendingPathComponent("belay-servers-\(UUID().uuidString)").path

    private func settings(_ servers: String, sources: String = "") throws -> Settings {
        let text = "pools: { shop: { servers: [\(servers)\(sources)] } }"
        let (settings, problems) = SettingsFile.load(text: text, file: "a.yaml")
        #expect(problems.isEmpty)
        return try #require(settings)
    }

    private func server(_ name: String) throws -> Settings.Server {
        var server = Settings.Server(
            name: try #require(ServerName(name)),
            address: Settings.ServerAddress(host: "10.9.0.1", port: 8080)
        )
        server.weight = try #require(Weight(7))
        server.state = .draining
        server.generation = 3
        server.maxConnections = 40
        server.route = "node7"
        return server
    }

    private func named(_ name: String) throws -> ServerName { try #require(ServerName(name)) }

    private let file = #"""
        { name: a, address: "10.0.0.1:80" }, { name: b, address: "10.0.0.2:80" },
        { name: c, address: "10.0.0.3:80" }
        """#

    /// Writes the changes beside `file`, and reads them again under `next`.
    private func kept(
        _ changes: [ServerChange],
        by origin: ChangeOrigin = .admin,
        beside file: Settings,
        under next: Settings
    ) throws -> Settings {
        defer { try? FileManager.default.removeItem(atPath: self.directory) }
        var overlay = ServerOverlay()
        overlay.note(changes, in: try #require(PoolName("shop")), by: origin)
        var book = ServerBook(directory: self.directory)
        book.isUnsaved = true
        book.save(overlay, beside: file)
        #expect(book.failure == nil && !book.isUnsaved)
        var warnings: [String] = []
        let read = ServerBook(directory: self.directory).read(for: next, warnings: &warnings)
        #expect(warnings.isEmpty)
        return read.applied(to: next)
    }

    @Test func `all of a change comes back`() throws {
        let file = try self.settings(self.file)
        let added = try self.server("x")
        let address = Settings.ServerAddress(host: "10.0.0.9", port: 81)
        let servers = try self.kept(
            [
                .add(added), .remove(try self.named("c")), .setWeight(try self.named("a"), .zero),
                .setState(try self.named("b"), .maintenance),
                .setAddress(try self.named("b"), address),
            ],
            beside: file,
            under: file
        ).pools[0].servers
        #expect(servers.map(\.name.rawValue) == ["a", "b", "x"])
        #expect(servers[0].weight == .zero)
        #expect(servers[1].state == .maintenance)
        #expect(servers[1].address == address)
        #expect(servers[2] == added)
    }

    @Test func `what the file says anew meanwhile it says for good`() throws {
        let next = try self.settings(
            #"""
            { name: a, address: "10.0.0.1:80", weight: 5 }, { name: b, address: "10.0.0.2:80" },
            { name: x, address: "10.0.0.7:80" }
            """#
        )
        let servers = try self.kept(
            [
                .add(try self.server("x")), .setWeight(try self.named("a"), .zero),
                .setState(try self.named("b"), .maintenance),
            ],
            beside: try self.settings(self.file),
            under: next
        ).pools[0].servers
        #expect(servers.map(\.name.rawValue) == ["a", "b", "x"])
        #expect(servers[0].weight == Weight(5))
        #expect(servers[1].state == .maintenance)
        #expect(servers[2].address.host == "10.0.0.7")
    }

    @Test(arguments: [true, false])
    func `what an entry found is there before it looks again, unless it has gone`(
        isThere: Bool
    ) throws {
        let entry = #", { dns: shop.internal, port: 80 }"#
        let before = try self.settings(self.file, sources: entry)
        let next = isThere ? before : try self.settings(self.file)
        let servers = try self.kept(
            [.replaceAll([try self.server("d")])],
            by: .discovery("dns shop.internal:80"),
            beside: before,
            under: next
        ).pools[0].servers
        #expect(
            servers.map(\.name.rawValue) == (isThere ? ["a", "b", "c", "d"] : ["a", "b", "c"])
        )
    }

    @Test(arguments: ["", "{", "[{\"pool\": 1}]"])
    func `a file that is not what Belay writes is set aside and told of`(text: String) throws {
        defer { try? FileManager.default.removeItem(atPath: self.directory) }
        let files = FileManager.default
        try files.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
        let book = ServerBook(directory: self.directory)
        try text.write(toFile: book.path, atomically: true, encoding: .utf8)
        var warnings: [String] = []
        let file = try self.settings(self.file)
        #expect(book.read(for: file, warnings: &warnings).applied(to: file) == file)
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("servers by commands can't be read") == true)
        #expect(files.fileExists(atPath: book.path + ".unreadable"))
    }

    @Test func `a directory that can't be written is told of, and the changes wait`() throws {
        var book = ServerBook(directory: "/dev/null/belay")
        book.isUnsaved = true
        book.save(ServerOverlay(), beside: Settings())
        #expect(book.failure?.contains("a restart would forget them") == true)
        #expect(book.isUnsaved)
    }
}
