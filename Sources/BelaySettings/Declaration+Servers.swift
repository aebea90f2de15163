import BelayCore

// The settings of a pool's servers, and of where more of them come from.

/// An entry of a pool's list: a server, or a source of servers.
struct ServerEntry: Sendable {
    var server = Settings.Server(name: .unset, address: .init(host: "", port: 0))
    var dns: String?
    /// Of `dns`.
    var port: UInt16?
    var srv: String?
    var file: String?
    /// Whether one of the keys of sources stands in the file.
    var isSource = false

    init() {}

    fileprivate init(_ server: Settings.Server) { self.server = server }

    fileprivate init(_ source: Settings.ServerSource) {
        self.isSource = true
        self.server.weight = source.weight
        self.server.maxConnections = source.maxConnections
        switch source.kind {
        case .dns(let host, let port): (self.dns, self.port) = (host, port)
        case .srv(let name): self.srv = name
        case .file(let path): self.file = path
        }
    }

    /// Nil where it is incomplete.
    fileprivate var source: Settings.ServerSource? {
        let kind: Settings.ServerSource.Kind
        switch (self.dns, self.srv, self.file) {
        case (let host?, nil, nil): kind = .dns(host: host, port: self.port ?? 0)
        case (nil, let name?, nil): kind = .srv(name)
        case (nil, nil, let path?): kind = .file(path)
        default: return nil
        }
        var source = Settings.ServerSource(kind)
        source.weight = self.server.weight
        source.maxConnections = self.server.maxConnections
        return source
    }
}

extension Settings.ServerPool {
    /// Servers and sources as the list in the file; written in this order.
    var entries: [ServerEntry] {
        get { self.servers.map { ServerEntry($0) } + self.sources.map { ServerEntry($0) } }
        set {
            self.servers = newValue.filter { !$0.isSource }.map(\.server)
            self.sources = newValue.filter(\.isSource).compactMap(\.source)
        }
    }
}

extension Declaration {
    static let server = Section(
        doc: """
            A server, which may also be the address alone; or one of `dns`, `srv` and `file`, from \
            which servers come and go while Belay runs.
            """,
        defaults: { ServerEntry() },
        fields: serverItself + serverShare + serverStates + serverSources,
        extraSchema: [
            .init(
                key: "oneOf",
                value: [
                    ["required": ["address"]], ["required": ["dns", "port"]],
                    ["required": ["srv"]], ["required": ["file"]],
                ]
            )
        ],
        finish: checkServer
    )

    /// What a server has that stands in the file.
    private static let serverItself: [Field<ServerEntry>] = [
        Field(
            "name",
            \.server.name,
            Scalar.serverName.form,
            where: { !$0.isSource },
            doc: """
                What bindings remember, and logs and metrics say. Keep it when the address \
                changes, and the clients stay. Left out: the address.
                """
        ),
        Field(
            "address",
            \.server.address,
            Scalar.serverAddress.form,
            where: { !$0.isSource },
            doc: "Where the server is reached."
        ),
    ]

    private static let serverStates: [Field<ServerEntry>] = [
        Field(
            "state",
            \.server.state,
            Scalar.choice(AdminState.allCases.map { ("\($0.name)", $0) }).form,
            where: { !$0.isSource },
            doc: """
                `draining` takes no new clients and keeps those that are bound to it; \
                `maintenance` takes nobody.
                """
        ),
        Field(
            "generation",
            \.server.generation,
            Scalar.integer(0...1_000_000_000).form,
            where: { !$0.isSource },
            doc: """
                Raise it when the server of this name has lost its sessions, so that clients \
                that were bound to the old one are bound anew.
                """
        ),
        Field(
            "route",
            \.server.route,
            Scalar.routeWord.optional.form,
            where: { !$0.isSource },
            doc: """
                What the application calls itself in its cookie (Tomcat: `jvmRoute`), for \
                `application-cookie` of mode `prefix` or `route`. Left out: the name.
                """
        ),
    ]

    /// What only a source of servers has.
    private static let serverSources: [Field<ServerEntry>] = [
        Field(
            "dns",
            \.dns,
            Scalar.dnsName.optional.form,
            doc: """
                A name with an address for each server (A, AAAA), asked for again as its TTL says. \
                The servers are named by their addresses. Needs `port`.
                """
        ),
        Field(
            "port",
            \.port,
            Scalar.port.optional.form,
            doc: "Of the servers that `dns` gives."
        ),
        Field(
            "srv",
            \.srv,
            Scalar.dnsName.optional.form,
            doc: """
                A name with a record for each server (SRV), such as `_http._tcp.shop.internal`: \
                ports and weights are the records', those of the lowest priority are used.
                """
        ),
        Field(
            "file",
            \.file,
            Scalar.filePath.optional.form,
            doc: """
                A file with a line `name address [weight]` for each server, read again when it \
                changes. A relative path starts where Belay does.
                """
        ),
    ]

    static let resolver = Section(
        doc: """
            These servers, such as Consul's on port 8600, are asked for whole names: the system's \
            search domains and `/etc/hosts` do not count. A host name of a server that they \
            don't know is asked of the system.
            """,
        defaults: { Settings.Resolver(servers: []) },
        fields: [
            Field(
                "servers",
                \.servers,
                // Limit: so many the system's resolver has room for.
                .list(
                    of: Scalar.dnsServer.form,
                    from: { SocketAddress(ip: .anyV4, port: 53) },
                    max: 3,
                    isEmptyAllowed: false
                ),
                isRequired: true,
                doc: "Tried from the first on. Port 53, if none is given."
            ),
            Field(
                "timeout",
                \.timeout,
                Scalar.duration(.seconds(1) ... .seconds(30)).form,
                doc: "The time that a server has for an answer, in whole seconds."
            ),
            Field(
                "attempts",
                \.attempts,
                Scalar.integer(1...5).form,
                doc: "How often all of them are tried before a look-up fails."
            ),
        ],
        finish: { resolver, tree, reader in
            reportRepeated(resolver.servers.map(\.spelled), "servers", tree, &reader)
            guard resolver.timeout.nanoseconds % 1_000_000_000 != 0 else { return }
            let text = "\(reader.subject(of: "timeout")) must be whole seconds"
            reader.report(text, at: reader.place(reader.path + "/timeout"))
        }
    )

    private static let serverShare: [Field<ServerEntry>] = [
        Field(
            "weight",
            \.server.weight,
            Scalar.weight.form,
            where: { $0.srv == nil },
            doc: "Its share of new clients. A server with 0 gets none and keeps its own."
        ),
        Field(
            "max-connections",
            \.server.maxConnections,
            Scalar.integer(1...1_000_000).orNil("off").form,
            doc: "Requests that it may have at once."
        ),
    ]
}

extension Scalar where Value == Weight {
    /// A server's weight.
    static let weight: Scalar = {
        let number = Scalar<Int>.integer(0...Int(Weight.maximum.rawValue))
        return Scalar(
            number.outline.words,
            schema: number.outline.schema,
            parse: { text, isPlain throws(Complaint) in
                guard let weight = Weight(try number.parse(text, isPlain)) else {
                    throw .otherKind
                }
                return weight
            },
            encode: { .integer(Int($0.rawValue)) }
        )
    }()
}

extension Scalar where Value == UInt16 {
    /// A port.
    static let port: Scalar = {
        let number = Scalar<Int>.integer(1...65_535)
        return Scalar(
            "a port",
            schema: number.outline.schema,
            parse: { text, isPlain throws(Complaint) in
                guard let port = UInt16(exactly: try number.parse(text, isPlain)) else {
                    throw .otherKind
                }
                return port
            },
            encode: { .integer(Int($0)) }
        )
    }()
}
