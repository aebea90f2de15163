import BelayCrypto
import BelayPersistence
import Foundation
import Testing

struct KeyRingFileTests: ~Copyable {
    private let directory = FileManager.default.temporaryDirectory
        .appendingPathComponent("belay-\(UUID().uuidString)").path

    deinit { try? FileManager.default.removeItem(atPath: self.directory) }

    private var path: String { self.directory + "/binding-keys" }

    private func write(_ text: String, mode: Int) throws {
        try SecretFile.makeDirectory(self.directory)
        try text.write(toFile: self.path, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes(
            [.posixPermissions: mode],
            ofItemAtPath: self.path
        )
    }

    @Test func `a ring is made once and found again`() throws {
        let made = try KeyRingFile(directory: self.directory)
        #expect(made.isNew && made.path == self.path && made.warning == nil)
        let found = try KeyRingFile(directory: self.directory + "/")
        #expect(!found.isNew)
        #expect(found.ring.base64 == made.ring.base64)
        #expect(try KeyRingFile(path: self.path).ring.base64 == made.ring.base64)
        let attributes = try FileManager.default.attributesOfItem(atPath: self.path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func `programs that start at once agree on one ring`() async throws {
        let directory = self.directory
        let files = try await withThrowingTaskGroup(of: KeyRingFile.self) { group in
            for _ in 0..<16 { group.addTask { try KeyRingFile(directory: directory) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(files.map(\.ring.base64)).count == 1)
        #expect(files.filter(\.isNew).count == 1)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        #expect(names == ["binding-keys"])
    }

    @Test(arguments: [
        (0o600, true), (0o400, true), (0o640, false), (0o440, false),
    ])
    func `a file that its group may read is used with a warning`(mode: Int, isQuiet: Bool) throws {
        let ring = try KeyRing.generate()
        try self.write(ring.base64[0], mode: mode)
        let file = try KeyRingFile(directory: self.directory)
        #expect(file.ring.base64 == ring.base64)
        #expect(file.warning == (isQuiet ? nil : .readableByGroup))
    }

    @Test(arguments: [0o644, 0o604, 0o602, 0o660, 0o620, 0o777])
    func `a file that others may read or change is refused`(mode: Int) throws {
        try self.write(KeyRing.generate().base64[0], mode: mode)
        #expect(throws: KeyRingFileError.openToOthers(self.path, mode: UInt32(mode))) {
            _ = try KeyRingFile(directory: self.directory)
        }
    }

    @Test func `a file with wrong keys is refused and stays as it is`() throws {
        try self.write("AQEB\n", mode: 0o600)
        let error = KeyRingFileError.ring(.wrongSize(position: 1, bytes: 3), self.path)
        #expect(throws: error) { _ = try KeyRingFile(directory: self.directory) }
        #expect(try String(contentsOfFile: self.path, encoding: .utf8) == "AQEB\n")
        #expect(error.description.hasPrefix(self.path + ": key 1 of the ring has 3 bytes"))
    }

    @Test func `an empty file has no key`() throws {
        try self.write("", mode: 0o600)
        #expect(throws: KeyRingFileError.ring(.noKeys, self.path)) {
            _ = try KeyRingFile(directory: self.directory)
        }
    }

    @Test func `a file that a person should keep and that is not there is not made`() throws {
        #expect(throws: KeyRingFileError.missing(self.path)) {
            _ = try KeyRingFile(path: self.path)
        }
        #expect(!FileManager.default.fileExists(atPath: self.path))
    }

    @Test func `a state directory that cannot be made is an error that names it`() throws {
        try self.write("", mode: 0o600)
        let below = self.path + "/state"
        let error = SecretFileError(.read, below + "/binding-keys", code: ENOTDIR)
        #expect(throws: KeyRingFileError.file(error)) { _ = try KeyRingFile(directory: below) }
    }

    @Test func `every refusal says what to do`() {
        let errors: [KeyRingFileError] = [
            .file(SecretFileError(.write, "/s/binding-keys", code: ENOSPC)),
            .openToOthers("/s/binding-keys", mode: 0o644),
            .ownedByAnother("/s/binding-keys"),
            .missing("/s/binding-keys"),
            .noNewKey(.refused(.random)),
        ]
        #expect(
            errors.map(\.description) == [
                "cannot write /s/binding-keys: the disk is full",
                "/s/binding-keys has mode 644, so others may know or change its keys; remove it "
                    + "for a new key (clients are bound anew), or chmod it to 600",
                "/s/binding-keys belongs to another user, who may know or change its keys; "
                    + "chown it to the user that Belay runs as",
                "there is no file /s/binding-keys",
                "cannot make a key: OpenSSL refused random bytes: out of memory, or forbidden by "
                    + "the system's policy",
            ]
        )
    }
}
