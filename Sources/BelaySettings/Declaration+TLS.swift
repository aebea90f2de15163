import BelayCore

// The settings of TLS, with clients and with servers.

extension Declaration {
    static let listenerTLS = Section(
        doc: """
            Files are read when Belay starts, and again when they change; a relative path starts \
            where Belay does.
            """,
        defaults: { Settings.ListenerTLS() },
        fields: listenerCertificates + listenerHandshake,
        finish: checkCertificates
    )

    private static let listenerCertificates: [Field<Settings.ListenerTLS>] = [
        Field(
            "certificates",
            \.certificates,
            .list(
                of: .group(certificate),
                from: { Settings.Certificate(certificate: "", key: "") },
                max: 1000,
                isEmptyAllowed: false
            ),
            isRequired: true,
            doc: """
                Each is served to clients that ask for one of its names, the first also where no \
                name matches. One of RSA and one of ECDSA may stand side by side for a name.
                """
        ),
        Field(
            "unknown-names",
            \.unknownNames,
            Scalar.choice(of: Settings.UnknownNames.self).form,
            doc: """
                A client that asks for a name no certificate has: `serve` gives it the first, \
                `refuse` ends the handshake.
                """
        ),
        Field(
            "client-certificates",
            \.clientCertificates,
            Form.group(clientCertificates).orOff(from: { .blank }),
            doc: "Whether clients show certificates too."
        ),
    ]

    private static let listenerHandshake: [Field<Settings.ListenerTLS>] = [
        Field(
            "minimum",
            \.minimum,
            Scalar.tlsVersion.form,
            doc: "The oldest version of TLS that clients may speak; older ones are refused."
        ),
        Field(
            "ciphers",
            \.ciphers,
            Scalar.openSSLList("ECDHE-RSA-AES128-GCM-SHA256").form,
            doc: "The ciphers of TLS 1.2, as OpenSSL names them. A client without any is refused."
        ),
        Field(
            "cipher-suites",
            \.cipherSuites,
            Scalar.openSSLList("TLS_AES_256_GCM_SHA384").form,
            doc: "The ciphers of TLS 1.3, as OpenSSL names them."
        ),
        Field(
            "groups",
            \.groups,
            Scalar.openSSLList("X25519:P-256").form,
            doc: "The groups in which keys are agreed on, the preferred first."
        ),
        Field(
            "tickets",
            \.tickets,
            Scalar.onOff.form,
            doc: """
                Lets clients resume a session with a ticket instead of a whole handshake. Belays \
                that share `keys` accept each other's.
                """
        ),
        Field(
            "ticket-rotation",
            \.ticketRotation,
            Scalar.duration(.minutes(10) ... .hours(24 * 7)).form,
            doc: "How long one key seals tickets before the next does."
        ),
    ]

    private static let certificate = Section(
        doc: "A certificate and its key.",
        defaults: { Settings.Certificate(certificate: "", key: "") },
        fields: [
            Field(
                "certificate",
                \.certificate,
                Scalar.filePath.form,
                isRequired: true,
                doc: "A PEM file: the certificate, then the chain to its authority."
            ),
            Field(
                "key",
                \.key,
                Scalar.filePath.form,
                isRequired: true,
                doc: "A PEM file with the private key."
            ),
            Field(
                "ocsp",
                \.ocsp,
                Scalar.filePath.optional.form,
                doc: "A DER file with the authority's answer, which is stapled to handshakes."
            ),
        ]
    )

    private static let clientCertificates = Section(
        doc: "A certificate that is shown has to be valid in either mode.",
        defaults: { Settings.ClientCertificates.blank },
        fields: [
            Field(
                "mode",
                \.mode,
                Scalar.choice(of: Settings.ClientCertificateMode.self).form,
                doc: "`required` refuses clients without one; `optional` lets them in."
            ),
            Field(
                "authorities",
                \.authorities,
                Scalar.filePath.form,
                isRequired: true,
                doc: "A PEM file with the authorities that are believed."
            ),
            Field(
                "depth",
                \.depth,
                Scalar.integer(1...10).form,
                doc: "The longest chain between a client's certificate and an authority."
            ),
        ]
    )

    static let poolTLS = Section(
        doc: "`{}` takes every default.",
        defaults: { Settings.PoolTLS() },
        fields: [
            Field(
                "authorities",
                \.authorities,
                Scalar.filePath.optional.form,
                doc: "A PEM file with the authorities that are believed. Left out: the system's."
            ),
            Field(
                "server-name",
                \.serverName,
                Scalar.tlsName.optional.form,
                doc: """
                    The name that servers are asked for (SNI) and that their certificates must \
                    have. Left out: the host of a server's address; where that is an IP address, \
                    the certificate must have it.
                    """
            ),
            Field(
                "verify",
                \.verify,
                Scalar.onOff.form,
                doc: "Whether a server without a valid certificate is refused. Keep it on."
            ),
            Field(
                "certificate",
                \.certificate,
                Scalar.filePath.optional.form,
                doc: "A PEM file with a certificate to show the servers. Needs `key`."
            ),
            Field(
                "key",
                \.key,
                Scalar.filePath.optional.form,
                doc: "A PEM file with its private key."
            ),
            Field(
                "minimum",
                \.minimum,
                Scalar.tlsVersion.form,
                doc: "The oldest version of TLS that is spoken with servers."
            ),
        ],
        finish: checkPoolTLS
    )
}

extension Settings.ClientCertificates {
    /// What the group starts from; without authorities it is a problem.
    fileprivate static let blank = Settings.ClientCertificates(authorities: "")
}
