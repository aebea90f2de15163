import BelayCore

// What can only be judged with more than one setting in view.

/// The file as a whole: references, names, addresses, routes that nothing reaches.
func checkWhole(_ settings: inout Settings, _ tree: Tree, _ reader: inout Reader) {
    // The default has been through no form.
    for index in settings.listeners.indices where settings.listeners[index].name.isEmpty {
        settings.listeners[index].name = settings.listeners[index].address.spelled
    }
    checkListeners(settings, &reader)
    checkNeedOfRoutes(&settings, &reader)
    checkRoutes(settings, &reader)
    checkTCP(settings, &reader)
    checkWaysOfListeners(settings, &reader)
}

/// Routes that are left out and can be, that are missing, or that nothing looks at.
private func checkNeedOfRoutes(_ settings: inout Settings, _ reader: inout Reader) {
    guard reader.place("pools") != nil, !settings.pools.isEmpty, reader.isFree("listeners")
    else { return }
    let listeners = settings.listeners.filter { $0.kind == .http }
    guard settings.routes.isEmpty else {
        if listeners.isEmpty {
            let text = "no listener takes HTTP, so routes are never looked at"
            reader.report(text, at: reader.place("routes"))
        }
        return
    }
    // Where there are several, those that only TCP listeners use take no requests.
    let pools = settings.pools.count == 1 ? settings.pools : settings.poolsBesideTCP
    if pools.count == 1, !listeners.isEmpty, reader.place("routes") == nil {
        let match = Settings.Match()
        settings.routes = [
            Settings.Route(name: match.spelled, match: match, pool: pools[0].name)
        ]
    } else if reader.isFree("routes"), listeners.contains(where: { $0.redirectToHTTPS == nil }) {
        let text =
            pools.count == 1
            ? "routes is empty; leave the key out to send everything to the one pool"
            : "\"routes\" must say which requests go to which of the pools"
        reader.report(text, at: reader.place("routes", "pools"))
    }
}

private func checkRoutes(_ settings: Settings, _ reader: inout Reader) {
    var names: [String: Int] = [:]
    // Those above with which nothing is wrong.
    var sound = RoutesAbove()
    for (index, route) in settings.routes.enumerated() {
        let path = "routes/\(index)"
        checkReference(to: route.pool, at: path + "/pool", settings, &reader)
        if let place = reader.place(path + "/name"), !route.name.isEmpty {
            if let line = names[route.name] {
                let text = "two routes are named \(quoted(route.name))\(reader.first(on: line))"
                reader.report(text, at: place)
            }
            names[route.name] = place.line
        }
        defer { if reader.isSound(path) { sound.add(route.match, index) } }
        guard reader.isSound(path) else { continue }
        if let above = sound.first(covering: route.match, among: settings.routes),
            let line = reader.place("routes/\(above)")?.line
        {
            let isAll = settings.routes[above].match == Settings.Match()
            let what = isAll ? "everything" : "all of it"
            let text = "this route is never reached: the route on line \(line) takes \(what)"
            reader.report(text, at: reader.place(path))
        }
    }
}

/// Routes by what could cover another: of thousands, a handful is looked at for each.
private struct RoutesAbove {
    private struct Key: Hashable {
        let path: String
        let host: String
    }

    private var offsets: [Key: [Int]] = [:]

    mutating func add(_ match: Settings.Match, _ offset: Int) {
        let key = Key(path: match.path.text, host: match.host.coveringKeys[0])
        self.offsets[key, default: []].append(offset)
    }

    /// The uppermost that takes every request that `match` would.
    func first(covering match: Settings.Match, among routes: [Settings.Route]) -> Int? {
        var found: Int?
        for path in match.path.coveringKeys {
            for host in match.host.coveringKeys {
                let offset = self.offsets[Key(path: path, host: host)]?.first {
                    routes[$0].match.covers(match)
                }
                if let offset { found = Swift.min(found ?? offset, offset) }
            }
        }
        return found
    }
}

/// The name of a pool stands for one.
func checkReference(
    to name: PoolName?,
    at path: String,
    _ settings: Settings,
    _ reader: inout Reader
) {
    guard let name, name != .unset, let place = reader.place(path), reader.place("pools") != nil,
        !settings.pools.contains(where: { $0.name == name })
    else { return }
    let known = settings.pools.map(\.name.rawValue).filter { $0 != PoolName.unset.rawValue }
    let suggestion = nearest(name.rawValue, among: known)
    var text = "there is no pool \(quoted(name.rawValue))"
    // Limit: what a reader takes in at a glance.
    if suggestion == nil, (1...5).contains(known.count) {
        text += ", only " + known.map(quoted).joined(separator: ", ")
    }
    reader.report(text, at: place, suggestion: suggestion)
}

/// A list in which an entry stands a second time, which does nothing.
func reportRepeated(_ words: [String], _ key: String, _ tree: Tree, _ reader: inout Reader) {
    let path = reader.path + "/" + key
    guard reader.isFree(path) else { return }
    var counts: [String: Int] = [:]
    for word in words { counts[word, default: 0] += 1 }
    for word in counts.keys.sorted() where counts[word] != 1 {
        let text = "\(reader.subject(of: key)) has \(word) twice"
        reader.report(text, at: reader.place(path) ?? tree.position)
    }
}

extension Settings.Match {
    /// Whether this takes every request that `other` would.
    fileprivate func covers(_ other: Settings.Match) -> Bool {
        // The rarest first.
        guard self.host.covers(other.host), self.path.covers(other.path) else { return false }
        return self.methods.isEmpty
            || !other.methods.isEmpty && Set(other.methods).isSubset(of: self.methods)
    }
}

extension Settings.PathPrefix {
    /// The texts of all that can cover this one.
    fileprivate var coveringKeys: [String] {
        var keys = [self.text]
        if self != .all { keys.append(Settings.PathPrefix.all.text) }
        for index in self.text.indices.dropFirst() where self.text[index] == "/" {
            keys.append(String(self.text[..<index]))
        }
        return keys
    }

    fileprivate func covers(_ other: Settings.PathPrefix) -> Bool {
        self == .all || other.text == self.text
            || other.text.count > self.text.count && other.text.hasPrefix(self.text + "/")
    }
}

extension Settings.HostPattern {
    /// What stands for this pattern, and then what stands for all others that can cover it.
    fileprivate var coveringKeys: [String] {
        switch self {
        case .any: ["*"]
        case .exact(let host): [host] + Self.suffixes(host) + ["*"]
        case .suffix(let suffix): ["*" + suffix] + Self.suffixes(suffix) + ["*"]
        }
    }

    private static func suffixes(_ host: String) -> [String] {
        host.indices.filter { host[$0] == "." }.map { "*" + host[$0...] }
    }

    /// Whether this takes every host that `other` would.
    func covers(_ other: Settings.HostPattern) -> Bool {
        switch (self, other) {
        case (.any, _): true
        case (.exact(let own), .exact(let host)): own == host
        case (.suffix(let own), .exact(let host)): host.hasSuffix(own)
        case (.suffix(let own), .suffix(let other)): other.hasSuffix(own)
        case (.exact, .any), (.exact, .suffix), (.suffix, .any): false
        }
    }
}

/// The key ring: given in one way, and no key twice.
func checkKeys(_ keys: inout Settings.Keys, _ tree: Tree, _ reader: inout Reader) {
    let path = reader.path
    if let place = reader.place(path + "/file"), reader.place(path + "/ring") != nil {
        reader.report("keys has both a ring and a file; give one of them", at: place)
    }
    for (index, key) in keys.ring.enumerated() where !key.bytes.isEmpty {
        guard let first = keys.ring[..<index].firstIndex(of: key) else { continue }
        let line = reader.place("\(path)/ring/\(first)")?.line ?? 1
        let place = reader.place("\(path)/ring/\(index)")
        reader.report("this key is in the ring twice\(reader.first(on: line))", at: place)
    }
}
