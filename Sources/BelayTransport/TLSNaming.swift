/// Which certificates are served for which name.
///
/// Certificates for one name with keys of different kinds stand side by side, and OpenSSL takes the
/// one that the client can check. Of two with keys of one kind the first is served.
struct TLSNaming {
    /// Sets of identities that stand side by side, by index; the first is the default.
    private(set) var sets: [[Int]] = []
    /// The set for a name.
    private(set) var exact: [String: Int] = [:]
    /// The set for names with one label before this one.
    private(set) var wildcard: [String: Int] = [:]
    private(set) var warnings: [String] = []

    init(_ identities: [TLSIdentity]) {
        self.init(
            identities.map { ($0.files.certificate, $0.names, $0.key.kind) }
        )
    }

    /// From what counts of each: its path, its names, the kind of its key.
    init(_ identities: [(path: String, names: [String], kind: TLSKeyKind)]) {
        var members: [String: [Int]] = [:]
        var order: [String] = []
        for (index, identity) in identities.enumerated() {
            for name in identity.names {
                let before = members[name] ?? []
                if let other = before.first(where: { identities[$0].kind == identity.kind }) {
                    self.warnings.append(
                        "\(identity.path): never served for \(name), since "
                            + "\(identities[other].path) comes first"
                    )
                    continue
                }
                if before.isEmpty { order.append(name) }
                members[name] = before + [index]
            }
        }
        self.sets = [identities.first?.names.first.flatMap { members[$0] } ?? [0]]
        var numbers = [self.sets[0]: 0]
        for name in order {
            guard let set = members[name] else { continue }
            let number = numbers[set] ?? self.sets.count
            if number == self.sets.count {
                self.sets.append(set)
                numbers[set] = number
            }
            if name.hasPrefix("*.") {
                self.wildcard[String(name.dropFirst(2))] = number
            } else {
                self.exact[name] = number
            }
        }
    }
}
