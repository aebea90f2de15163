import BelayAdmin
import BelayCore
import Synchronization

/// A Belay with two server pools, one of whose servers is ejected.
final class FakeSource: AdminSource {
    private let reasons: [String]
    private let asked = Mutex<[ExplainQuestion]>([])
    private let given = Mutex<[AdminCommand]>([])

    init(reasons: [String] = []) { self.reasons = reasons }

    /// The questions that were asked so far.
    var questions: [ExplainQuestion] { self.asked.withLock { $0 } }

    /// The commands that were asked for so far.
    var commands: [AdminCommand] { self.given.withLock { $0 } }

    func perform(_ command: AdminCommand) async throws(AdminRefusal) -> AdminResult {
        self.given.withLock { $0.append(command) }
        switch command {
        case .reload:
            let problem = "belay.yaml:3:5: unknown key \"servres\""
            return .reload(
                ReloadAnswer(served: false, problems: [problem], news: [], warnings: [])
            )
        case .drain, .drainStatus, .pauseDrain, .resumeDrain: return .drain(Self.drain)
        case .rebalance(let pool, let goal, _):
            return .rebalance(
                RebalanceReport(
                    pool: pool,
                    spread: 1.5,
                    goal: goal,
                    moving: 7,
                    sentence: "7 clients move."
                )
            )
        case .bindings:
            let page = [Self.binding]
            return .bindings(BindingsReport(bindings: page, next: 17, count: 40, evictions: 2))
        case .findBinding: return .binding(Self.binding)
        case .removeServer: throw AdminRefusal(409, "it is the pool's last server")
        case .upgrade, .undoDrain, .setServer, .addServer, .stopRebalance, .moveBinding,
            .forgetBinding:
            return .done("Done.")
        }
    }

    func metricsPage() async -> [UInt8] { Array("# HELP a b\n# TYPE a counter\na 1\n".utf8) }

    func readiness() async -> Readiness { Readiness(reasons: self.reasons) }

    func pools() async -> [PoolReport] {
        [
            PoolReport(name: "api", algorithm: .leastTime, servers: [Self.quiet]),
            PoolReport(name: "shop", algorithm: .randomOfTwo, servers: [Self.busy, Self.ejected]),
        ]
    }

    func explain(_ question: ExplainQuestion) async throws(ExplainError) -> ExplainAnswer {
        self.asked.withLock { $0.append(question) }
        if question.host == "stopping" { throw .unavailable("Belay is stopping") }
        if question.host == "nowhere" {
            return ExplainAnswer(
                route: nil,
                pool: nil,
                persistence: .off,
                rule: .none,
                server: nil,
                reason: "no route matches",
                candidates: []
            )
        }
        return ExplainAnswer(
            route: "all",
            pool: "shop",
            persistence: .valid,
            rule: .binding,
            server: "shop1",
            reason: "the client is bound to shop1",
            candidates: [
                .init(
                    server: "shop1",
                    address: Self.address(11),
                    state: .ready,
                    health: .up,
                    weight: .one,
                    openRequests: 3,
                    passedOver: .no
                ),
                .init(
                    server: "shop2",
                    address: Self.address(12),
                    state: .draining,
                    health: .ejected,
                    weight: .zero,
                    openRequests: 0,
                    passedOver: .ejected
                ),
            ]
        )
    }

    /// Says what it was asked.
    private static func address(_ last: UInt32) -> SocketAddress {
        SocketAddress(ip: IPAddress(v4: 0x0A00_0000 | last), port: 3_000)
    }

    private static let drain = DrainReport(
        pool: "shop",
        server: "shop1",
        cause: "command",
        phase: "running",
        bound: 12,
        countsAll: true,
        boundAtStart: 40,
        losing: 12,
        openRequests: 3,
        rate: nil,
        began: 1_000,
        deadline: 2_800,
        expectedEnd: 1_900
    )

    private static let binding = BindingReport(
        key: "00000000000000010000000000000002",
        way: "cookie",
        address: nil,
        server: "shop1",
        issued: 1_000,
        renewed: 1_060
    )

    private static let quiet = ServerReport(
        name: "api1",
        address: SocketAddress(ip: IPAddress(high: 0, low: 1), port: 9_000),
        weight: .one,
        state: "ready",
        health: "up",
        ejectedFor: nil,
        openRequests: 0,
        bound: 0,
        exchanges: 0,
        failures: 0,
        latency: nil
    )

    private static let busy = ServerReport(
        name: "shop1",
        address: address(11),
        weight: .maximum,
        state: "draining",
        health: "up",
        ejectedFor: nil,
        openRequests: 3,
        bound: 12,
        exchanges: 1_234,
        failures: 5,
        latency: .microseconds(12_345),
        drain: drain
    )

    private static let ejected = ServerReport(
        name: "shop2<script>",
        address: address(12),
        weight: .one,
        state: "ready",
        health: "ejected",
        ejectedFor: .milliseconds(8_250),
        openRequests: 0,
        bound: 2_000,
        exchanges: 40,
        failures: 40,
        latency: .microseconds(1_500),
        check: CheckReport(
            isGood: false,
            reason: "it answered 503",
            said: nil,
            ago: .milliseconds(1_250),
            took: .microseconds(800)
        ),
        agent: CheckReport(
            isGood: true,
            reason: "",
            said: "drain 50%",
            ago: .milliseconds(400),
            took: .milliseconds(2)
        )
    )
}
