import Synchronization

/// Names a visitor's session: 128 random bits, so that nobody guesses another's.
package struct VisitID: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    package init(from random: inout some RandomNumberGenerator) {
        self.high = random.next()
        self.low = random.next()
    }

    /// Nil unless the text is 32 hexadecimal digits as `text` writes them.
    package init?(_ text: String) {
        guard text.utf8.count == 32,
            let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.high = high
        self.low = low
        guard self.text == text else { return nil }
    }

    package var text: String {
        [self.high, self.low].map { half in
            let digits = String(half, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

/// How a visitor came to this server: what the page tells him once.
package enum Arrival: Sendable, Equatable {
    /// This server remembers the visitor.
    case known
    /// The visitor presented no session.
    case new
    /// The visitor presented a session that this server does not hold, after an answer of `last`.
    case lost(last: ShopName?)
}

/// What a server remembers of one visitor.
package struct Visit: Sendable {
    package var cart = Cart()
    /// Told with the next answer that shows a page; `known` afterwards.
    package var arrival: Arrival
    /// Larger is later.
    fileprivate var lastSeen: UInt64
}

/// The sessions that a server holds, by their id: bounded, those unseen longest are forgotten.
package struct Visits: Sendable {
    private var visits: [VisitID: Visit] = [:]
    private var now: UInt64 = 0
    private let countMax: Int

    package init(countMax: Int) {
        precondition(countMax >= 4, "a quarter of the limit must be at least one")
        self.countMax = countMax
    }

    package var count: Int { self.visits.count }

    /// Finds the visit that was presented or begins a new one under an id of our own: never under
    /// one that the client chose, or an attacker could plant a session that he knows.
    package mutating func visit<Result>(
        _ presented: VisitID?,
        last: ShopName?,
        random: inout some RandomNumberGenerator,
        _ body: (inout Visit) -> Result
    ) -> (id: VisitID, result: Result) {
        self.now += 1
        if let presented, var visit = self.visits[presented] {
            visit.lastSeen = self.now
            let result = body(&visit)
            self.visits[presented] = visit
            return (presented, result)
        }
        self.makeRoom()
        let id = VisitID(from: &random)
        var visit = Visit(
            arrival: presented == nil ? .new : .lost(last: last),
            lastSeen: self.now
        )
        let result = body(&visit)
        self.visits[id] = visit
        return (id, result)
    }

    /// Forgets a quarter at once, so that the sort is paid for by many newcomers.
    private mutating func makeRoom() {
        guard self.visits.count >= self.countMax else { return }
        let seen = self.visits.values.map(\.lastSeen).sorted()
        let threshold = seen[self.countMax / 4]
        self.visits = self.visits.filter { $0.value.lastSeen >= threshold }
    }
}

/// What dies with the process: the visits and a count of answers, shared by all requests.
package final class ShopMemory: Sendable {
    private struct State {
        var visits: Visits
        var answers = 0
        var isDying = false
    }

    private let state: Mutex<State>
    package let visitorsMax: Int

    package init(visitorsMax: Int) {
        self.visitorsMax = visitorsMax
        self.state = Mutex(State(visits: Visits(countMax: visitorsMax)))
    }

    /// An answer to somebody who is not remembered.
    package func countAnswer() {
        self.state.withLock { $0.answers += 1 }
    }

    /// The process is about to end, and answers nobody any more.
    package var isDying: Bool { self.state.withLock(\.isDying) }

    package func die() {
        self.state.withLock { $0.isDying = true }
    }

    /// What an answer shows of the server's memory.
    package struct View: Sendable {
        package let id: VisitID
        package let cart: Cart
        package let arrival: Arrival
        package let visitors: Int
        package let answers: Int
    }

    /// One request of a visitor. `tells` says that its answer shows the arrival.
    package func visit(
        _ presented: VisitID?,
        last: ShopName?,
        tells: Bool,
        _ change: (inout Cart) -> Void
    ) -> View {
        self.state.withLock { state in
            var random = SystemRandomNumberGenerator()
            state.answers += 1
            let (id, visit) = state.visits.visit(presented, last: last, random: &random) { visit in
                change(&visit.cart)
                let seen = visit
                if tells { visit.arrival = .known }
                return seen
            }
            return View(
                id: id,
                cart: visit.cart,
                arrival: visit.arrival,
                visitors: state.visits.count,
                answers: state.answers
            )
        }
    }
}
