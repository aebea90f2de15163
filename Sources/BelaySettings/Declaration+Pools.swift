import BelayCore

// The settings of a server pool.

extension Declaration {
    static let pool = Section(
        doc: "Servers that can answer the same requests.",
        defaults: { Settings.ServerPool(name: .unset, servers: []) },
        fields: poolServers + poolFailing + poolKeeping + poolStates,
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
            \.entries,
            .list(
                of: .group(server, orJust: \.server.address, Scalar.serverAddress.form),
                from: { ServerEntry() },
                max: 10_000,
                isEmptyAllowed: false
            ),
            isRequired: true,
            doc: "The servers, and where more of them come from."
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
                Active checks: a server that fails them is down and gets no requests. `{}` \
                connects and takes every default.
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
            Form.persistence.orOff(from: { Settings.Persistence(ways: []) }),
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
}

extension Scalar where Value == Settings.ProxyTLV {
    /// What a header of the PROXY protocol can add.
    fileprivate static let proxyTLV = Scalar.choice(
        Settings.ProxyTLV.allCases.map { ($0.spelled, $0) }
    )
}
