import BelayCore
import Foundation

/// The way in: a settings file to settings, or to everything that is wrong with it.
package enum SettingsFile {
    // Limit: a pool of 10,000 named servers takes 1 MiB.
    static let sizeMax = 4 << 20

    /// Reads the text of a file that problems call `file`. The settings are nil if a problem is
    /// more than a warning; the problems come in the order of the file.
    package static func load(text: String, file: String) -> (Settings?, [SettingsProblem]) {
        var reader = Reader(file: file)
        var settings = Settings()
        if let tree = readYAML(text, into: &reader) {
            if tree.isEmpty {
                reader.report(emptyFile, at: Position(line: 1, column: 1))
            } else {
                Declaration.root.read(tree, into: &settings, &reader)
            }
        }
        let problems = reader.sortedProblems()
        return (problems.hasErrors ? nil : settings, problems)
    }

    /// Reads a file. One that cannot be read has one problem, without a position.
    package static func load(path: String) -> (Settings?, [SettingsProblem]) {
        func problem(_ text: String) -> (Settings?, [SettingsProblem]) {
            (nil, [SettingsProblem(file: path, text: text)])
        }
        guard FileManager.default.fileExists(atPath: path) else {
            return problem("there is no such file")
        }
        if (try? FileManager.default.contentsOfDirectory(atPath: path)) != nil {
            return problem("this is a directory, not a settings file")
        }
        guard let handle = FileHandle(forReadingAtPath: path) else {
            return problem("the file cannot be opened for reading")
        }
        defer { try? handle.close() }
        let data: Data
        do {
            // Nil is the end of the file at once.
            data = try handle.read(upToCount: Self.sizeMax + 1) ?? Data()
        } catch {
            return problem("the file cannot be read")
        }
        if data.starts(with: [0xFF, 0xFE]) || data.starts(with: [0xFE, 0xFF]) {
            return problem("the file is in UTF-16; save it as UTF-8")
        }
        // The cut of a file that is too large may go through a character.
        if data.count > Self.sizeMax { return problem("the file is larger than 4 MiB") }
        guard let text = String(validating: data, as: UTF8.self) else {
            return problem("the file is not in UTF-8")
        }
        return Self.load(text: text, file: path)
    }
}
