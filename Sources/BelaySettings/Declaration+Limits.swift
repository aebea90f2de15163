import BelayCore

// The settings that bound, tell and write down.

extension Declaration {
    static let limits = Section(
        doc: "Each refuses, counts what it refused and goes on.",
        defaults: { Settings.Limits() },
        fields: limitsOnAmounts + limitsOnTimes + limitsOnHTTP2
    )

    private static let limitsOnAmounts: [Field<Settings.Limits>] = [
        Field(
            "connections",
            \.connections,
            Scalar.integer(1...10_000_000).form,
            doc: "Connections of clients in all."
        ),
        Field(
            "connections-per-client",
            \.connectionsPerClient,
            Scalar.integer(1...10_000_000).orNil("off").form,
            doc: "Connections of one client address."
        ),
        Field(
            "pending-connects",
            \.pendingConnects,
            Scalar.integer(1...1_000_000).form,
            doc: "Connections to servers that are being opened, for each worker."
        ),
        Field(
            "requests-per-connection",
            \.requestsPerConnection,
            Scalar.integer(1...1_000_000_000).orNil("off").form,
            doc: "Requests before a client's connection is closed."
        ),
        Field(
            "tunnels-per-client",
            \.tunnelsPerClient,
            Scalar.integer(1...1_000_000).orNil("off").form,
            doc: """
                Tunnels of one client address at once: WebSockets, and connections of listeners \
                of kind `tcp`. One more WebSocket is answered 429, one more connection closed.
                """
        ),
        Field(
            "handshakes-per-client",
            \.handshakesPerClient,
            Scalar.integer(1...1_000_000).orNil("off").form,
            doc: "TLS handshakes of one client address in a second; further ones are closed."
        ),
        Field(
            "head-size",
            \.headSize,
            Scalar.size(ByteCount(kibibytes: 1)...ByteCount(kibibytes: 48)).form,
            doc: "The request line and the fields of a request, or the head of an answer."
        ),
        Field(
            "header-count",
            \.headerCount,
            Scalar.integer(1...250).form,
            doc: "The fields of a head."
        ),
        Field(
            "body-size",
            \.bodySize,
            Scalar.size(ByteCount(bytes: 1)...ByteCount(bytes: 1 << 50)).orNil("off").form,
            doc: "The body of a request; larger ones are answered 413. Bodies are not buffered."
        ),
    ]

    private static let limitsOnTimes: [Field<Settings.Limits>] = [
        Field(
            "handshake-timeout",
            \.handshakeTimeout,
            Scalar.duration(.milliseconds(100) ... .hours(1)).form,
            doc: """
                The time a client has from its connection to the end of the TLS handshake, with \
                a header of the PROXY protocol before it; then it is closed.
                """
        ),
        Field(
            "head-timeout",
            \.headTimeout,
            Scalar.duration(.milliseconds(100) ... .hours(1)).form,
            doc: "The time a client has to send a head, from its first byte."
        ),
        Field(
            "keep-alive",
            \.keepAlive,
            Scalar.duration(.milliseconds(100) ... .hours(24)).form,
            doc: "How long a client's connection may wait for its next request."
        ),
        Field(
            "idle",
            \.idle,
            Scalar.duration(.milliseconds(100) ... .hours(24)).form,
            doc: "How long nothing may move in an exchange, on either side."
        ),
        Field(
            "tunnel-idle",
            \.tunnelIdle,
            Scalar.duration(.milliseconds(100) ... .hours(24)).form,
            doc: """
                How long nothing may move in a tunnel, on either side: a WebSocket, or a \
                connection of a listener of kind `tcp`.
                """
        ),
        Field(
            "connect-timeout",
            \.connectTimeout,
            Scalar.duration(.milliseconds(1) ... .minutes(10)).form,
            doc: "The time a server has to accept a connection."
        ),
        Field(
            "shutdown",
            \.shutdown,
            Scalar.duration(.milliseconds(1) ... .hours(24)).form,
            doc: "How long exchanges may go on after Belay was told to stop."
        ),
        Field(
            "upgrade",
            \.upgrade,
            Scalar.duration(.milliseconds(1) ... .hours(24 * 7)).form,
            doc: """
                How long the old process may finish its exchanges and tunnels after \
                `belay upgrade`.
                """
        ),
    ]

    private static let limitsOnHTTP2: [Field<Settings.Limits>] = [
        Field("http2", \.http2, .group(http2), doc: "What a client may do over HTTP/2.")
    ]

    private static let http2 = Section(
        doc: """
            Each is for one connection. Where a client goes beyond an allowance, its connection is \
            ended; what it used up comes back within 10 seconds.
            """,
        defaults: { Settings.HTTP2Limits() },
        fields: [
            Field(
                "streams",
                \.streams,
                Scalar.integer(1...1_000).form,
                doc: "Requests at once; further ones are refused, and clients may send them again."
            ),
            Field(
                "resets",
                \.resets,
                Scalar.integer(10...1_000_000).form,
                doc: """
                    The allowance of requests that the client resets before they are answered, or \
                    spoils so that Belay has to.
                    """
            ),
            Field(
                "control-frames",
                \.controlFrames,
                Scalar.integer(10...1_000_000).form,
                doc: """
                    The allowance of PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA and \
                    unknown frames that nothing calls for.
                    """
            ),
        ]
    )

    static let headers = Section(
        doc: "What clients send in these is dropped, unless they are among `trusted-proxies`.",
        defaults: { Settings.Headers() },
        fields: [
            Field(
                "x-forwarded",
                \.xForwarded,
                Scalar.onOff.form,
                doc: "Sends `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`."
            ),
            Field(
                "forwarded",
                \.forwarded,
                Scalar.onOff.form,
                doc: "Sends `Forwarded` (RFC 7239)."
            ),
            Field(
                "via",
                \.via,
                Scalar.choice(of: Settings.Via.self).form,
                doc: """
                    Adds to `Via`: the name of the machine, or with `pseudonym` the word `belay`, \
                    which tells nothing.
                    """
            ),
            Field(
                "client-certificate",
                \.clientCertificate,
                Scalar.onOff.form,
                doc: """
                    Where a listener asks clients for certificates, sends `X-Client-Verify`, which \
                    is `SUCCESS` or `NONE`, and with `SUCCESS` also `Client-Cert` (RFC 9440), \
                    `X-Client-Subject`, `X-Client-Issuer`, `X-Client-Serial` and \
                    `X-Client-Fingerprint`.
                    """
            ),
        ]
    )

    static let log = Section(
        doc: "Exchanges have a log of their own; what Belay says of itself goes to stderr.",
        defaults: { Settings.Log() },
        fields: [
            Field(
                "access",
                \.access,
                Scalar.choice(of: Settings.AccessFormat.self).form,
                doc: "One line for each exchange, with its decision and its times."
            ),
            Field(
                "access-to",
                \.accessTo,
                Scalar.logTarget.form,
                doc: "Where these lines go. A file is appended to."
            ),
            Field(
                "level",
                \.level,
                Scalar.choice(of: Settings.LogLevel.self).form,
                doc: "How much Belay says of itself: this level and all after it."
            ),
        ]
    )

    static let keys = Section(
        doc: "Either the keys themselves or a file with them.",
        defaults: { Settings.Keys() },
        fields: [
            Field(
                "ring",
                \.ring,
                .list(
                    of: Scalar.key.form,
                    from: { SecretKey(bytes: []) },
                    max: 8,
                    isEmptyAllowed: false
                ),
                doc: """
                    The first seals, all open. To change keys, put the new one second, restart \
                    everywhere, put it first, restart, and drop the old one after a lifetime.
                    """
            ),
            Field(
                "file",
                \.file,
                Scalar.filePath.optional.form,
                doc: "A file with one key on each line, the current first."
            ),
        ],
        finish: checkKeys
    )
}
