import BelayCore

// The settings of how clients come back to their servers.

extension Settings.Persistence {
    /// The ways as entries of the list in the file.
    fileprivate var entries: [WayEntry] {
        get { self.ways.map { WayEntry($0) } }
        set { self.ways = newValue.compactMap(\.way) }
    }

    /// The cookie as the one way, which is written as a list of ways.
    fileprivate var shorthand: Settings.BindingCookie {
        get { self.ownCookie ?? Settings.BindingCookie() }
        set { self.ways = [.cookie(newValue)] }
    }

    /// The preset of the file, which is expanded at once and never written.
    fileprivate var choice: PresetChoice {
        get { PresetChoice() }
        set { newValue.expand(into: &self) }
    }
}

extension Form where Value == Settings.Persistence {
    /// How clients come back. A preset is read first, wherever it stands, so that what stands
    /// beside it has the last word.
    static let persistence: Form = {
        let group = Form.group(Declaration.persistence)
        return Form(
            outline: group.outline,
            read: { tree, value, reader in
                guard case .group(let entries) = tree.kind else {
                    return group.read(tree, &value, &reader)
                }
                let presets = entries.filter { $0.key == "preset" }
                let others = entries.filter { $0.key != "preset" }
                let sorted = Tree(kind: .group(presets + others), position: tree.position)
                group.read(sorted, &value, &reader)
            },
            encode: group.encode
        )
    }()
}

extension Declaration {
    fileprivate static let persistence = Section(
        doc: "Has `cookie`, `ways` or `preset`, and rules for the bindings.",
        defaults: { Settings.Persistence(ways: []) },
        fields: persistenceWays + persistenceRules,
        canBeEmpty: false,
        extraSchema: [
            .init(
                key: "oneOf",
                value: [
                    ["required": ["cookie"]], ["required": ["ways"]], ["required": ["preset"]],
                ]
            )
        ],
        finish: checkPersistence
    )

    private static let persistenceWays: [Field<Settings.Persistence>] = [
        Field(
            "cookie",
            \.shorthand,
            Form.group(cookie).short(for: "ways[].cookie"),
            where: { _ in false },
            doc: "Short for `ways` with a cookie of Belay's own alone. `{}` takes every default."
        ),
        Field(
            "preset",
            \.choice,
            .group(preset, orJust: \.name, Scalar.presetName.form),
            where: { _ in false },
            doc: """
                The semantics of a cloud's balancer, in place of `ways`: `belay check --expand` \
                prints what it stands for.
                """
        ),
        Field(
            "ways",
            \.entries,
            .list(of: .way, from: { WayEntry() }, max: 8, isEmptyAllowed: false),
            doc: """
                The ways to bind, in order. The first that finds a binding decides; those after it \
                learn of it.
                """
        ),
        Field(
            "exempt",
            \.exempt,
            .list(of: .group(exempt), from: { Settings.ExemptRule() }, max: 64),
            doc: """
                Requests that are never bound and are balanced freely: static files, bots. One \
                that matches any entry is exempt.
                """
        ),
    ]

    private static let persistenceRules: [Field<Settings.Persistence>] = [
        Field(
            "idle",
            \.idle,
            Scalar.duration(bindingTimes).orNil("off").form,
            where: \.learns,
            doc: "A binding in the table ends when it was not used for so long."
        ),
        Field(
            "lifetime",
            \.lifetime,
            Scalar.duration(bindingTimes).orNil("off").form,
            where: \.learns,
            doc: "A binding in the table ends when it is so old, used or not."
        ),
        Field(
            "table",
            \.table,
            .group(table),
            where: \.binds,
            doc: "Where bindings are remembered."
        ),
        Field(
            "return",
            \.returning,
            Scalar.choice(of: Settings.Returning.self).form,
            where: \.binds,
            doc: """
                What becomes of a client whose server is back: it stays where it went, or goes \
                home.
                """
        ),
        Field(
            "on-full",
            \.onFull,
            Scalar.choice(of: Settings.OnFull.self).form,
            where: \.binds,
            doc: """
                What becomes of a client whose server has had no room for `queue.timeout`: it \
                moves, or is answered `reject-status`.
                """
        ),
        Field(
            "on-failure",
            \.onFailure,
            Scalar.choice(of: Settings.OnFailure.self).form,
            where: \.binds,
            doc: """
                What becomes of a client whose server is down, ejected, in maintenance or gone: it \
                moves, or is answered `reject-status`.
                """
        ),
        Field(
            "reject-status",
            \.rejectStatus,
            Scalar.integer(400...599).form,
            where: \.rejects,
            doc: "The status for a client that is refused by `on-full` or `on-failure`."
        ),
        Field(
            "claim",
            \.claim,
            Scalar.duration(.milliseconds(10) ... .minutes(1)).orNil("off").form,
            where: \.binds,
            doc: """
                The first requests of a new client that come side by side follow the first of \
                them, for so long at most.
                """
        ),
    ]

    private static let bindingTimes = TimeSpan.seconds(1) ... .hours(24 * 400)

    private static let table = Section(
        doc: "A table for each pool: bindings that are learned, and those of cookies counted.",
        defaults: { Settings.BindingTable() },
        fields: [
            Field(
                "entries",
                \.entries,
                Scalar.integer(1_000...50_000_000).form,
                doc: """
                    So many bindings fit, 64 bytes each at most. When it is full, one that was not \
                    used for long makes room.
                    """
            ),
            Field(
                "file",
                \.file,
                Scalar.onOff.form,
                doc: "Keeps the table in the state directory, so that bindings outlive Belay."
            ),
        ]
    )

    private static let exempt = Section(
        doc: "A request has to meet all that is given.",
        defaults: { Settings.ExemptRule() },
        fields: [
            Field(
                "path",
                \.path,
                Scalar.pathPrefix.form,
                doc: "The start of the path, up to the end of a segment, as in routes."
            ),
            Field("suffix", \.suffix, Scalar.pathSuffix.optional.form, doc: "The end of the path."),
            Field(
                "user-agent",
                \.userAgent,
                Scalar.agentText.optional.form,
                doc: "A part of the field User-Agent, in any case."
            ),
            Field("method", \.method, Scalar.method.optional.form, doc: "The method."),
        ],
        finish: { rule, tree, reader in
            let keys = ["path", "suffix", "user-agent", "method"]
            let given = keys.compactMap { reader.place("\(reader.path)/\($0)") }
            if given.isEmpty {
                let text = "\(reader.subject) needs a path, suffix, user-agent or method"
                return reader.report(text, at: tree.position)
            }
            guard rule == Settings.ExemptRule(), reader.isFree(reader.path + "/path"),
                given.count == 1, let place = reader.place(reader.path + "/path")
            else { return }
            reader.report("\(reader.subject) would exempt every request", at: place)
        }
    )
}

extension Declaration {
    static let cookie = Section(
        doc: """
            The cookie shows no address and cannot be forged. Servers never see it. Pools that one \
            browser reaches under one host need different names.
            """,
        defaults: { Settings.BindingCookie() },
        fields: cookieAttributes + cookieRules,
        finish: checkCookie
    )

    private static let cookieAttributes: [Field<Settings.BindingCookie>] = [
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
            "partitioned",
            \.partitioned,
            Scalar.flag.form,
            doc: "Whether each site that embeds the page has one of its own (CHIPS). Over TLS only."
        ),
        Field(
            "secure",
            \.secure,
            Scalar.choice(of: Settings.SecureFlag.self).form,
            doc: "Whether it travels over TLS only. `auto`: if the client came over TLS."
        ),
        Field(
            "http-only",
            \.httpOnly,
            Scalar.flag.form,
            doc: "Whether scripts of the page are kept from it. `false` is warned of."
        ),
        Field(
            "keep",
            \.keep,
            Scalar.choice(of: Settings.CookieKeeping.self).form,
            doc: """
                How long browsers keep it: until they are closed (`session`), or as long as the \
                `binding` may be used.
                """
        ),
    ]

    private static let cookieRules: [Field<Settings.BindingCookie>] = [
        Field(
            "idle",
            \.idle,
            Scalar.duration(bindingTimes).orNil("off").form,
            doc: "A binding ends when it was not used for so long."
        ),
        Field(
            "lifetime",
            \.lifetime,
            Scalar.duration(bindingTimes).orNil("off").form,
            doc: "A binding ends when it is so old, used or not."
        ),
        Field(
            "set-on",
            \.setOn,
            Scalar.choice(of: Settings.SetOn.self).form,
            doc: """
                The requests whose answers may bring it: all, or those for a page \
                (`navigation`, as browsers tell in Sec-Fetch-Mode), so that no picture binds.
                """
        ),
        Field(
            "preserve",
            \.preserve,
            Scalar.flag.form,
            doc: """
                Lets the application end the binding: an answer that clears a cookie of this name \
                is obeyed.
                """
        ),
    ]
}
