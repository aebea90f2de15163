internal import BelayCore

/// Draws an index by weight with one random number and one place looked up, however many there are
/// (Walker 1977, built as in Vose 1991): each place holds at most two indices and the line between
/// them. Never changes once made, so copies share it.
struct AliasTable: Sendable {
    private struct Place: Sendable {
        /// A fraction below this, in 2^-64ths, draws the place's own index, else the alias.
        var line: UInt64 = .max
        var alias: Int32
    }

    private let places: [Place]

    /// If all weights are 0 they count as equal; the caller finds that nobody may be picked.
    init(weights: [Weight]) {
        let count = weights.count
        precondition(count > 0, "nothing to draw from")
        let sum = weights.reduce(0) { $0 + Int($1.rawValue) }
        var places = (0..<count).map { Place(alias: Int32($0)) }
        guard sum > 0 else {
            self.places = places
            return
        }
        // In units in which a place holds exactly `sum`.
        var shares = weights.map { Int($0.rawValue) * count }
        var small = shares.indices.filter { shares[$0] < sum }
        var large = shares.indices.filter { shares[$0] >= sum }
        while let poor = small.popLast(), let rich = large.last {
            places[poor].line = Self.fraction(shares[poor], of: sum)
            places[poor].alias = Int32(rich)
            shares[rich] -= sum - shares[poor]
            if shares[rich] < sum {
                large.removeLast()
                small.append(rich)
            }
        }
        self.places = places
    }

    /// An index of weight 0 is never drawn, unless all are 0.
    func draw(_ random: inout RandomSource) -> Int {
        // The high half of the product is the place, the low half a fraction within it.
        let product = random.next().multipliedFullWidth(by: UInt64(self.places.count))
        let index = Int(truncatingIfNeeded: product.high)
        let place = self.places[index]
        return product.low < place.line || place.line == .max ? index : Int(place.alias)
    }

    /// part / whole in 2^-64ths, for a part below the whole.
    private static func fraction(_ part: Int, of whole: Int) -> UInt64 {
        UInt64(whole).dividingFullWidth((high: UInt64(part), low: 0)).quotient
    }
}
