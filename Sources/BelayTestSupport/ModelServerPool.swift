internal import BelayBalancing
package import BelayCore

/// A server pool that a test sets up by hand, and that counts the questions it is asked: what a
/// balancer costs, told without a clock.
package final class ModelServerPool: ServerPoolView {
    package var weights: [Weight]
    package var passedOver: [PassOver]
    package var open: [Int]
    package var latencies: [TimeSpan]
    /// The part of its share that each takes: less than 1 in slow start.
    package var startShares: [Double]
    /// The number of the newcomer that is asked for, by which servers in slow start take it or not.
    package var draw: UInt32 = 0
    /// All questions so far.
    package private(set) var questions = 0

    /// Every server takes clients, has nothing open, and answers in a millisecond.
    package init(weights: [Int]) {
        self.weights = weights.map { Weight($0) ?? .one }
        self.passedOver = weights.map { $0 == 0 ? .weightZero : .no }
        self.open = weights.map { _ in 0 }
        self.latencies = weights.map { _ in .milliseconds(1) }
        self.startShares = weights.map { _ in 1 }
    }

    package var count: Int { self.weights.count }

    /// Whether any server takes clients.
    package var isUsable: Bool { self.passedOver.contains(.no) }

    package func weight(_ index: Int) -> Weight {
        self.questions += 1
        return self.weights[index]
    }

    package func passOver(_ index: Int) -> PassOver {
        self.questions += 1
        guard self.passedOver[index] == .no, self.startShares[index] < 1 else {
            return self.passedOver[index]
        }
        let share = self.startShares[index]
        return SlowStart.takes(draw: self.draw, server: index, share: share) ? .no : .starting
    }

    package func startShare(_ index: Int) -> Int {
        self.questions += 1
        return Int(self.startShares[index] * Double(SlowStart.whole))
    }

    package func openRequests(_ index: Int) -> Int {
        self.questions += 1
        return self.open[index]
    }

    package func latency(_ index: Int, at now: Instant) -> TimeSpan {
        self.questions += 1
        return self.latencies[index]
    }
}
