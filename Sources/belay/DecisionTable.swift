package import BelayAdmin
import BelayCore

/// A decision as people read it: what was decided, then every server and what stood against it.
package struct DecisionTable {
    private let answer: ExplainAnswer

    package init(_ answer: ExplainAnswer) { self.answer = answer }

    /// Lines, each with its end.
    package var text: String {
        let facts = [
            ["route", self.answer.route ?? "none"],
            ["pool", self.answer.pool ?? "none"],
            ["persistence", self.persistence],
            ["rule", self.answer.rule],
            ["server", self.answer.server ?? "none"],
            ["because", self.answer.reason],
        ]
        var lines = aligned(facts, numbers: [])
        if !self.answer.candidates.isEmpty {
            let head = [
                "", "server", "address", "state", "health", "weight", "open", "passed over",
            ]
            lines.append("")
            lines += aligned([head] + self.answer.candidates.map(self.row), numbers: [5, 6])
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// The verdict's word and what it means.
    private var persistence: String {
        let word = self.answer.persistence
        let verdict = PersistenceVerdict.allCases.first { "\($0.name)" == word }
        return verdict.map { "\(word): \($0.meaning)" } ?? word
    }

    private func row(_ candidate: ExplainAnswer.Candidate) -> [String] {
        [
            candidate.server == self.answer.server ? "→" : "",
            candidate.server,
            candidate.address,
            candidate.state,
            candidate.health,
            String(candidate.weight),
            String(candidate.openRequests),
            candidate.passedOver == "no" ? "" : candidate.passedOver,
        ]
    }
}

/// Rows as lines, each column as wide as its widest cell; the columns of numbers to the right.
private func aligned(_ rows: [[String]], numbers: Set<Int>) -> [String] {
    let rows = rows.map { $0.map(printable) }
    let columns = rows.first?.indices ?? 0..<0
    let widths = columns.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
        let cells = columns.map { column in
            let space = String(repeating: " ", count: widths[column] - row[column].count)
            return numbers.contains(column) ? space + row[column] : row[column] + space
        }
        let line = cells.joined(separator: "  ")
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}
