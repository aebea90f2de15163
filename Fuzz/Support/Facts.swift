package import BelayHTTP

extension BodyFraming {
    /// The framing as a number, to compare.
    package var fact: Int {
        switch self {
        case .none: -1
        case .chunked: -2
        case .untilClose: -3
        case .length(let length): Int(length)
        }
    }
}

extension FieldLine {
    /// The line as numbers, to compare.
    package var facts: [Int] {
        [
            self.name.lowerBound, self.name.upperBound, self.value.lowerBound,
            self.value.upperBound, Int(self.id.rawValue), self.isNominated ? 1 : 0,
        ]
    }
}
