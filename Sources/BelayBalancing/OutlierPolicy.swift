package import BelayCore

/// What a server's traffic comes to so far.
package struct TrafficTotals: Equatable, Sendable {
    package var answers: Int64 = 0
    package var failures: Int64 = 0
    /// Answers that had a time, and the sum of these times' logarithms (`LatencyScale`).
    package var timed: Int64 = 0
    package var logarithms: Int64 = 0

    package init() {}

    /// What came since then. A row that another server has taken begins at nothing.
    package func since(_ before: TrafficTotals) -> OutlierPolicy.Sample {
        let isNew = self.answers < before.answers || self.timed < before.timed
        let past = isNew ? TrafficTotals() : before
        let timed = self.timed - past.timed
        return OutlierPolicy.Sample(
            answers: Int(self.answers - past.answers),
            failures: Int(self.failures - past.failures),
            latency: timed == 0
                ? .zero : LatencyScale.time((self.logarithms - past.logarithms) / timed)
        )
    }
}

/// Times as logarithms, so that their mean is the time that is typical: of a hundred answers one
/// that takes a thousand times as long lengthens it by seven hundredths, where it would lengthen
/// the mean of the times themselves elevenfold, and get a server ejected for one slow page.
///
/// Numbers of 1/256 of a doubling. Between two powers of two the curve is a straight line: never
/// more than 6 % off, the same for all servers, and back by the same line.
package enum LatencyScale {
    private static let bits: Int64 = 8

    package static func logarithm(_ time: TimeSpan) -> Int64 {
        let value = UInt64(Swift.max(time.nanoseconds, 1))
        let exponent = Int64(63 - value.leadingZeroBitCount)
        let shift = exponent - self.bits
        let mantissa = shift >= 0 ? value >> UInt64(shift) : value << UInt64(-shift)
        return exponent << self.bits | Int64(mantissa & 0xFF)
    }

    package static func time(_ logarithm: Int64) -> TimeSpan {
        let exponent = logarithm >> self.bits
        let mantissa = 0x100 | logarithm & 0xFF
        let shift = exponent - self.bits
        return TimeSpan(nanoseconds: shift >= 0 ? mantissa << shift : mantissa >> -shift)
    }
}

/// Which servers live traffic shows to be worse than their pool's others: by the share of answers
/// that fail, or by the time they take. What is judged is one interval's traffic.
package struct OutlierPolicy: Equatable, Sendable {
    /// A server's traffic in the interval.
    package struct Sample: Equatable, Sendable {
        /// Answers, and requests that failed without one; and those among them that are failures.
        package var answers: Int
        package var failures: Int
        /// The typical response time; `.zero`: unknown.
        package var latency: TimeSpan

        package init(answers: Int, failures: Int, latency: TimeSpan) {
            self.answers = answers
            self.failures = failures
            self.latency = latency
        }
    }

    package enum Reason: Equatable, Sendable {
        /// Its share of failed answers, and that of the others, 0...1.
        case errorRate(Double, others: Double)
        /// How many times as long as the others' median it takes.
        case latency(Double)

        /// For people.
        package var text: String {
            switch self {
            case .errorRate(let own, let others):
                let (own, others) = (Int((own * 100).rounded()), Int((others * 100).rounded()))
                return "\(own)% of its answers failed, and \(others)% of the others'"
            case .latency(let factor):
                let times = (factor * 10).rounded() / 10
                return "it takes \(times) times as long as the others"
            }
        }
    }

    /// How far its share of failures may be above the others'; nil: any far.
    package let errorRate: Double?
    /// How many times the others' median it may take; nil: any.
    package let latency: Double?
    /// Answers that a server must have given to be judged.
    package let requestsMin: Int

    // Limit: with fewer servers of enough traffic there is no saying which of them is the odd one.
    package static let serversMin = 3

    package init(errorRate: Double?, latency: Double?, requestsMin: Int) {
        precondition(requestsMin >= 1, "answers to judge by")
        self.errorRate = errorRate
        self.latency = latency
        self.requestsMin = requestsMin
    }

    /// The servers that stand out, with the reason.
    package func outliers(_ samples: [Sample]) -> [(server: Int, reason: Reason)] {
        let judged = samples.indices.filter { samples[$0].answers >= self.requestsMin }
        guard judged.count >= Self.serversMin else { return [] }
        return judged.compactMap { server in
            let others = judged.filter { $0 != server }.map { samples[$0] }
            if let reason = self.byErrors(samples[server], others) { return (server, reason) }
            if let reason = self.byLatency(samples[server], others) { return (server, reason) }
            return nil
        }
    }

    private func byErrors(_ own: Sample, _ others: [Sample]) -> Reason? {
        guard let most = self.errorRate else { return nil }
        // The mean of the servers, not of the answers: one busy server is one of the others.
        let rates = others.map { Double($0.failures) / Double($0.answers) }
        let theirs = rates.reduce(0, +) / Double(rates.count)
        let rate = Double(own.failures) / Double(own.answers)
        return rate - theirs > most ? .errorRate(rate, others: theirs) : nil
    }

    private func byLatency(_ own: Sample, _ others: [Sample]) -> Reason? {
        guard let most = self.latency, own.latency > .zero else { return nil }
        let times = others.map { Double($0.latency.nanoseconds) }.filter { $0 > 0 }.sorted()
        guard times.count >= Self.serversMin - 1 else { return nil }
        let median = (times[(times.count - 1) / 2] + times[times.count / 2]) / 2
        let factor = Double(own.latency.nanoseconds) / median
        return factor > most ? .latency(factor) : nil
    }
}
