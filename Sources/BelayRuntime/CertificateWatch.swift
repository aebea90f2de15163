import BelayBytes
import BelayCore
import BelayPersistence
import BelayProxy
import BelaySettings
import BelayTelemetry
import BelayTransport
import Logging
import Synchronization

/// Looks whether the files of certificates have changed, and puts what they hold now in the place
/// of what the listeners serve. New connections get it; those that are open go on with what they
/// have. Files that are no good leave the old ones serving, and are told of.
final class CertificateWatch: Sendable {
    /// One listener with TLS, or one server pool.
    private struct Subject {
        enum Place {
            case listener(Int)
            case pool(Int)
        }

        let place: Place
        /// What messages call it.
        let name: String
        var failures = 0
        /// What is wrong with the files as they are now.
        var problem: String?
        /// The same, seen once: the files may have been caught in the middle of being replaced.
        var suspicion: String?

        /// The problem, for people.
        var sentence: String {
            "the certificates could not be read again, and the old ones serve on: "
                + (self.problem ?? "")
        }
    }

    private struct State {
        var plan: ProxyPlan
        var builder: PlanBuilder
        /// By index, the number in the settings.
        var listenerNumbers: [Int?]
        var poolNumbers: [Int?]
        var subjects: [Subject]

        init(_ planned: Planned, _ builder: PlanBuilder) {
            self.plan = planned.plan
            self.builder = builder
            self.listenerNumbers = planned.listenerNumbers
            self.poolNumbers = planned.poolNumbers
            self.subjects = []
            for (index, listener) in planned.plan.listeners.enumerated()
            where listener.tls != nil && planned.listenerNumbers[index] != nil {
                let name = "listener \(listener.name.text)"
                self.subjects.append(Subject(place: .listener(index), name: name))
            }
            for (index, pool) in planned.plan.pools.enumerated()
            where !pool.tls.isEmpty && !pool.isGone {
                self.subjects.append(Subject(place: .pool(index), name: "pool \(pool.name)"))
            }
        }
    }

    private let mailboxes: [Mailbox]
    private let health: HealthMailbox
    private let logger: Logger
    private let state: Mutex<State>

    init(
        planned: Planned,
        builder: PlanBuilder,
        mailboxes: [Mailbox],
        health: HealthMailbox
    ) {
        self.mailboxes = mailboxes
        self.health = health
        self.logger = builder.logger
        self.state = Mutex(State(planned, builder))
    }

    /// Puts into a plan what is served now, where files have changed since it was made.
    func refresh(_ plan: inout ProxyPlan) {
        self.state.withLock { state in
            for index in plan.listeners.indices where index < state.plan.listeners.count {
                plan.listeners[index].tls = state.plan.listeners[index].tls
            }
            for index in plan.pools.indices where index < state.plan.pools.count {
                plan.pools[index].tls = state.plan.pools[index].tls
            }
        }
    }

    /// From here on the files of this plan are watched, which has just read them; an edit of its
    /// servers has not.
    func replace(_ planned: Planned, _ builder: PlanBuilder) {
        self.state.withLock { state in
            let before = state.subjects
            state = State(planned, builder)
            for index in state.subjects.indices {
                let name = state.subjects[index].name
                guard let old = before.first(where: { $0.name == name }) else { continue }
                state.subjects[index].failures = old.failures
                guard builder.isEdit else { continue }
                state.subjects[index].problem = old.problem
                state.subjects[index].suspicion = old.suspicion
            }
        }
    }

    /// There is nothing to look at.
    var isIdle: Bool { self.state.withLock { $0.subjects.isEmpty } }

    /// Looks at all files. `isAsked`: somebody wants them read now, changed or not.
    func look(isAsked: Bool) {
        self.state.withLock { state in
            for index in state.subjects.indices { self.look(index, &state, isAsked: isAsked) }
        }
    }

    private func look(_ index: Int, _ state: inout State, isAsked: Bool) {
        guard isAsked || Self.hasChanged(state.subjects[index].place, state.plan) else {
            // Somebody has put the old files back.
            state.subjects[index].problem = nil
            state.subjects[index].suspicion = nil
            return
        }
        do {
            try self.replace(state.subjects[index].place, &state)
            state.subjects[index].problem = nil
            state.subjects[index].suspicion = nil
            self.logger.notice("\(state.subjects[index].name): certificates were read again")
        } catch {
            let text = "\(error)"
            let isSure = isAsked || state.subjects[index].suspicion == text
            state.subjects[index].suspicion = text
            guard isSure, isAsked || state.subjects[index].problem != text else { return }
            state.subjects[index].problem = text
            state.subjects[index].failures += 1
            self.logger.error("\(state.subjects[index].sentence)")
        }
    }

    private static func hasChanged(_ place: Subject.Place, _ plan: ProxyPlan) -> Bool {
        switch place {
        case .listener(let index): plan.listeners[index].tls?.filesChanged() ?? false
        case .pool(let index): plan.pools[index].tls.first?.context.filesChanged() ?? false
        }
    }

    private func replace(_ place: Subject.Place, _ state: inout State) throws {
        switch place {
        case .listener(let index):
            guard let number = state.listenerNumbers[index] else { return }
            let listener = state.builder.settings.listeners[number]
            guard let tls = listener.tls else { return }
            let keys = state.plan.keyRing
            let context = try state.builder.serverContext(tls, of: listener, keys: keys)
            state.plan.listeners[index].tls = context
            for mailbox in self.mailboxes { mailbox.post(.encryptClients(index, context)) }
        case .pool(let index):
            guard let number = state.poolNumbers[index] else { return }
            var pool = state.plan.pools[index]
            try state.builder.complete(&pool, state.builder.settings.pools[number])
            state.plan.pools[index].tls = pool.tls
            for mailbox in self.mailboxes { mailbox.post(.encryptServers(index, pool.tls)) }
            self.health.post(.encrypt(index, pool.tls))
        }
    }

    // MARK: What is seen of it

    /// A sentence for each listener or pool whose files are no good.
    var problems: [String] {
        self.state.withLock { state in
            state.subjects.filter { $0.problem != nil }.map(\.sentence)
        }
    }

    /// The certificates that are served, for the metrics.
    var certificates: [CertificateState] {
        self.state.withLock { state in
            var all: [CertificateState] = []
            for subject in state.subjects {
                guard case .listener(let index) = subject.place,
                    let context = state.plan.listeners[index].tls
                else { continue }
                // The page adds up the failures of a listener's certificates.
                for (number, certificate) in context.summary.enumerated() {
                    all.append(
                        CertificateState(
                            listener: state.plan.listeners[index].name.text,
                            certificate: certificate.path,
                            notAfter: certificate.notAfter.seconds,
                            reloadFailures: number == 0 ? subject.failures : 0
                        )
                    )
                }
            }
            return all
        }
    }
}
