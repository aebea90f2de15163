/// What is learned while a tree is read: the problems so far, and where each setting stands.
///
/// A path names a setting: `pools/web/servers/0/address`. Names hold no slash.
struct Reader {
    let file: String
    private(set) var problems: [SettingsProblem] = []
    private var places: [String: Position] = [:]
    private var unsound: Set<String> = []
    private var problemsLeftOut = 0
    private(set) var path = ""
    private var errorCount = 0

    // Limit: more problems than anybody reads at once; a 4 MiB file could give a million.
    private static let problemsMax = 500

    /// The option of the command line that is read in place of a file.
    private let option: String?

    init(file: String) {
        self.file = file
        self.option = nil
    }

    init(option: String) {
        self.file = "belay"
        self.option = option
    }

    /// The end of a sentence about two things that are the same. Options have no lines.
    func first(on line: Int) -> String { self.option == nil ? "; first on line \(line)" : "" }

    /// Reads what lies under `name`, which stands at `position`.
    mutating func within(_ name: String, at position: Position, _ body: (inout Reader) -> Void) {
        let outer = self.path
        self.path = outer.isEmpty ? name : outer + "/" + name
        self.places[self.path] = position
        let before = self.errorCount
        body(&self)
        if self.errorCount > before { self.unsound.insert(self.path) }
        self.path = outer
    }

    mutating func report(_ text: String, at position: Position?, suggestion: String? = nil) {
        self.errorCount += 1
        self.add(
            SettingsProblem(
                file: self.file,
                position: position,
                text: text,
                suggestion: suggestion
            )
        )
    }

    /// Reports what can be obeyed and is probably not wanted.
    mutating func warn(_ text: String, at position: Position?) {
        self.add(
            SettingsProblem(file: self.file, position: position, text: text, isWarning: true)
        )
    }

    private mutating func add(_ problem: SettingsProblem) {
        if self.problems.count < Self.problemsMax {
            self.problems.append(problem)
        } else {
            self.problemsLeftOut += 1
        }
    }

    /// Where the first of these paths that is in the file stands.
    func place(_ paths: String...) -> Position? {
        for path in paths {
            if let position = self.places[path] { return position }
        }
        return nil
    }

    /// Whether the setting is in the file and nothing was wrong with it.
    func isSound(_ path: String) -> Bool {
        self.places[path] != nil && !self.unsound.contains(path)
    }

    /// Whether nothing was wrong with the setting, in the file or not.
    func isFree(_ path: String) -> Bool { !self.unsound.contains(path) }

    /// Problems in the order of the file, each once (an alias is read wherever it is used).
    func sortedProblems() -> [SettingsProblem] {
        var seen: Set<SettingsProblem> = []
        var sorted = self.problems.filter { seen.insert($0).inserted }
        sorted.sort { left, right in
            (left.position ?? Position(line: 0, column: 0), left.text)
                < (right.position ?? Position(line: 0, column: 0), right.text)
        }
        if self.problemsLeftOut > 0 {
            let text = "\(self.problemsLeftOut) more problems are not shown"
            sorted.append(SettingsProblem(file: self.file, text: text))
        }
        return sorted
    }

    /// The setting that is being read, as it is named in a sentence: `limits.connections`,
    /// `an entry of trusted-proxies`.
    var subject: String { self.subject(at: self.path) }

    /// A setting inside the one that is being read, as it is named in a sentence.
    func subject(of name: String) -> String { self.subject(at: self.path + "/" + name) }

    private func subject(at path: String) -> String {
        if let option { return option }
        let parts = path.split(separator: "/")
        guard let last = parts.last else { return "the file" }
        if last.allSatisfy(\.isNumber), parts.count > 1 {
            return "an entry of \(dotted(parts.dropLast()))"
        }
        return dotted(parts[...])
    }

    /// The setting that is being read, as the reference names it: `pools.web.servers[0]`.
    var location: String { dotted(self.path.split(separator: "/")[...]) }
}

private func dotted(_ parts: ArraySlice<Substring>) -> String {
    // Numbers under a list are left out: the line says which entry it is.
    parts.enumerated().filter { $0.offset == 0 || !$0.element.allSatisfy(\.isNumber) }
        .map { String($0.element) }.joined(separator: ".")
}
