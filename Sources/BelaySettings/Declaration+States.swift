import BelayCore

// The settings of servers that come, go and fall silent, and of the clients that are bound to them.

extension Declaration {
    static let poolStates: [Field<Settings.ServerPool>] = [
        Field(
            "sessions",
            \.sessions,
            Scalar.choice(of: Settings.SessionPlace.self).form,
            doc: """
                Who can read a user's session: the `server` that made it and no other, so that \
                moving its client loses it; or every server (`shared`: Redis, a database).
                """
        ),
        Field(
            "removal",
            \.removal,
            Scalar.choice(of: Settings.Removal.self).form,
            doc: """
                What a server that is no longer in the file after a reload does with its bound \
                clients: keep them until `drain-deadline`, or let them move with their next request.
                """
        ),
        Field(
            "drain-deadline",
            \.drainDeadline,
            Scalar.duration(.seconds(1) ... .hours(24 * 30)).form,
            doc: "How long a drain lasts at most, unless the command says another time."
        ),
        Field(
            "slow-start",
            \.slowStart,
            Scalar.duration(.milliseconds(100) ... .hours(1)).orNil("off").form,
            doc: """
                For how long a server that is up again, or was added, takes a growing share of \
                newcomers: a tenth at first.
                """
        ),
        Field(
            "newcomers",
            \.newcomers,
            Scalar.choice(of: Settings.Newcomers.self).form,
            doc: """
                `level`: to the server with the fewest bound clients for its weight, where one is \
                clearly behind the others; hashes excepted. `balance`: by the algorithm alone.
                """
        ),
        Field(
            "stall",
            \.stall,
            Scalar.duration(.milliseconds(100) ... .minutes(10)).orNil("off").form,
            doc: """
                A server of which nothing was heard for so long, and for three times as long as it \
                usually takes, while requests wait there, gets no newcomers until it answers; \
                idempotent requests of newcomers are tried elsewhere.
                """
        ),
        Field(
            "refused-patience",
            \.refusedPatience,
            Scalar.duration(.milliseconds(50) ... .minutes(1)).orNil("off").form,
            doc: """
                A bound client whose server refuses the connection is tried there again for so \
                long, before it moves: a server that starts again keeps its clients.
                """
        ),
        Field(
            "panic",
            \.panic,
            Scalar.percentage.orNil("off").form,
            doc: """
                If a smaller part of the servers is usable, health and ejection are ignored: the \
                few would only be overrun.
                """
        ),
        Field(
            "queue",
            \.queue,
            Form.group(queue).orOff(from: { Settings.Queue() }),
            doc: "Requests that wait while the servers that may take them are full."
        ),
        Field(
            "circuit",
            \.circuit,
            .group(circuit),
            doc: "What keeps a pool in trouble from being given more."
        ),
    ]

    private static let queue = Section(
        doc: "First come, first served. Only servers with `max-connections` can be full.",
        defaults: { Settings.Queue() },
        fields: [
            Field(
                "size",
                \.size,
                Scalar.integer(1...1_000_000).form,
                doc: "So many may wait, over all workers. The next one is answered 503."
            ),
            Field(
                "timeout",
                \.timeout,
                Scalar.duration(.milliseconds(1) ... .minutes(10)).form,
                doc: """
                    How long one waits. Then a client that is bound to a full server moves or is \
                    refused, as `on-full` says, and all others are answered 503.
                    """
            ),
        ]
    )

    private static let circuit = Section(
        doc: "For each Belay by itself.",
        defaults: { Settings.Circuit() },
        fields: [
            Field(
                "requests",
                \.requests,
                Scalar.integer(1...10_000_000).orNil("off").form,
                doc: "Requests open at all servers together. The next one is answered 503."
            ),
            Field(
                "retry-budget",
                \.retryBudget,
                Scalar.percentage.form,
                doc: "The part of the open requests that may be retries."
            ),
            Field(
                "retries-min",
                \.retriesMin,
                Scalar.integer(0...1_000_000).form,
                doc: "So many retries at once are allowed whatever the budget."
            ),
        ]
    )
}
