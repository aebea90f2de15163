package import BelayCore

/// Draws two servers by weight and takes the one where the request is likely to be answered sooner:
/// the lower latency * (1 + open * mean weight / weight), the latency being the server's
/// `PeakEWMA`.
///
/// Why two and not the best of all: latencies are news from the past, and the same news for all
/// workers. Everyone would send everything to yesterday's best until it is the worst, and then to
/// the next; and every pick would ask all n servers. Of two drawn by chance the better gets more,
/// and no one gets everything.
///
/// The formula is Finagle's latency * (open + 1) / weight with one change: the weight divides the
/// requests that wait and not the new one itself, because the draw has honoured weights already
/// (see `RandomOfTwo`). The mean makes weights of 100 mean the same as weights of 1.
///
/// A server whose latency is not known costs nothing while it has no open request, so the first
/// pick that draws it tries it; while it has one, it costs more than any known one: it is probed,
/// and not flooded before its first answer. Servers that are all unknown are compared by open /
/// weight.
package struct LeastTime: Sendable {
    private var table: AliasTable
    private var weightMean: Double
    let weights: [Weight]

    package init(weights: [Weight]) {
        self.weights = weights
        self.table = AliasTable(weights: weights)
        let counted = weights.filter { $0 > .zero }
        let sum = counted.reduce(0) { $0 + Int($1.rawValue) }
        self.weightMean = counted.isEmpty ? 1 : Double(sum) / Double(counted.count)
    }

    package mutating func weightsChanged(_ weights: [Weight]) { self = Self(weights: weights) }

    /// The server; nil if every server is passed over. Asks ten questions, and more only of
    /// servers that are passed over.
    package mutating func pick(
        _ view: some ServerPoolView,
        now: Instant,
        random: inout RandomSource
    ) -> Int? {
        guard let (first, second) = TwoChoices.draw(self.table, view, &random) else { return nil }
        guard first != second else { return first }
        return self.cost(second, view, now) < self.cost(first, view, now) ? second : first
    }

    /// In nanoseconds.
    private func cost(
        _ server: Int,
        _ view: some ServerPoolView,
        _ now: Instant
    ) -> Double {
        let share = Double(view.startShare(server)) / Double(SlowStart.whole)
        let weight = Double(Swift.max(view.weight(server).rawValue, 1)) * share
        let waiting = Double(view.openRequests(server)) * self.weightMean / weight
        let latency = Double(view.latency(server, at: now).nanoseconds)
        if latency > 0 { return latency * (1 + waiting) }
        // Limit: 1e18 ns are 31 years, more than any known cost.
        return waiting == 0 ? 0 : 1e18 * (1 + waiting)
    }
}
