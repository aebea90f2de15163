internal import BelayCore

/// The last resort of the algorithms: one question to every server. It is what makes "nil only if
/// every server is passed over" true for all of them, and it costs O(n).
enum EligibleScan {
    /// The first server that may take a client.
    static func first(_ view: some ServerPoolView) -> Int? {
        for server in 0..<view.count where view.mayTake(server) { return server }
        return nil
    }

    /// Two draws by weight among those that may take a client, in a single pass: two reservoirs of
    /// one, in which the k-th candidate replaces the choice with probability weight / sum so far.
    static func drawTwo(
        _ view: some ServerPoolView,
        _ random: inout RandomSource
    ) -> (first: Int, second: Int)? {
        var first: Int?
        var second: Int?
        var sum = 0
        for server in 0..<view.count where view.mayTake(server) {
            // A server of weight 0 is passed over; should a view differ, it counts for 1.
            let weight = Swift.max(Int(view.weight(server).rawValue), 1)
            sum &+= weight
            if random.below(sum) < weight { first = server }
            if random.below(sum) < weight { second = server }
        }
        guard let first, let second else { return nil }
        return (first, second)
    }
}
