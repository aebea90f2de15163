import BelayBytes
import Foundation
import Testing

struct MappedCellsTests: ~Copyable {
    private let path = FileManager.default.temporaryDirectory
        .appendingPathComponent("belay-\(UUID().uuidString)").path

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    /// The path's file, locked for opening and for nobody else.
    private func file() throws -> MappedFile {
        let file = try MappedFile(opening: self.path)
        let isLocked = file.lockOpening() && file.lockAlone()
        try #require(isLocked)
        return file
    }

    @Test func `words of memory begin at zero`() throws {
        let cells = try MappedCells(count: 1000)
        #expect((0..<1000).allSatisfy { cells.load($0) == 0 })
        cells.store(7, 999)
        #expect(cells.loadRelaxed(999) == 7 && cells.loadInOrder(999) == 7)
        #expect(!cells.exchange(6, for: 8, 999))
        #expect(cells.exchange(7, for: 8, 999))
        #expect(cells.add(.max, 999) == 7)
        try cells.flush()
        cells.close()
        #expect(cells.load(999) == 7)
    }

    @Test func `words that agree in the masked bits are found`() throws {
        let cells = try MappedCells(count: 16)
        for (index, word) in [0x101, 0x201, 0x102, 1, 0, 0xFF01, 0x11, 0x301].enumerated() {
            cells.storeRelaxed(UInt64(word), 8 + index)
        }
        #expect(cells.matches(8, 0x01, mask: 0xFF) == 0b1010_1011)
        #expect(cells.matches(8, 0, mask: 0xFF) == 0b0001_0000)
        #expect(cells.matches(0, 0, mask: 0xFF) == 0xFF)
    }

    @Test func `a file's words stay, and only its owner may read them`() throws {
        let file = try self.file()
        try file.allocate(byteCount: 4096 * 8)
        let cells = try file.map(count: 4096)
        cells.store(.max, 4095)
        try cells.flush()
        cells.close()
        cells.close()
        // A late reader finds nothing, and a late writer harms nobody.
        #expect(cells.load(4095) == 0)
        cells.store(1, 4095)

        let again = try self.file()
        let size = try again.byteCount()
        #expect(size == 4096 * 8)
        try again.allocate(byteCount: 4096 * 8)
        let kept = try again.map(count: 4096).load(4095)
        #expect(kept == .max)
        let attributes = try FileManager.default.attributesOfItem(atPath: self.path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func `who opens a file alone shuts others out, and who shares it does not`() throws {
        let first = try self.file()
        try first.allocate(byteCount: 4096)
        let second = try MappedFile(opening: self.path)
        var locks = [second.lockAlone(), second.lockShared()]
        #expect(locks == [false, false])
        let cells = try first.map(count: 512)
        cells.endOpening()
        locks = [second.lockOpening(), second.lockAlone(), second.lockShared()]
        #expect(locks == [true, false, true])
        let other = try second.map(count: 512)
        cells.store(5, 300)
        #expect(other.load(300) == 5)
        other.endOpening()
        let third = try MappedFile(opening: self.path)
        locks = [third.lockOpening()]
        cells.close()
        locks.append(third.lockAlone())
        other.close()
        locks.append(third.lockAlone())
        #expect(locks == [true, false, true])
    }

    @Test func `a file that was replaced is told`() throws {
        let old = self.path + ".old"
        let file = try self.file()
        var isCurrent = [file.isCurrent()]
        try MappedFile.rename(self.path, to: old)
        isCurrent.append(file.isCurrent())
        #expect(MappedFile.exists(old))
        MappedFile.remove(old)
        #expect(!MappedFile.exists(old))
        let other = try self.file()
        isCurrent += [file.isCurrent(), other.isCurrent()]
        #expect(isCurrent == [true, false, false, true])
    }

    @Test func `what is no file of ours is an error that says so`() throws {
        try FileManager.default.createSymbolicLink(
            atPath: self.path,
            withDestinationPath: "/dev/null"
        )
        let missing = self.path + ".folder/cells"
        for (path, code) in [(missing, ENOENT), (self.path, ELOOP), ("/dev/null", EINVAL)] {
            do {
                _ = try MappedFile(opening: path)
                Issue.record("\(path) was opened")
            } catch {
                #expect(error.code == code && error.path == path)
            }
        }
    }
}
