import BelayBytes
import Foundation
import Testing

struct StateFileTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("belay-state-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(url.path)
    }

    @Test(arguments: [0, 1, 16_384, 16_385, 200_000])
    func `what was written is read`(count: Int) throws {
        try self.withDirectory { directory in
            let path = directory + "/file"
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try StateFile.replace(path, with: bytes.span)
            #expect(try StateFile.read(path) == bytes)
            try StateFile.replace(path, with: [7].span)
            #expect(try StateFile.read(path) == [7])
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["file"])
        }
    }

    @Test func `no file is nil, and what is none is an error`() throws {
        try self.withDirectory { directory in
            let none = try StateFile.read(directory + "/none")
            #expect(none == nil)
            let error = #expect(throws: FileError.self) { _ = try StateFile.read(directory) }
            #expect(error?.action == "read")
        }
    }

    @Test func `where nothing can be written the file stays as it was`() throws {
        try self.withDirectory { directory in
            let path = directory + "/file"
            try StateFile.replace(path, with: [1].span)
            try FileManager.default.createDirectory(
                atPath: path + ".new",
                withIntermediateDirectories: false
            )
            #expect(throws: FileError.self) { try StateFile.replace(path, with: [2].span) }
            #expect(try StateFile.read(path) == [1])
            let none = directory + "/none/file"
            #expect(throws: FileError.self) { try StateFile.replace(none, with: [2].span) }
        }
    }

    @Test func `a draft that a killed process left is overwritten, a link is not followed`() throws
    {
        try self.withDirectory { directory in
            let path = directory + "/file"
            try "a draft".write(toFile: path + ".new", atomically: false, encoding: .utf8)
            try StateFile.replace(path, with: [1].span)
            #expect(try StateFile.read(path) == [1])
            let other = directory + "/other"
            try "mine".write(toFile: other, atomically: false, encoding: .utf8)
            try FileManager.default.createSymbolicLink(
                atPath: path + ".new",
                withDestinationPath: other
            )
            #expect(throws: FileError.self) { try StateFile.replace(path, with: [2].span) }
            #expect(try String(contentsOfFile: other, encoding: .utf8) == "mine")
            #expect(try StateFile.read(path) == [1])
        }
    }
}
