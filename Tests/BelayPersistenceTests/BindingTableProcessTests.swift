import BelayCore
import BelayPersistence
import Foundation
import TestPrograms
import Testing

/// Several processes: the program `table-limits` is the other one.
@Suite struct BindingTableProcessTests {
    private let folder: Folder

    init() throws { self.folder = try Folder() }

    private var path: String { self.folder.path + "/bindings-shop" }

    private func open(sharing: Bool = false) throws -> OpenedBindingTable {
        try BindingTable.open(
            self.path,
            ring: ring(1),
            pool: pool("shop"),
            entriesMax: 4096,
            times: hours,
            sharing: sharing
        )
    }

    @Test func `a process killed in the middle of a write leaves nothing torn`() throws {
        let table = try self.open().table
        var draws = Draws(seed: 1)
        let kills = 30
        for kill in 0..<kills {
            let other = try RunningProgram(
                [tableLimits(), "hammer", self.path, "\(kill)"],
                directory: self.folder.path
            )
            // It has the table open, and is writing: then the two write together for a while.
            #expect(try other.output.next() == Array("ready\n".utf8))
            let evictions = table.evictions
            repeat { self.change(table, &draws) } while table.evictions < evictions + 2000
            other.signal(SIGKILL)
            #expect(other.waitForEnd() == -SIGKILL)
            self.checkEntries(table)
        }
        // What the dead had claimed is taken back when nobody alive can still be at it.
        table.sweepAll(now: morning + 3600)
        let ahead = table.count - table.all(now: morning).count
        // Limit: two threads in each of them, killed between an entry and its count.
        #expect(ahead >= 0 && ahead <= 2 * kills)
        table.close()

        let opened = try self.open()
        #expect(opened.warnings.isEmpty)
        self.checkEntries(opened.table)
        let entries = opened.table.all(now: morning)
        #expect(opened.table.count == entries.count && entries.count > 3500)
        for server in 8..<16 {
            let count = entries.count { $0.serverID == serverID(server) }
            #expect(opened.table.bound(to: serverID(server)) == count)
        }
        #expect(Set(entries.map(\.key)).count == entries.count)
        opened.table.close()
    }

    /// As the other process does.
    private func change(_ table: BindingTable, _ draws: inout Draws) {
        let index = draws.below(6000)
        let (key, server) = (clientKey(index), serverID(8 + draws.below(8)))
        let now = morning + Int64(draws.below(8))
        if draws.below(4) == 0 {
            table.forget(key)
        } else {
            let issued = morning + -Int64(index)
            _ = table.bind(key, .header, to: server, issued: issued, now: now)
        }
    }

    /// Every entry is one that somebody wrote: the time of its issue says which key it has.
    private func checkEntries(_ table: BindingTable) {
        for index in 0..<6000 {
            guard let entry = table.find(clientKey(index), now: morning) else { continue }
            #expect(entry.issued == morning + -Int64(index) && entry.kind == .header)
            #expect((8..<16).contains(entry.serverID.rawValue))
            #expect((0..<8).contains(entry.renewed.seconds - morning.seconds))
        }
    }

    /// What `table-limits open` says, run by a shell that first does what `before` says.
    private func opening(_ before: String, entries: Int) throws -> String {
        let program = try RunningProgram(
            [
                "sh", "-c", before + "; exec \"$@\"", "sh", tableLimits(), "open", self.path,
                "\(entries)",
            ],
            directory: self.folder.path,
            joinsErrors: true
        )
        let output = try program.output.rest()
        program.waitForEnd()
        return String(decoding: output, as: UTF8.self)
    }

    @Test func `a limit on the size of files is an error that says so, and leaves no file`() throws
    {
        let text = try self.opening("ulimit -f 100", entries: 100_000)
        #expect(text == "error: cannot write \(self.path): File too large\n")
        #expect(!FileManager.default.fileExists(atPath: self.path))
        #expect(try self.opening(":", entries: 1000) == "opened with 0 bindings\n")
    }

    @Test func `a full disk is an error that says so, and leaves no file`() throws {
        // A small disk of its own, where this user may have one; nothing else to see otherwise.
        let script =
            "unshare -m sh -c 'mount -t tmpfs -o size=2m none . && cd \"$PWD\" && exec \"$@\"' sh"
        let program = try RunningProgram(
            ["sh", "-c", script + " sh -c '\"$@\" 100000; ls; \"$@\" 10000; ls' sh \"$@\"", "sh"]
                + [tableLimits(), "open", self.path],
            directory: self.folder.path,
            joinsErrors: true
        )
        let text = String(decoding: try program.output.rest(), as: UTF8.self)
        program.waitForEnd()
        let want =
            "error: cannot write \(self.path): No space left on device\n"
            + "opened with 0 bindings\nbindings-shop\n"
        #expect(text == want || text.hasPrefix("unshare:") || text.hasPrefix("mount:"))
    }

    @Test func `a table of another size that the disk has no room for is kept as it is`() throws {
        let table = try self.open().table
        table.bind(1, to: 1)
        table.close()
        let text = try self.opening("ulimit -f 1000", entries: 100_000)
        let draft = self.path + ".new"
        #expect(
            text == "warning: \(self.path) keeps its room for 4096 bindings: "
                + "cannot write \(draft): File too large\nopened with 1 bindings\n"
        )
        #expect(!FileManager.default.fileExists(atPath: draft))
        #expect(try self.open().table.count == 1)
    }
}

/// The program under `Benchmarks/limits`: `BELAY_TABLE_LIMITS`, or what this package's build has
/// put beside the tests.
private func tableLimits() throws -> String {
    if let path = ProcessInfo.processInfo.environment["BELAY_TABLE_LIMITS"] { return path }
    let files = FileManager.default
    for start in CommandLine.arguments + [files.currentDirectoryPath + "/."] {
        var folder = URL(fileURLWithPath: start).standardizedFileURL
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            for place in ["", "/.build/release", "/.build/debug"] {
                let path = folder.path + place + "/table-limits"
                if files.isExecutableFile(atPath: path) { return path }
            }
        }
    }
    throw MissingProgram()
}

private struct MissingProgram: Error, CustomStringConvertible {
    let description = "no table-limits beside the tests; set BELAY_TABLE_LIMITS"
}
