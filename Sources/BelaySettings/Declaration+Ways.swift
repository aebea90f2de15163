import BelayCore

// The settings of the ways to bind.

/// An entry of the list of ways: a group with one key, which says which way.
struct WayEntry: Sendable {
    var cookie: Settings.BindingCookie?
    var applicationCookie: Settings.ApplicationCookie?
    var header: Settings.BindingHeader?
    var query: Settings.BindingQuery?
    var sourceAddress: Settings.BindingAddress?
    var tuple: TupleEntry?
    var tlsSession: NoSettings?
    var jwt: Settings.BindingToken?

    init() {}

    init(_ way: Settings.Way) {
        switch way {
        case .cookie(let cookie): self.cookie = cookie
        case .applicationCookie(let cookie): self.applicationCookie = cookie
        case .header(let header): self.header = header
        case .query(let query): self.query = query
        case .sourceAddress(let address): self.sourceAddress = address
        case .tuple(let fields): self.tuple = TupleEntry(fields: fields)
        case .tlsSession: self.tlsSession = NoSettings()
        case .jwt(let token): self.jwt = token
        }
    }

    /// Nil without a key. Of several the first; `checkWay` reports them.
    var way: Settings.Way? {
        if let cookie { return .cookie(cookie) }
        if let applicationCookie { return .applicationCookie(applicationCookie) }
        if let header { return .header(header) }
        if let query { return .query(query) }
        if let sourceAddress { return .sourceAddress(sourceAddress) }
        if let tuple { return .tuple(tuple.fields) }
        if tlsSession != nil { return .tlsSession }
        if let jwt { return .jwt(jwt) }
        return nil
    }

    /// The key of a way that needs no more than that, in place of the group.
    var word: String {
        get { self.way?.spelled ?? "" }
        set {
            if let way = Self.plain.first(where: { $0.spelled == newValue }) { self = .init(way) }
        }
    }

    /// The ways that have a default for everything.
    static let plain: [Settings.Way] = [
        .cookie(.init()), .sourceAddress(.init()), .tuple(.five), .tlsSession, .jwt(.init()),
    ]
}

/// The settings of `tuple`.
struct TupleEntry: Sendable {
    var fields = Settings.TupleFields.five
}

/// A group that has no settings.
struct NoSettings: Sendable {}

extension Form where Value == WayEntry {
    /// A way to bind.
    static let way = Form.group(
        Declaration.way,
        orJust: \.word,
        Scalar<String>.choice(WayEntry.plain.map { ($0.spelled, $0.spelled) }).form
    )

    /// The keys of which an entry has one.
    static let wayKeys = Declaration.way.fields.map(\.name)
}

extension Declaration {
    fileprivate static let way = Section(
        doc: """
            Each entry has one of these keys. A way of which every default will do may be the word \
            alone: `ways: [cookie, source-address]`.
            """,
        defaults: { WayEntry() },
        fields: waysOfHTTP + waysOfConnections,
        extraSchema: [
            .init(key: "minProperties", value: 1), .init(key: "maxProperties", value: 1),
        ],
        finish: checkWay
    )

    private static let waysOfHTTP: [Field<WayEntry>] = [
        Field(
            "cookie",
            \.cookie,
            Form.group(cookie).optional(from: { Settings.BindingCookie() }),
            doc: "A sealed cookie of Belay's own. `{}` takes every default."
        ),
        Field(
            "application-cookie",
            \.applicationCookie,
            Form.group(applicationCookie).optional(from: { Settings.ApplicationCookie(name: "") }),
            doc: "The application's own session cookie."
        ),
        Field(
            "header",
            \.header,
            Form.group(header).optional(from: { Settings.BindingHeader(name: "") }),
            doc: "A field of the request's head."
        ),
        Field(
            "query",
            \.query,
            Form.group(query).optional(from: { Settings.BindingQuery(name: "") }),
            doc: "A parameter of the request's query."
        ),
        Field(
            "jwt",
            \.jwt,
            Form.group(token).optional(from: { Settings.BindingToken() }),
            doc: "A claim of a JSON Web Token: the user, on whichever device."
        ),
    ]

    private static let waysOfConnections: [Field<WayEntry>] = [
        Field(
            "source-address",
            \.sourceAddress,
            Form.group(sourceAddress).optional(from: { Settings.BindingAddress() }),
            doc: "The client's address. Also for TCP."
        ),
        Field(
            "tuple",
            \.tuple,
            Form.group(tuple).optional(from: { TupleEntry() }),
            doc: "A hash of addresses and ports, as network balancers have it. Also for TCP."
        ),
        Field(
            "tls-session",
            \.tlsSession,
            Form.group(noSettings).optional(from: { NoSettings() }),
            doc: "The client's TLS session, also when it is resumed. Also for TCP. `{}`."
        ),
    ]

    private static let noSettings = Section(
        doc: "There is nothing to set.",
        defaults: { NoSettings() },
        fields: [Field<NoSettings>]()
    )
}

extension Declaration {
    private static let applicationCookie = Section(
        doc: "Servers find their cookie as they set it, whatever the mode.",
        defaults: { Settings.ApplicationCookie(name: "") },
        fields: [
            Field(
                "name",
                \.name,
                Scalar.cookieName.orMissing.form,
                isRequired: true,
                doc: "The name of the cookie, such as `JSESSIONID`, `PHPSESSID` or `connect.sid`."
            ),
            Field(
                "mode",
                \.mode,
                Scalar.choice(of: Settings.ApplicationCookieMode.self).form,
                doc: """
                    `learn` remembers in the table which server set which value. `prefix` puts the \
                    server's `route` before the value and takes it off again, with no table. \
                    `route` reads it behind the value, which the application puts there \
                    itself: `JSESSIONID=abc.node1`.
                    """
            ),
            Field(
                "separator",
                \.separator,
                Scalar.separator.form,
                where: { $0.mode != .learn },
                doc: """
                    One character between the value and the server. Left out: `~` for `prefix`, \
                    `.` for `route`.
                    """
            ),
        ],
        finish: checkApplicationCookie
    )

    private static let header = Section(
        doc: "Values are learned into the table.",
        defaults: { Settings.BindingHeader(name: "") },
        fields: [
            Field(
                "name",
                \.name,
                Scalar.headerName.orMissing.form,
                isRequired: true,
                doc: "The name of the field, such as `Mcp-Session-Id`, in any case."
            ),
            Field(
                "learn",
                \.learn,
                Scalar.flag.form,
                doc: """
                    `true`: a value is bound when a server hands it out, in the field of that \
                    name. `false`: a value that a client brings is bound with its first \
                    request, such as an API key.
                    """
            ),
        ]
    )

    private static let query = Section(
        doc: "Values are learned into the table, as they are spelled.",
        defaults: { Settings.BindingQuery(name: "") },
        fields: [
            Field(
                "name",
                \.name,
                Scalar.queryName.orMissing.form,
                isRequired: true,
                doc: "The name of the parameter, such as `sid`."
            ),
            Field(
                "learn",
                \.learn,
                Scalar.queryLearning.form,
                doc: """
                    `off`: a value that a client brings is bound with its first request. `header \
                    NAME` and `body`: it is bound when a server hands it out, in that field, or as \
                    the member of that name in the first bytes of a JSON body (Socket.IO).
                    """
            ),
        ]
    )

    private static let sourceAddress = Section(
        doc: "Clients behind one address are one.",
        defaults: { Settings.BindingAddress() },
        fields: [
            Field(
                "ipv4-prefix",
                \.ipv4Prefix,
                Scalar.integer(8...32).form,
                doc: "So many bits of an IPv4 address count."
            ),
            Field(
                "ipv6-prefix",
                \.ipv6Prefix,
                Scalar.integer(16...128).form,
                doc: "So many bits of an IPv6 address count. A household or a machine has 64."
            ),
            Field(
                "store",
                \.store,
                Scalar.choice(of: Settings.AddressStore.self).form,
                doc: """
                    `table` remembers where an address went. `hash` computes it: nothing is \
                    remembered, and some clients move whenever the set of servers changes.
                    """
            ),
        ]
    )

    private static let tuple = Section(
        doc: "Nothing is remembered: some clients move whenever the set of servers changes.",
        defaults: { TupleEntry() },
        fields: [
            Field(
                "fields",
                \.fields,
                Scalar.tupleFields.form,
                doc: "2: the addresses of both sides; 3: the protocol too; 5: the ports too."
            )
        ]
    )

    private static let token = Section(
        doc: "Users are learned into the table.",
        defaults: { Settings.BindingToken() },
        fields: [
            Field(
                "claim",
                \.claim,
                Scalar.claim.form,
                doc: "The claim that is bound, a text or a number at the top of the token."
            ),
            Field(
                "header",
                \.header,
                Scalar.headerName.form,
                doc: "Where the token is; in `authorization` behind `Bearer`."
            ),
            Field(
                "algorithm",
                \.algorithm,
                Scalar.tokenAlgorithm.orNil("off").form,
                doc: """
                    How tokens are signed; others count for nothing. `off` looks at no signature: \
                    then a client can choose whose server it goes to, and no more than that.
                    """
            ),
            Field(
                "secret",
                \.secret,
                Scalar.secretText.optional.form,
                doc: "The key of `HS…`, as text."
            ),
            Field(
                "key-file",
                \.keyFile,
                Scalar.filePath.optional.form,
                doc: "A file with the public key (PEM), or for `HS…` with the key as it is."
            ),
        ],
        finish: checkToken
    )
}
