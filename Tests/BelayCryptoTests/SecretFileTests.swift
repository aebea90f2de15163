import BelayCrypto
import Foundation
import Testing

struct SecretFileTests: ~Copyable {
    private let directory = FileManager.default.temporaryDirectory
        .appendingPathComponent("belay-\(UUID().uuidString)").path

    deinit { try? FileManager.default.removeItem(atPath: self.directory) }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test func `a file is made for its owner alone, in a directory for its owner alone`() throws {
        let deep = self.directory + "/a/b"
        try SecretFile.makeDirectory(deep)
        #expect(try SecretFile.create(deep + "/key", in: deep, [1, 2, 3].span))
        #expect(try self.mode(deep) == 0o700)
        #expect(try self.mode(self.directory) == 0o700)
        #expect(try self.mode(deep + "/key") == 0o600)
        let contents = try #require(try SecretFile.read(deep + "/key", countMax: 100))
        #expect(contents.bytes == [1, 2, 3])
        #expect(contents.mode == 0o600)
        #expect(contents.isOwned)
    }

    @Test func `a file that is there stays as it is, and no draft is left`() throws {
        try SecretFile.makeDirectory(self.directory)
        let path = self.directory + "/key"
        #expect(try SecretFile.create(path, in: self.directory, [1].span))
        #expect(try !SecretFile.create(path, in: self.directory, [2].span))
        #expect(try SecretFile.read(path, countMax: 100)?.bytes == [1])
        #expect(try FileManager.default.contentsOfDirectory(atPath: self.directory) == ["key"])
    }

    @Test func `no file is nil`() throws {
        #expect(try SecretFile.read(self.directory + "/none", countMax: 100)?.bytes == nil)
    }

    @Test func `what is no file, too large or out of reach is an error with a reason`() throws {
        try SecretFile.makeDirectory(self.directory)
        let path = self.directory + "/key"
        #expect(try SecretFile.create(path, in: self.directory, [1, 2, 3].span))
        #expect(throws: SecretFileError(.read, path, code: EFBIG)) {
            _ = try SecretFile.read(path, countMax: 2)
        }
        #expect(throws: SecretFileError(.read, self.directory, code: EINVAL)) {
            _ = try SecretFile.read(self.directory, countMax: 100)
        }
        #expect(throws: SecretFileError(.makeDirectory, path, code: ENOTDIR)) {
            try SecretFile.makeDirectory(path)
        }
        #expect(throws: SecretFileError(.makeDirectory, path + "/deeper", code: ENOTDIR)) {
            try SecretFile.makeDirectory(path + "/deeper")
        }
        #expect(throws: SecretFileError(.write, path + "/x", code: ENOTDIR)) {
            _ = try SecretFile.create(path + "/x", in: path, [1].span)
        }
    }

    @Test func `a directory that everybody may write to is refused, unless it is sticky`() throws {
        try SecretFile.makeDirectory(self.directory)
        let files = FileManager.default
        try files.setAttributes([.posixPermissions: 0o777], ofItemAtPath: self.directory)
        #expect(throws: SecretFileError(.openToAll, self.directory, code: EPERM)) {
            try SecretFile.makeDirectory(self.directory)
        }
        try files.setAttributes([.posixPermissions: 0o1777], ofItemAtPath: self.directory)
        try SecretFile.makeDirectory(self.directory)
    }

    @Test(arguments: [
        (SecretFileError.Step.write, ENOSPC, "cannot write /x: the disk is full"),
        (.write, EDQUOT, "cannot write /x: the disk is full"),
        (
            .write, EROFS,
            "cannot write /x: the file system is read-only; set another state directory"
        ),
        (.read, EACCES, "cannot read /x: the user that Belay runs as may not"),
        (.read, EINVAL, "cannot read /x: it is not a regular file"),
        (.read, EFBIG, "cannot read /x: the file is too large"),
        (
            .makeDirectory, EACCES,
            "cannot make the directory /x: the user that Belay runs as may not"
        ),
        (
            .makeDirectory, ENOTDIR,
            "cannot make the directory /x: a part of the path is not a directory"
        ),
        (.write, EIO, "cannot write /x: Input/output error"),
    ])
    func `an error says what was tried and why it failed`(
        step: SecretFileError.Step,
        code: Int32,
        want: String
    ) {
        #expect(SecretFileError(step, "/x", code: code).description == want)
    }
}
