import BelayCore

// The settings of how Belay finds out whether a server is well.

extension Declaration {
    static let failures = Section(
        doc: """
            A failure is a refused or lost connection, no answer in time, or an answer of \
            `statuses`. An ejected server gets no requests until its time is over.
            """,
        defaults: { Settings.Failures() },
        fields: failuresInARow + failuresAmongOthers,
        finish: checkFailures
    )

    private static let failuresInARow: [Field<Settings.Failures>] = [
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
        Field(
            "statuses",
            \.statuses,
            .list(
                of: Scalar.status(400...599).form,
                from: { Settings.StatusRange(500...599) },
                max: 32
            ),
            doc: "Answers that are failures too, such as `[502-504]`."
        ),
    ]

    private static let failuresAmongOthers: [Field<Settings.Failures>] = [
        Field(
            "error-rate",
            \.errorRate,
            Scalar.percentage.orNil("off").form,
            doc: """
                Ejects a server whose share of failures is so much above the mean of the pool's \
                others: with `50%`, more than 60 in 100 where the others have 10.
                """
        ),
        Field(
            "latency",
            \.latency,
            Scalar.number(1.5...100).orNil("off").form,
            doc: "Ejects a server that takes so many times as long as the pool's median."
        ),
        Field(
            "interval",
            \.interval,
            Scalar.duration(.seconds(1) ... .hours(1)).form,
            where: { $0.errorRate != nil || $0.latency != nil },
            doc: "How often servers are compared by `error-rate` and `latency`."
        ),
        Field(
            "requests-min",
            \.requestsMin,
            Scalar.integer(1...1_000_000).form,
            where: { $0.errorRate != nil || $0.latency != nil },
            doc: "Only servers that had so many requests in an `interval` are compared."
        ),
    ]
}

extension Declaration {
    static let health = Section(
        doc: "`{}` takes every default.",
        defaults: { Settings.Health() },
        fields: healthQuestion + healthTimes + healthAgents,
        finish: checkHealth
    )

    /// What a server is asked.
    private static let healthQuestion: [Field<Settings.Health>] = [
        Field(
            "check",
            \.check,
            Scalar.choice(of: Settings.HealthCheck.self).form,
            doc: """
                What a server that is well does: it accepts a connection, ends a `tls` handshake, \
                answers a request (`http`), or calls itself serving (`grpc`, grpc.health.v1). Left \
                out: `http` if there is a `path`, `grpc` if there is a `service`, else `tcp`.
                """
        ),
        Field(
            "path",
            \.path,
            Scalar.checkedPath.form,
            where: { $0.check == .http },
            doc: "What `http` asks for, perhaps with a query."
        ),
        Field(
            "host",
            \.host,
            Scalar.checkedHost.optional.form,
            where: { $0.check != .tcp },
            doc: "The host that is asked for. Left out: that of the server's address."
        ),
        Field(
            "method",
            \.method,
            Scalar.checkMethod.form,
            where: { $0.check == .http },
            doc: "The method of `http`."
        ),
        Field(
            "statuses",
            \.statuses,
            .list(
                of: Scalar.status(100...599).form,
                from: { Settings.StatusRange(200...399) },
                max: 32,
                isEmptyAllowed: false
            ),
            where: { $0.check == .http },
            doc: "The answers to `http` of a server that is well."
        ),
        Field(
            "body",
            \.body,
            Scalar.bodyText.optional.form,
            where: { $0.check == .http },
            doc: "What must be in the first 16 KiB of the body of the answer to `http`."
        ),
        Field(
            "service",
            \.service,
            Scalar.grpcService.form,
            where: { $0.check == .grpc },
            doc: "The service that `grpc` asks about. Left out: the server as a whole."
        ),
        Field(
            "port",
            \.port,
            Scalar.port.optional.form,
            doc: "Another port than the server's."
        ),
    ]

    private static let healthTimes: [Field<Settings.Health>] = [
        Field(
            "interval",
            \.interval,
            Scalar.duration(.milliseconds(100) ... .hours(1)).form,
            doc: "How often a server is checked, a tenth sooner or later each time."
        ),
        Field(
            "fast-interval",
            \.fastInterval,
            Scalar.duration(.milliseconds(10) ... .hours(1)).optional.form,
            doc: """
                How often while its state is changing. Left out: a quarter of `interval`, at least \
                100ms.
                """
        ),
        Field(
            "timeout",
            \.timeout,
            Scalar.duration(.milliseconds(1) ... .minutes(10)).form,
            doc: "The time it has for all of it."
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

    /// What a server says of itself.
    private static let healthAgents: [Field<Settings.Health>] = [
        Field(
            "agent",
            \.agent,
            Form.group(agent).orOff(from: { Settings.HealthAgent(port: 0) }),
            doc: """
                A program beside the server that is connected to and answers with HAProxy's words: \
                `75%`, `drain`, `maint`, `ready`, `up`, `down`, `fail`, `stopped`.
                """
        ),
        Field(
            "agent-header",
            \.agentHeader,
            Scalar.headerName.optional.form,
            where: { $0.check == .http },
            doc: "A field of the answer to `http` that has the same words."
        ),
    ]

    private static let agent = Section(
        doc: "One for each server, at its address.",
        defaults: { Settings.HealthAgent(port: 0) },
        fields: [
            Field(
                "port",
                \.port,
                Scalar.port.form,
                isRequired: true,
                doc: "The port that it listens on."
            ),
            Field(
                "interval",
                \.interval,
                Scalar.duration(.milliseconds(100) ... .hours(1)).form,
                doc: "How often it is asked."
            ),
        ]
    )
}
