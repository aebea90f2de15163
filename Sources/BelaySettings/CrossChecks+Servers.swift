import BelayCore

// What an entry of a pool's list asks of itself, and a pool of its servers.

/// One entry: a server with an address, or one source.
func checkServer(_ entry: inout ServerEntry, _ tree: Tree, _ reader: inout Reader) {
    let path = reader.path
    let kinds = ["address", "dns", "srv", "file"].filter { reader.place("\(path)/\($0)") != nil }
    let sources = kinds.filter { $0 != "address" }
    entry.isSource = !sources.isEmpty
    guard case .group = tree.kind else { return nameByAddress(&entry.server, tree, &reader) }
    guard let kind = kinds.first else {
        let text = "\(reader.subject): \"address\" is missing (or \"dns\", \"srv\" or \"file\")"
        return reader.report(text, at: tree.position)
    }
    if kinds.count > 1 {
        let text = "\(reader.subject): \(kinds[0]) and \(kinds[1]) exclude each other"
        return reader.report(
            text + "; begin a new entry with \"- \"",
            at: reader.place("\(path)/\(kinds[1])")
        )
    }
    if reader.place(path + "/port") == nil, kind == "dns" {
        let text = "\(reader.subject): \"dns\" needs \"port\" beside it"
        reader.report(text, at: reader.place(path + "/dns"))
    }
    if kind != "dns", let place = reader.place(path + "/port") {
        let hint =
            switch kind {
            case "address": "the port stands in the address"
            case "srv": "the records have the ports"
            default: "the lines of the file have the ports"
            }
        reader.report("\(reader.subject): \"port\" is for \"dns\"; \(hint)", at: place)
    }
    if kind == "srv", let place = reader.place(path + "/weight") {
        let text = "\(reader.subject): the records of \"srv\" have the weights"
        reader.report(text, at: place)
    }
    guard entry.isSource else { return nameByAddress(&entry.server, tree, &reader) }
    for key in ["name", "state", "generation", "route"] {
        guard let place = reader.place("\(path)/\(key)") else { continue }
        let text = "\(reader.subject): \(quoted(key)) is for one server, and \"\(kind)\" gives many"
        reader.report(text, at: place)
    }
}

private func nameByAddress(
    _ server: inout Settings.Server,
    _ tree: Tree,
    _ reader: inout Reader
) {
    guard server.name == .unset, !server.address.host.isEmpty else { return }
    guard let name = ServerName(server.address.spelled) else {
        let text = "\(reader.subject): the address is too long for a name; give it one"
        return reader.report(text, at: tree.position)
    }
    server.name = name
}

/// A pool's servers: no two of one name.
func checkServerNames(
    _ pool: Settings.ServerPool,
    _ places: [Int],
    _ reader: inout Reader
) {
    var lines: [ServerName: Int] = [:]
    for (index, server) in zip(places, pool.servers) where server.name != .unset {
        let path = "\(reader.path)/servers/\(index)"
        guard let place = reader.place(path + "/name", path + "/address", path) else { continue }
        if let line = lines[server.name] {
            let name = quoted(server.name.rawValue)
            let text = "two servers of this pool are named \(name)\(reader.first(on: line))"
            reader.report(text, at: place)
        } else {
            lines[server.name] = place.line
        }
    }
}

/// Where in the list of the file the servers stand: the places of sources are left out.
func serverPlaces(in tree: Tree, _ reader: Reader) -> [Int] {
    guard case .group(let entries) = tree.kind,
        case .list(let elements)? = entries.first(where: { $0.key == "servers" })?.value.kind
    else { return [] }
    return elements.indices.filter { index in
        let path = "\(reader.path)/servers/\(index)"
        return reader.place(path + "/dns", path + "/srv", path + "/file") == nil
    }
}

/// What servers are called in an application's cookie: no two alike, none that would be cut.
func checkServerRoutes(
    _ pool: Settings.ServerPool,
    _ places: [Int],
    _ reader: inout Reader
) {
    let cookies = (pool.persistence?.ways ?? []).compactMap { way -> Settings.ApplicationCookie? in
        guard case .applicationCookie(let cookie) = way, cookie.mode != .learn else { return nil }
        return cookie
    }
    var first: [String: (name: ServerName, line: Int)] = [:]
    for (index, server) in zip(places, pool.servers) where server.name != .unset {
        let path = "\(reader.path)/servers/\(index)"
        let given = reader.place(path + "/route")
        guard !cookies.isEmpty,
            let place = given ?? reader.place(path + "/name", path + "/address", path)
        else { continue }
        let word = server.routeWord
        let cut = cookies.first { !$0.separator.isEmpty && word.contains($0.separator) }
        if let cut {
            let hint = given == nil ? "; give it a \"route\" without" : ""
            let text =
                "the route of this server, \(quoted(word)), has \(quoted(cut.separator)) in it, "
            let end = "which separates it from the value of the cookie \(cut.name)\(hint)"
            reader.report(text + end, at: place)
        }
        if let first = first[word] {
            // Equal names are a problem by themselves.
            guard first.name != server.name else { continue }
            let text = "two servers of this pool have the route \(quoted(word))"
            reader.report(text + reader.first(on: first.line), at: place)
        } else {
            first[word] = (server.name, place.line)
        }
    }
}
