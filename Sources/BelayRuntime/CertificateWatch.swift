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
        var subjects: [Subject]
    }

    private let builder: PlanBuilder
    private let mailboxes: [Mailbox]
    private let logger: Logger
    private let state: Mutex<State>

    init(plan: ProxyPlan, builder: PlanBuilder, mailboxes: [Mailbox]) {
        self.builder = builder
        self.mailboxes = mailboxes
        self.logger = builder.logger
        var subjects: [Subject] = []
        for (index, listener) in plan.listeners.enumerated() where listener.tls != nil {
            let name = builder.settings.listeners[index].name
            subjects.append(Subject(place: .listener(index), name: "listener \(name)"))
        }
        for (index, pool) in plan.pools.enumerated() where !pool.tls.isEmpty {
            subjects.append(Subject(place: .pool(index), name: "pool \(pool.name)"))
        }
        self.state = Mutex(State(plan: plan, subjects: subjects))
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
            try self.replace(state.subjects[index].place, &state.plan)
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

    private func replace(_ place: Subject.Place, _ plan: inout ProxyPlan) throws {
        switch place {
        case .listener(let index):
            let listener = self.builder.settings.listeners[index]
            guard let tls = listener.tls else { return }
            let context = try self.builder.serverContext(tls, of: listener, keys: plan.keyRing)
            plan.listeners[index].tls = context
            for mailbox in self.mailboxes { mailbox.post(.encryptClients(index, context)) }
        case .pool(let index):
            var pool = plan.pools[index]
            try self.builder.complete(&pool, self.builder.settings.pools[index])
            plan.pools[index].tls = pool.tls
            for mailbox in self.mailboxes { mailbox.post(.encryptServers(index, pool.tls)) }
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
                            listener: self.builder.settings.listeners[index].name,
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
