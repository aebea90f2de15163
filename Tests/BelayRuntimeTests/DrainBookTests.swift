import BelayBalancing
import BelayCore
import BelayRuntime
import BelaySettings
import Foundation
import Testing

/// Drains as they are kept in the state directory.
struct DrainBookTests {
    /// A directory that ends with the test.
    private final class Directory {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("belay-drains-\(UUID().uuidString)").path

        deinit {
            try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
            try? FileManager.default.removeItem(atPath: self.path)
        }

        var file: String { self.path + "/drains.json" }

        var names: [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: self.path)) ?? []).sorted()
        }

        func write(_ text: String) throws {
            try FileManager.default.createDirectory(
                atPath: self.path,
                withIntermediateDirectories: true
            )
            try text.write(toFile: self.file, atomically: true, encoding: .utf8)
        }

        func book(_ warnings: inout [String]) -> DrainBook {
            DrainBook(directory: self.path, warnings: &warnings)
        }

        /// A book without complaints.
        func book() -> DrainBook {
            var warnings: [String] = []
            let book = self.book(&warnings)
            #expect(warnings.isEmpty)
            return book
        }
    }

    private func key(_ server: String, pool: String = "shop") throws -> DrainBook.Key {
        DrainBook.Key(
            pool: try #require(PoolName(pool)),
            server: try #require(ServerName(server))
        )
    }

    private func drain(_ cause: Drain.Cause = .command, rate: Double? = nil) -> Drain {
        Drain(
            cause: cause,
            began: UnixTime(seconds: 1_000),
            bound: 40,
            deadline: UnixTime(seconds: 2_800),
            rate: rate
        )
    }

    @Test func `what is under way is known to the next process, to the second`() throws {
        let directory = Directory()
        var book = directory.book()
        var paused = self.drain(rate: 0.5)
        paused.pause(now: UnixTime(seconds: 1_100))
        paused.resume(bound: 30, now: UnixTime(seconds: 1_200))
        paused.pause(now: UnixTime(seconds: 1_300))
        book[try self.key("a")] = paused
        book[try self.key("b")] = self.drain(.removal)
        book[try self.key("a", pool: "api")] = self.drain()
        #expect(book.isUnsaved)
        book.save()
        #expect(book.failure == nil && !book.isUnsaved)
        let next = directory.book()
        #expect(next.drains == book.drains)
        #expect(next[try self.key("a")]?.pausedAt == UnixTime(seconds: 1_300))
        #expect(next[try self.key("a")]?.paceBound == 30)
        #expect(!next.isUnsaved)
    }

    @Test func `the file is for its owner, and nothing else is left beside it`() throws {
        let directory = Directory()
        var book = directory.book()
        book[try self.key("a")] = self.drain()
        book.save()
        #expect(directory.names == ["drains.json"])
        let attributes = try FileManager.default.attributesOfItem(atPath: directory.file)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let text = try String(contentsOfFile: directory.file, encoding: .utf8)
        #expect(
            text == """
                [
                  {
                    "began" : 1000,
                    "boundAtStart" : 40,
                    "cause" : "command",
                    "deadline" : 2800,
                    "paceBound" : 40,
                    "paceSince" : 1000,
                    "pool" : "shop",
                    "server" : "a"
                  }
                ]

                """
        )
    }

    @Test func `the last drain that ends is forgotten by the file too`() throws {
        let directory = Directory()
        var book = directory.book()
        book.save()
        #expect(directory.names.isEmpty)
        book[try self.key("a")] = self.drain()
        book.save()
        book[try self.key("a")] = nil
        #expect(book.isUnsaved)
        book.save()
        #expect(directory.book().drains.isEmpty)
    }

    @Test func `without a file there are no drains, and no complaint`() {
        #expect(Directory().book().drains.isEmpty)
    }

    @Test(arguments: ["", "{", "[{\"pool\":\"shop\"}]", "{\"a\":1}", "[1]", "\u{0}\u{1}"])
    func `a file that can't be read is told of and set aside, whole`(text: String) throws {
        let directory = Directory()
        try directory.write(text)
        var warnings: [String] = []
        var book = directory.book(&warnings)
        #expect(book.drains.isEmpty)
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("the drains of before can't be read") == true)
        book[try self.key("a")] = self.drain()
        book.save()
        #expect(directory.names == ["drains.json", "drains.json.unreadable"])
        let kept = try String(contentsOfFile: directory.file + ".unreadable", encoding: .utf8)
        #expect(kept == text)
        #expect(directory.book().drains.count == 1)
    }

    @Test func `a name that can't be one is told of, and the others go on`() throws {
        let directory = Directory()
        var book = directory.book()
        book[try self.key("a")] = self.drain()
        book[try self.key("b")] = self.drain()
        book.save()
        let text = try String(contentsOfFile: directory.file, encoding: .utf8)
        try directory.write(
            text.replacingOccurrences(of: "\"server\" : \"a\"", with: "\"server\" : \"\"")
        )
        var warnings: [String] = []
        let next = directory.book(&warnings)
        #expect(warnings.count == 1)
        #expect(Set(next.drains.keys) == [try self.key("b")])
    }

    @Test
    func
        `a disk that takes nothing is told, the old file stays, and a later attempt succeeds`()
        throws
    {
        let directory = Directory()
        var book = directory.book()
        book[try self.key("a")] = self.drain()
        book.save()
        let draft = directory.file + ".new"
        // The draft is what is written first: a directory in its place lets it fail as surely as
        // a full disk does.
        try FileManager.default.createDirectory(atPath: draft, withIntermediateDirectories: false)
        book[try self.key("b")] = self.drain()
        book.save()
        #expect(book.isUnsaved)
        #expect(
            book.failure?.hasPrefix("drains can't be written, so a restart would forget them: ")
                == true
        )
        #expect(book.drains.count == 2)
        #expect(directory.book().drains.count == 1)
        try FileManager.default.removeItem(atPath: draft)
        book.save()
        #expect(book.failure == nil && !book.isUnsaved)
        #expect(directory.book().drains.count == 2)
    }

    // MARK: Servers that leave

    private func settings(_ servers: [String], extra: String = "") throws -> Settings {
        let list = servers.map { "{ name: \($0), address: \"10.0.0.1:80\" }" }.joined(
            separator: ", "
        )
        let text = "pools:\n  shop:\n    servers: [\(list)]\n\(extra)"
        let (settings, problems) = SettingsFile.load(text: text, file: "a.yaml")
        #expect(problems.isEmpty)
        return try #require(settings)
    }

    private static let leaver = DrainBook.Leaver(
        address: "10.0.0.7:3000",
        generation: 3,
        maxConnections: 50,
        route: "node7"
    )

    @Test func `a server that leaves is found again after a restart, until its drain ends`() throws
    {
        let directory = Directory()
        var book = directory.book()
        let gone = try self.key("gone")
        book[gone] = self.drain(.removal)
        book.note(Self.leaver, gone)
        book.save()
        var next = directory.book()
        let settings = try self.settings(["a"])
        let grown = try #require(next.withLeavers(settings))
        let server = try #require(grown.pools[0].servers.last)
        #expect(grown.pools[0].servers.count == 2)
        #expect(server.name.rawValue == "gone")
        #expect(server.address == Settings.ServerAddress("10.0.0.7:3000"))
        #expect(server.generation == 3 && server.maxConnections == 50 && server.route == "node7")
        // It is in the settings again, or its pool is gone, or lets nobody stay.
        #expect(next.withLeavers(try self.settings(["a", "gone"])) == nil)
        let now = try self.settings(["a"], extra: "    removal: now\n")
        #expect(next.withLeavers(now) == nil)
        next[gone] = nil
        #expect(next.withLeavers(settings) == nil)
        next.save()
        #expect(directory.book().withLeavers(settings) == nil)
    }

    @Test func `a server that somebody drains is none that leaves`() throws {
        let directory = Directory()
        var book = directory.book()
        book.note(Self.leaver, try self.key("a"))
        book[try self.key("a")] = self.drain()
        book.note(Self.leaver, try self.key("a"))
        #expect(book.withLeavers(try self.settings(["b"])) == nil)
    }
}
