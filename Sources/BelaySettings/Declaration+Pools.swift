import BelayCore

// The settings of a server pool.

extension Declaration {
    static let pool = Section(
        doc: "Servers that can answer the same requests.",
        defaults: { Settings.ServerPool(name: .unset, servers: []) },
        fields: poolServers + poolFailing + poolKeeping,
        finish: checkPool
    )

    /// The servers, and how they are spoken to.
    private static let poolServers: [Field<Settings.ServerPool>] = [
        Field(
            "balance",
            \.balance,
            Scalar.choice(Algorithm.allCases.map { ("\($0.name)", $0) }).form,
            doc: """
                How a server is chosen for a client that is bound to none. `random-of-two` \
                takes the idler of two servers chosen at random, and spreads well at any size.
                """
        ),
        Field(
            "servers",
            \.servers,
            .list(
                of: .group(server, orJust: \.address, Scalar.serverAddress.form),
                from: { Settings.Server.blank },
                max: 10_000,
                isEmptyAllowed: false
            ),
            isRequired: true,
            doc: "The servers."
        ),
        Field(
            "load-bound",
            \.loadBound,
            Scalar.number(1.05...10).form,
            doc: """
                For `source-hash` and `url-hash`: how far above the mean a server may be \
                loaded before its keys go to the next. 1.25 is a quarter more.
                """
        ),
        Field(
            "protocol",
            \.serverProtocol,
            Scalar.choice(Settings.ServerProtocol.allCases.map { ($0.spelled, $0) }).form,
            doc: """
                The version of HTTP that the servers are spoken to in. `h2` is over TLS and turns \
                `tls` on; `h2c` is HTTP/2 in clear text.
                """
        ),
        Field(
            "tls",
            \.tls,
            Form.group(poolTLS).orOff(from: { Settings.PoolTLS() }),
            doc: "TLS with the servers, whose certificates are verified."
        ),
        Field(
            "proxy-protocol",
            \.proxyProtocol,
            Scalar.choice(of: Settings.ProxySending.self).form,
            doc: """
                Begins each connection to a server with the client's address in the PROXY \
                protocol, version 1 or 2. The servers must expect it.
                """
        ),
        Field(
            "proxy-protocol-tlvs",
            \.proxyProtocolTLVs,
            .list(of: Scalar.proxyTLV.form, from: { .crc32c }, max: 8),
            doc: """
                What a header of `v2` says beside the addresses: the protocol and the host that \
                the client asked for in TLS, a checksum, a random id, the client's TLS.
                """
        ),
    ]

    /// What happens when servers fail.
    private static let poolFailing: [Field<Settings.ServerPool>] = [
        Field(
            "retries",
            \.retries,
            Scalar.integer(0...10).form,
            doc: """
                How often a request is tried on another server, where trying again is safe: \
                when no connection came about, or the method is idempotent.
                """
        ),
        Field(
            "failures",
            \.failures,
            .group(failures),
            doc: "When a server that fails is left alone for a while."
        ),
        Field(
            "health",
            \.health,
            Form.group(health).orOff(from: { Settings.Health() }),
            doc: """
                Active checks by connecting: a server that accepts no connection is down and gets \
                no requests.
                """
        ),
        Field(
            "connect-timeout",
            \.connectTimeout,
            Scalar.duration(.milliseconds(1) ... .minutes(10)).optional.form,
            doc: "The time a server has to accept a connection. Left out: that of `limits`."
        ),
    ]

    /// What is kept beyond a request.
    private static let poolKeeping: [Field<Settings.ServerPool>] = [
        Field(
            "keep",
            \.keep,
            .group(keep),
            doc: "Connections to servers that are kept for the next request."
        ),
        Field(
            "persistence",
            \.persistence,
            Form.group(persistence).orOff(from: { Settings.Persistence() }),
            doc: "How clients come back to the server that has their session."
        ),
        Field(
            "tunnels-per-server",
            \.tunnelsPerServer,
            Scalar.integer(1...1_000_000).orNil("off").form,
            doc: """
                Tunnels that a server may have at once: WebSockets and TCP connections. At the \
                limit others are chosen; where all are full, the client is refused.
                """
        ),
    ]

    private static let server = Section(
        doc: "An entry may also be the address alone.",
        defaults: { Settings.Server.blank },
        fields: [
            Field(
                "name",
                \.name,
                Scalar.serverName.form,
                doc: """
                    What bindings remember, and logs and metrics say. Keep it when the address \
                    changes, and the clients stay. Left out: the address.
                    """
            ),
            Field(
                "address",
                \.address,
                Scalar.serverAddress.form,
                isRequired: true,
                doc: "Where the server is reached."
            ),
            Field(
                "weight",
                \.weight,
                Scalar.weight.form,
                doc: "Its share of new clients. A server with 0 gets none and keeps its own."
            ),
            Field(
                "state",
                \.state,
                Scalar.choice(AdminState.allCases.map { ("\($0.name)", $0) }).form,
                doc: """
                    `draining` takes no new clients and keeps those that are bound to it; \
                    `maintenance` takes nobody.
                    """
            ),
            Field(
                "max-connections",
                \.maxConnections,
                Scalar.integer(1...1_000_000).orNil("off").form,
                doc: "Requests that it may have at once."
            ),
        ],
        finish: { server, tree, reader in
            guard server.name == .unset, !server.address.host.isEmpty else { return }
            guard let name = ServerName(server.address.spelled) else {
                let text = "\(reader.subject): the address is too long for a name; give it one"
                return reader.report(text, at: tree.position)
            }
            server.name = name
        }
    )

    private static let failures = Section(
        doc: """
            A failure is a refused or lost connection, or no answer in time. An ejected server \
            gets no requests until its time is over.
            """,
        defaults: { Settings.Failures() },
        fields: [
            Field(
                "count",
                \.count,
                Scalar.integer(1...1_000).form,
                doc: "So many failures within `window` eject."
            ),
            Field(
                "window",
                \.window,
                Scalar.duration(.milliseconds(100) ... .hours(1)).form,
                doc: "The time over which failures are counted."
            ),
            Field(
                "eject",
                \.eject,
                Scalar.duration(.milliseconds(100) ... .hours(24)).form,
                doc: "How long the first ejection lasts. Each further one lasts twice as long."
            ),
            Field(
                "eject-max",
                \.ejectMax,
                Scalar.duration(.milliseconds(100) ... .hours(24)).form,
                doc: "The longest ejection."
            ),
            Field(
                "eject-share",
                \.ejectShare,
                Scalar.percentage.form,
                doc: """
                    The part of the pool that may be ejected at once. If more fail, the trouble \
                    is not the servers'. `0%` never ejects.
                    """
            ),
        ],
        finish: { failures, tree, reader in
            let (eject, ejectMax) = (reader.path + "/eject", reader.path + "/eject-max")
            guard failures.eject > failures.ejectMax, reader.isFree(eject),
                reader.isFree(ejectMax)
            else { return }
            let place = reader.place(eject, ejectMax)
            let times = "(\(failures.eject.spelled)) is longer than eject-max"
            let text = "\(reader.subject): eject \(times) (\(failures.ejectMax.spelled))"
            reader.report(text, at: place ?? tree.position)
        }
    )

    private static let health = Section(
        doc: "`{}` takes every default.",
        defaults: { Settings.Health() },
        fields: [
            Field(
                "interval",
                \.interval,
                Scalar.duration(.milliseconds(100) ... .hours(1)).form,
                doc: "How often a server is checked."
            ),
            Field(
                "timeout",
                \.timeout,
                Scalar.duration(.milliseconds(1) ... .minutes(10)).form,
                doc: "The time it has to accept the connection."
            ),
            Field(
                "fall",
                \.fall,
                Scalar.integer(1...100).form,
                doc: "So many failed checks in a row take it down."
            ),
            Field(
                "rise",
                \.rise,
                Scalar.integer(1...100).form,
                doc: "So many good ones in a row bring it back."
            ),
        ]
    )

    private static let keep = Section(
        doc: "Reuse of server connections.",
        defaults: { Settings.Keep() },
        fields: [
            Field(
                "idle-connections",
                \.idleConnections,
                Scalar.integer(0...10_000).form,
                doc: "So many for each worker and server. 0 closes each after its request."
            ),
            Field(
                "idle",
                \.idle,
                Scalar.duration(.milliseconds(100) ... .hours(24)).form,
                doc: "How long one is kept. Should be less than the server's own keep-alive."
            ),
        ]
    )

    private static let persistence = Section(
        doc: "One way to bind.",
        defaults: { Settings.Persistence() },
        fields: [
            Field(
                "cookie",
                \.cookie,
                .group(cookie),
                isRequired: true,
                doc: "A sealed cookie of Belay's own. `{}` takes every default."
            )
        ]
    )
}

extension Declaration {
    private static let cookie = Section(
        doc: """
            The cookie shows no address and cannot be forged. Servers never see it. Pools that one \
            browser reaches under one host need different names.
            """,
        defaults: { Settings.BindingCookie() },
        fields: [
            Field("name", \.name, Scalar.cookieName.form, doc: "The name of the cookie."),
            Field(
                "domain",
                \.domain,
                Scalar.cookieDomain.optional.form,
                doc: "The domain that shares it. Left out: the host that set it."
            ),
            Field("path", \.path, Scalar.cookiePath.form, doc: "The path that it is sent for."),
            Field(
                "same-site",
                \.sameSite,
                Scalar.choice(of: Settings.SameSite.self).form,
                doc: "Whether other sites' requests carry it, as browsers define it."
            ),
            Field(
                "secure",
                \.secure,
                Scalar.choice(of: Settings.SecureFlag.self).form,
                doc: "Whether it travels over TLS only. `auto`: if the client came over TLS."
            ),
            Field(
                "idle",
                \.idle,
                Scalar.duration(.seconds(1) ... .hours(24 * 400)).orNil("off").form,
                doc: "A binding ends when it was not used for so long."
            ),
            Field(
                "lifetime",
                \.lifetime,
                Scalar.duration(.seconds(1) ... .hours(24 * 400)).orNil("off").form,
                doc: "A binding ends when it is so old, used or not."
            ),
        ],
        finish: checkCookie
    )
}

extension Settings.Server {
    /// What an entry starts from; without an address it is a problem.
    fileprivate static let blank = Settings.Server(
        name: .unset,
        address: Settings.ServerAddress(host: "", port: 0)
    )
}

extension Scalar where Value == Settings.ProxyTLV {
    /// What a header of the PROXY protocol can add.
    fileprivate static let proxyTLV = Scalar.choice(
        Settings.ProxyTLV.allCases.map { ($0.spelled, $0) }
    )
}

extension Scalar where Value == Weight {
    /// A server's weight.
    fileprivate static let weight: Scalar = {
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
