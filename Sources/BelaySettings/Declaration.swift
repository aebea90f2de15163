import BelayCore

// Every setting, declared once: name, default (the value that the property in `Settings` starts
// with), form and the sentence of the manual. The parser, the reference page and the JSON Schema
// read these lines. Here are those of the whole file and of its routes; `Declaration+Pools` has
// those of a pool, and so on.

/// The declaration of the settings file.
enum Declaration {
    /// The whole file.
    static let root = Section(
        doc: "Everything else lies inside one of these.",
        defaults: { Settings() },
        fields: Declaration.traffic + Declaration.operation,
        finish: checkWhole
    )

    /// Under which groups a key belongs, for those who put it elsewhere.
    static let places: [String: [String]] = {
        var places: [String: [String]] = [:]
        func visit(_ section: SectionOutline, _ place: String) {
            for field in section.fields {
                let name = place.isEmpty ? "the top of the file" : place
                places[field.name, default: []].append(name)
                if let below = field.outline.below {
                    let prefix = place.isEmpty ? "" : place + "."
                    visit(below.section, prefix + field.name + below.suffix)
                }
            }
        }
        visit(root.outline, "")
        return places
    }()
}

extension Declaration {
    /// Who may come, and where they are sent.
    private static let traffic: [Field<Settings>] = [
        Field(
            "listeners",
            \.listeners,
            .list(
                of: .group(listener, orJust: \.address, Scalar.listenAddress.form),
                from: { Settings.Listener(address: SocketAddress(ip: .anyV6, port: 0)) },
                max: 64,
                isEmptyAllowed: false
            ),
            doc: "The addresses that clients connect to."
        ),
        Field(
            "trusted-proxies",
            \.trustedProxies,
            .list(of: Scalar.network.form, from: { Network(.anyV4) }, max: 1024),
            doc: """
                The proxies in front of Belay. What `X-Forwarded-*`, `Forwarded` and the PROXY \
                protocol say is believed when it comes from one of these. From anyone else the \
                fields are replaced, and connections with the PROXY protocol are closed.
                """
        ),
        Field(
            "routes",
            \.routes,
            .list(of: .group(route), from: { Settings.Route(pool: .unset) }, max: 4096),
            doc: """
                Which requests go to which server pool. They are tried from the top; the first \
                that matches is taken. A request that no route matches is answered 404. May be \
                left out when there is one pool, or one that no listener of kind `tcp` uses: \
                then it gets every request.
                """
        ),
        Field(
            "pools",
            \.pools,
            .named(pool, as: \.name, .poolName, max: 1000),
            isRequired: true,
            doc: "The server pools, each under a name that routes, logs and metrics use."
        ),
        Field(
            "resolver",
            \.resolver,
            Form.group(resolver).optional(from: { Settings.Resolver(servers: []) }),
            doc: """
                The DNS servers that are asked for `dns`, for `srv` and for the host names of \
                servers. Left out: those of the system (`/etc/resolv.conf`).
                """
        ),
        Field("limits", \.limits, .group(limits), doc: "What Belay takes on before it refuses."),
        Field(
            "headers",
            \.headers,
            .group(headers),
            doc: "What servers are told about the client and about Belay."
        ),
        Field(
            "error-pages",
            \.errorPages,
            Scalar.filePath.optional.form,
            doc: """
                A directory with pages of your own for Belay's answers: `503.html`, `5xx.html`, \
                `503.json`. The most exact name is taken. A relative path starts where Belay does.
                """
        ),
    ]

    /// How Belay itself runs.
    private static let operation: [Field<Settings>] = [
        Field(
            "workers",
            \.workers,
            Scalar.integer(1...256).orNil("auto").form,
            doc: "Threads that carry traffic. `auto` is one for each core Belay may use."
        ),
        Field(
            "pin-workers",
            \.pinWorkers,
            Scalar.flag.form,
            doc: "Ties each worker to a core of its own. For machines that do nothing else."
        ),
        Field(
            "state-directory",
            \.stateDirectory,
            Scalar.filePath.optional.form,
            doc: """
                Where Belay keeps what outlives it, such as a generated key. Left out: \
                `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/belay`, else `~/.local/state/belay`.
                """
        ),
        Field("log", \.log, .group(log), doc: "What is written about exchanges and about Belay."),
        Field(
            "keys",
            \.keys,
            .group(keys),
            doc: """
                The keys that seal bindings and TLS tickets. Belays that share them understand \
                each other's. Left out: one is generated and kept in the state directory.
                """
        ),
        Field(
            "admin",
            \.admin,
            Form.group(admin, orJust: \.address, Scalar.listenAddress.form)
                .orOff(from: { Settings.Admin() }),
            doc: """
                Metrics, states and `belay explain`. It asks for no password, so keep it on an \
                address that only you can reach.
                """
        ),
    ]
}

extension Declaration {
    private static let route = Section(
        doc: "Where requests go.",
        defaults: { Settings.Route(pool: .unset) },
        fields: [
            Field(
                "name",
                \.name,
                Scalar.name.form,
                doc: "What logs and metrics call it. Left out: what it matches."
            ),
            Field(
                "match",
                \.match,
                .group(match),
                doc: "What a request must have. Left out: every request."
            ),
            Field(
                "pool",
                \.pool,
                Scalar.poolName.form,
                isRequired: true,
                doc: "The server pool that answers."
            ),
            Field(
                "origins",
                \.origins,
                .list(
                    of: Scalar.origin.form,
                    from: { Settings.Origin(scheme: "", host: .any) },
                    max: 1000,
                    isEmptyAllowed: false
                ),
                doc: """
                    The pages that may open WebSockets here, as browsers tell. From others they \
                    are answered 403. Left out: every page may.
                    """
            ),
        ],
        finish: { route, tree, reader in
            if route.name.isEmpty { route.name = route.match.spelled }
            reportRepeated(route.origins.map(\.spelled), "origins", tree, &reader)
        }
    )

    private static let match = Section(
        doc: "A request has to meet all that is given.",
        defaults: { Settings.Match() },
        fields: [
            Field(
                "host",
                \.host,
                Scalar.hostPattern.form,
                doc: """
                    The host, in any case and with any port. `*.example.com` (in quotes) is every \
                    host below `example.com`, and not `example.com` itself.
                    """
            ),
            Field(
                "path",
                \.path,
                Scalar.pathPrefix.form,
                doc: """
                    The start of the path, up to the end of a segment: `/v1` and `/v1/` both hold \
                    for `/v1` and `/v1/users` and not for `/v10`.
                    """
            ),
            Field(
                "methods",
                \.methods,
                .list(of: Scalar.method.form, from: { "" }, max: 8, isEmptyAllowed: false),
                doc: "The methods. Left out: every method."
            ),
        ],
        finish: { match, tree, reader in
            reportRepeated(match.methods, "methods", tree, &reader)
        }
    )

    private static let admin = Section(
        doc: "May also be the address alone.",
        defaults: { Settings.Admin() },
        fields: [
            Field(
                "address",
                \.address,
                Scalar.listenAddress.form,
                doc: "The address of the admin listener. Port 0 lets the system choose one."
            )
        ]
    )
}

extension Settings.Match {
    /// The match as a name: `*.example.com/v1+GET`, `*/`.
    var spelled: String {
        let path = self.path == .all ? "/" : self.path.text
        return self.host.spelled + path + self.methods.map { "+" + $0 }.joined()
    }
}
