/// The candidate that was probably meant by `text`: the nearest by edit distance, if near enough.
/// Case and the choice between `-`, `_` and a space do not count.
func nearest(_ text: String, among candidates: some Sequence<String>) -> String? {
    // Limit: no key or word of ours is longer; the distance costs the product of the lengths.
    guard text.unicodeScalars.count <= 64 else { return nil }
    let wanted = folded(text)
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
        let other = folded(candidate)
        let distance = editDistance(wanted, other)
        // One slip in three characters: `blance` is near `balance`, `pool` is not near `port`.
        let allowed = max(1, min(wanted.count, other.count) / 3)
        guard distance <= allowed, distance < other.count else { continue }
        if distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    if let best { return best.candidate }
    // `warn` for `warning`, `drain` for `draining`.
    let longer = candidates.filter { wanted.count >= 3 && folded($0).starts(with: wanted) }
    return longer.count == 1 ? longer[0] : nil
}

private func folded(_ text: String) -> [Unicode.Scalar] {
    text.lowercased().unicodeScalars.map { $0 == "_" || $0 == " " ? "-" : $0 }
}

/// Insertions, deletions, replacements and swaps of neighbours that make one text the other (the
/// "optimal string alignment" distance).
func editDistance(_ from: [Unicode.Scalar], _ to: [Unicode.Scalar]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...to.count)
    for row in from.indices {
        var current = [row + 1]
        for column in to.indices {
            var cost = min(
                last[column] + (from[row] == to[column] ? 0 : 1),
                min(last[column + 1], current[column]) + 1
            )
            if row > 0, column > 0, from[row] == to[column - 1], from[row - 1] == to[column] {
                cost = min(cost, beforeLast[column - 1] + 1)
            }
            current.append(cost)
        }
        beforeLast = last
        last = current
    }
    return last[to.count]
}
