package import BelayCore

/// Draws two servers by weight and takes the one with fewer open requests for its weight; on a tie
/// the one that was drawn first. Two choices instead of one bring the longest queue down from
/// log n / log log n to log log n (Mitzenmacher 2001), without that workers who know the same crowd
/// onto the same server, as they do onto a minimum. O(1).
///
/// Loads are compared as open / weight. (open + 1) / weight is right when servers are drawn evenly;
/// here the draw honours weights already, and the 1 would count them twice: a pool with little to
/// do would leave its light servers nearly idle (with as many of weight 2 as of 1, these would get
/// a ninth of the picks instead of a third).
package struct RandomOfTwo: Sendable {
    // Limit: with a share p of the weight passed over, p^8 of the picks find nobody in 8 draws and
    // ask every server: 0.4 % when half is away, almost every pick when one of 10,000 is left, each
    // then O(n).
    static let drawsForFirst = 8
    // Limit: the second draw may hit the first again when one weighs much more than all others;
    // then it would win most comparisons as well.
    static let drawsForSecond = 4

    private var table: AliasTable
    let weights: [Weight]

    package init(weights: [Weight]) {
        self.table = AliasTable(weights: weights)
        self.weights = weights
    }

    package mutating func weightsChanged(_ weights: [Weight]) { self = Self(weights: weights) }

    /// The server; nil if every server is passed over. Asks eight questions, and more only of
    /// servers that are passed over.
    package mutating func pick(
        _ view: some ServerPoolView,
        random: inout RandomSource
    ) -> Int? {
        guard let (first, second) = TwoChoices.draw(self.table, view, &random) else { return nil }
        guard first != second else { return first }
        let firstLoad = view.openRequests(first) &* self.weight(second, view)
        let secondLoad = view.openRequests(second) &* self.weight(first, view)
        return secondLoad < firstLoad ? second : first
    }

    /// In 256ths, of which slow start leaves a part.
    private func weight(_ server: Int, _ view: some ServerPoolView) -> Int {
        Int(view.weight(server).rawValue) &* view.startShare(server)
    }
}

/// Two servers that may take a client, for the algorithms that compare two.
enum TwoChoices {
    /// Both by weight, and different if a few draws find different ones; nil if every server is
    /// passed over. When the draws find nobody, asks every server and draws among those that may.
    static func draw(
        _ table: AliasTable,
        _ view: some ServerPoolView,
        _ random: inout RandomSource
    ) -> (first: Int, second: Int)? {
        for _ in 0..<RandomOfTwo.drawsForFirst {
            let first = table.draw(&random)
            guard view.mayTake(first) else { continue }
            for _ in 0..<RandomOfTwo.drawsForSecond {
                let second = table.draw(&random)
                if second != first && view.mayTake(second) { return (first, second) }
            }
            return (first, first)
        }
        return EligibleScan.drawTwo(view, &random)
    }
}
