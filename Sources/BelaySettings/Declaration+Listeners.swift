import BelayCore

// The settings of a listener.

extension Declaration {
    static let listener = Section(
        doc: "An entry may also be the address alone.",
        defaults: { Settings.Listener(address: SocketAddress(ip: .anyV6, port: 0)) },
        fields: listenerOfAnyKind + listenerOfHTTP + listenerOfTCP,
        finish: checkListener
    )

    private static let listenerOfAnyKind: [Field<Settings.Listener>] = [
        Field(
            "address",
            \.address,
            Scalar.listenAddress.form,
            isRequired: true,
            doc: """
                Without a host, every address of the machine, IPv4 and IPv6. Port 0 lets the \
                system choose one.
                """
        ),
        Field(
            "name",
            \.name,
            Scalar.name.form,
            doc: "What logs and metrics call it. Left out: the address."
        ),
        Field(
            "kind",
            \.kind,
            Scalar.choice(of: Settings.ListenerKind.self).form,
            doc: """
                `http` sends requests where `routes` say. `tcp` sends whole connections to a \
                server pool, whatever they carry.
                """
        ),
        Field(
            "tls",
            \.tls,
            Form.group(listenerTLS).orOff(from: { Settings.ListenerTLS() }),
            doc: """
                TLS with the clients. A listener of kind `tcp` without it passes TLS on as it is; \
                with it, servers get what was inside.
                """
        ),
        Field(
            "proxy-protocol",
            \.proxyProtocol,
            Scalar.choice(of: Settings.ProxyAcceptance.self).form,
            doc: """
                Reads the client's address from a header of the PROXY protocol, version 1 or 2, \
                when a connection comes from `trusted-proxies`. `required` closes connections \
                that do not begin with one. A header from anyone else closes the connection.
                """
        ),
    ]

    /// Of no use on a listener of TCP, and refused there.
    static let listenerOfHTTP: [Field<Settings.Listener>] = [
        Field(
            "protocols",
            \.protocols,
            .list(of: Scalar.httpVersion.form, from: { .http1 }, max: 8, isEmptyAllowed: false),
            where: { $0.kind == .http },
            doc: """
                `http` only: the versions of HTTP that clients may speak, the preferred first. \
                Over TLS they are offered with ALPN; in clear text a client begins with `h2` \
                without asking.
                """
        ),
        Field(
            "redirect-to-https",
            \.redirectToHTTPS,
            Scalar.redirectPort.form,
            where: { $0.kind == .http },
            doc: """
                `http` without `tls` only: answers every request 308, to the same host and path \
                at `https://`. `on` is port 443; a number is another port.
                """
        ),
        Field(
            "hsts",
            \.hsts,
            Form.group(hsts).orOff(from: { Settings.StrictTransport() }),
            where: { $0.kind == .http },
            doc: """
                `http` with `tls` only: adds `Strict-Transport-Security`, after which browsers \
                come over TLS only, to answers that do not have it.
                """
        ),
    ]

    /// Of no use on a listener of HTTP, and refused there.
    static let listenerOfTCP: [Field<Settings.Listener>] = [
        Field(
            "pool",
            \.pool,
            Scalar.poolName.optional.form,
            where: { $0.kind == .tcp },
            doc: """
                `tcp` only: the server pool of connections that no entry of `sni` takes. Left \
                out: they are closed.
                """
        ),
        Field(
            "sni",
            \.sni,
            .list(
                of: .group(sniRule),
                from: { Settings.SNIRule(host: .any, pool: .unset) },
                max: 1000,
                isEmptyAllowed: false
            ),
            where: { $0.kind == .tcp },
            doc: """
                `tcp` only: which server pool a connection goes to, by the host that the client \
                asks for in TLS (SNI). It is read without decrypting. Entries are tried from the \
                top; the first that matches is taken.
                """
        ),
    ]

    private static let hsts = Section(
        doc: "What browsers remember (RFC 6797). `{}` takes every default.",
        defaults: { Settings.StrictTransport() },
        fields: [
            Field(
                "max-age",
                \.maxAge,
                Scalar.duration(.seconds(1) ... .hours(24 * 3650)).form,
                doc: "How long they come over TLS only. `1s` makes them forget it."
            ),
            Field(
                "include-subdomains",
                \.includeSubdomains,
                Scalar.flag.form,
                doc: "Whether that holds for every host below this one too."
            ),
            Field(
                "preload",
                \.preload,
                Scalar.flag.form,
                doc: """
                    Lets browsers ship with the host on their list, which is slow to undo. Needs \
                    `include-subdomains` and a `max-age` of a year.
                    """
            ),
        ],
        finish: checkStrictTransport
    )

    private static let sniRule = Section(
        doc: "One host, or all below one.",
        defaults: { Settings.SNIRule(host: .any, pool: .unset) },
        fields: [
            Field(
                "host",
                \.host,
                Scalar.sniHost.form,
                isRequired: true,
                doc: """
                    The host. `*.example.com` (in quotes) is every host below `example.com`, and \
                    not `example.com` itself.
                    """
            ),
            Field(
                "pool",
                \.pool,
                Scalar.poolName.form,
                isRequired: true,
                doc: "The server pool that gets the connection."
            ),
        ]
    )
}

extension Scalar where Value == Settings.HTTPVersion {
    /// A version of HTTP.
    fileprivate static let httpVersion = Scalar.choice(
        Settings.HTTPVersion.allCases.map { ($0.spelled, $0) }
    )
}
