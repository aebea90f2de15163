import BelayCore

// Settings that come from the command line. They are read by the same declarations as the file's.

/// What the options of `belay run` say. Nil and empty are what was not given.
package struct SettingsOptions: Sendable {
    package var listen: [String] = []
    package var admin: String?
    package var workers: String?
    package var logFormat: String?

    package init() {}
}

extension Settings {
    /// Settings without a file: one pool of these servers, named `servers`, with a binding cookie.
    /// Problems name the option `--to` and no file.
    package static func forServers(_ addresses: [String]) -> (Settings?, [SettingsProblem]) {
        var settings = Settings()
        var reader = Reader(option: "--to")
        let servers = Tree(list: addresses.map { Tree(text: $0) })
        let tree = Tree(group: "pools", Tree(group: "servers", Tree(group: "servers", servers)))
        Declaration.root.read(tree, into: &settings, &reader)
        for index in settings.pools.indices { settings.pools[index].persistence = Persistence() }
        let problems = reader.problemsOfOption
        return (problems.hasErrors ? nil : settings, problems)
    }

    /// Puts what the options say in the place of what the settings said. Returns what is wrong
    /// with them; the settings are of use only if that is nothing.
    package mutating func apply(_ options: SettingsOptions) -> [SettingsProblem] {
        var problems: [SettingsProblem] = []
        if !options.listen.isEmpty {
            let trees = options.listen.map { Tree(text: $0) }
            problems += self.set("listeners", Tree(list: trees), option: "--listen")
            for (index, listener) in self.listeners.enumerated() where listener.address.port != 0 {
                let isRepeated = self.listeners[..<index].contains {
                    $0.address == listener.address
                }
                guard isRepeated, problems.isEmpty else { continue }
                let text = "--listen: \(listener.address.spelled) is given twice"
                problems.append(SettingsProblem(file: "belay", text: text))
            }
            // The file had listeners that need none: of TCP, or such that redirect.
            if self.routes.isEmpty {
                let text = "--listen: the file has no routes for requests that come there"
                problems.append(SettingsProblem(file: "belay", text: text))
            }
        }
        if let admin = options.admin {
            problems += self.set("admin", Tree(text: admin), option: "--admin")
        }
        if let workers = options.workers {
            problems += self.set("workers", Tree(text: workers), option: "--workers")
        }
        if let format = options.logFormat {
            let tree = Tree(group: "access", Tree(text: format))
            problems += self.set("log", tree, option: "--log-format")
        }
        if let admin = self.admin?.address, admin.port != 0, problems.isEmpty,
            self.listeners.contains(where: { $0.address == admin })
        {
            let option = options.admin == nil ? "--listen" : "--admin"
            let text = "\(option): \(admin.spelled) would be both a listener and the admin address"
            problems.append(SettingsProblem(file: "belay", text: text))
        }
        return problems
    }

    private mutating func set(
        _ name: String,
        _ tree: Tree,
        option: String
    ) -> [SettingsProblem] {
        var reader = Reader(option: option)
        guard let field = Declaration.root.fields.first(where: { $0.name == name }) else {
            preconditionFailure("an option for no setting")
        }
        reader.within(name, at: tree.position) { field.read(tree, &self, &$0) }
        return reader.problemsOfOption
    }
}

extension Reader {
    /// The problems without positions, which an option has not.
    fileprivate var problemsOfOption: [SettingsProblem] {
        self.problems.map {
            SettingsProblem(
                file: $0.file,
                text: $0.text,
                suggestion: $0.suggestion,
                isWarning: $0.isWarning
            )
        }
    }
}

extension Tree {
    private static let origin = Position(line: 1, column: 1)

    fileprivate init(text: String) {
        self.init(kind: .text(text, isPlain: true), position: Self.origin)
    }

    fileprivate init(list: [Tree]) { self.init(kind: .list(list), position: Self.origin) }

    fileprivate init(group key: String, _ value: Tree) {
        let entry = Entry(key: key, keyPosition: Self.origin, value: value)
        self.init(kind: .group([entry]), position: Self.origin)
    }
}
