// BelayAdmin: what Belay tells people and programs that run it, over HTTP on an address of its
// own: metrics, health, the server pools, and why a request would go where. It reads and changes
// nothing by itself: everything comes from an `AdminSource`, which BelayRuntime implements. Never
// on the path of a request of a client. `AdminServer` listens, `AdminResponder` answers,
// `HostRule` keeps strangers' web pages out. The shapes of the JSON are in Reports.swift,
// Commands.swift and Explain.swift; `CommandRequests` reads what may change something.

/// What the admin pages show. Asked from several tasks at a time.
package protocol AdminSource: Sendable {
    /// The text that Prometheus reads.
    func metricsPage() async -> [UInt8]
    /// The server pools and their servers, in the order of the configuration.
    func pools() async -> [PoolReport]
    /// Whether clients should be sent here.
    func readiness() async -> Readiness
    /// The decision for a request, made as for a real one, but nothing is sent or counted.
    func explain(_ question: ExplainQuestion) async throws(ExplainError) -> ExplainAnswer
    /// Does what is asked, or says why not.
    func perform(_ command: AdminCommand) async throws(AdminRefusal) -> AdminResult
}
