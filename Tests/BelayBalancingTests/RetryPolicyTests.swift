import BelayBalancing
import Testing

@Suite struct RetryPolicyTests {
    struct Case: CustomTestStringConvertible {
        let failure: AttemptFailure
        let isIdempotent: Bool
        let isBodyHeld: Bool
        let mayRetry: Bool

        init(_ failure: AttemptFailure, _ method: String, body: String, _ mayRetry: Bool) {
            self.failure = failure
            self.isIdempotent = method == "GET"
            self.isBodyHeld = body == "held"
            self.mayRetry = mayRetry
        }

        var testDescription: String { "\(self.failure) \(self.isIdempotent) \(self.isBodyHeld)" }
    }

    @Test(arguments: [
        // Nothing was sent: any method, as long as the body was not given to an earlier attempt.
        Case(.connectFailed, "GET", body: "held", true),
        Case(.connectFailed, "POST", body: "held", true),
        Case(.connectFailed, "GET", body: "gone", false),
        Case(.connectFailed, "POST", body: "gone", false),
        // The server may have acted.
        Case(.connectionClosed, "GET", body: "held", true),
        Case(.connectionClosed, "POST", body: "held", false),
        Case(.connectionClosed, "GET", body: "gone", false),
        Case(.connectionClosed, "POST", body: "gone", false),
        Case(.idleConnectionClosed, "GET", body: "held", true),
        Case(.idleConnectionClosed, "POST", body: "held", false),
        Case(.idleConnectionClosed, "GET", body: "gone", false),
        Case(.idleConnectionClosed, "POST", body: "gone", false),
        Case(.timedOut, "GET", body: "held", true),
        Case(.timedOut, "POST", body: "held", false),
        Case(.timedOut, "GET", body: "gone", false),
        Case(.timedOut, "POST", body: "gone", false),
    ])
    func `an attempt is repeated only when that is safe`(given: Case) {
        let mayRetry = RetryPolicy(retriesMax: 3).mayRetry(
            after: given.failure,
            isIdempotent: given.isIdempotent,
            isBodyHeld: given.isBodyHeld,
            attempts: 1
        )
        #expect(mayRetry == given.mayRetry)
    }

    @Test(arguments: [(0, 1, false), (1, 1, true), (1, 2, false), (3, 3, true), (3, 4, false)])
    func `retries have a limit`(retriesMax: Int, attempts: Int, expected: Bool) {
        let mayRetry = RetryPolicy(retriesMax: retriesMax).mayRetry(
            after: .connectFailed,
            isIdempotent: true,
            isBodyHeld: true,
            attempts: attempts
        )
        #expect(mayRetry == expected)
    }

    @Test(
        arguments: zip(
            AttemptFailure.allCases,
            [
                ("connect-failed", true, false), ("connection-closed", true, true),
                ("idle-connection-closed", false, true), ("timed-out", true, true),
            ]
        )
    )
    func `what a failure says about the server`(
        failure: AttemptFailure,
        expected: (name: String, counts: Bool, acted: Bool)
    ) {
        #expect(failure.name.description == expected.name)
        #expect(failure.countsAgainstServer == expected.counts)
        #expect(failure.mayHaveActed == expected.acted)
    }
}
