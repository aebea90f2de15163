package import BelayCore

/// Round robin by weight, smoothly: 5, 1, 1 gives `a a b a c a a` and not `a a a a a b c`, the same
/// order as nginx's.
///
/// There, each turn raises every server's credit by its weight, takes the highest and lowers it by
/// the sum of weights: O(n). Here the credit is not kept but computed, `weight * turns - debt`.
/// Among servers of one weight it falls with the debt, so they stand in line, and only the first of
/// each line can be the highest: a turn costs one comparison for each distinct weight of the pool
/// (mostly 1 to 3, at most 256), however many servers there are, and one question.
///
/// A server that is passed over when its turn comes is parked with its credit, and the others share
/// its turns by their weights. Each turn asks two of the parked ones; a server that can take
/// clients again keeps the credit that it had: it is served soon, and once, so it is neither
/// starved nor flooded. With p servers parked that takes at most p / 2 turns.
///
/// A server in slow start that does not take this client loses its turn instead: parked, it would
/// be asked with every pick, and get the part of all newcomers that it is to get of its share.
package struct SmoothRoundRobin: Sendable {
    private struct Place: Sendable {
        /// In line: what the server's turns have cost so far. Parked: its credit.
        var amount: Int64 = 0
        var next: Int32 = -1
        var line: Int32 = -1
    }

    /// The servers of one weight, in the order of their turns.
    private struct Line: Sendable {
        let weight: Int64
        var first: Int32 = -1
        var last: Int32 = -1
    }

    // Limit: two questions a turn to parked servers, so that a turn's cost does not depend on how
    // many there are.
    private static let parkedAskedPerTurn = 2
    // Limit: so many turns are lost in one pick; then servers in slow start are parked as well,
    // because nearly all there are may be such ones.
    private static let turnsLostMax = 16
    // Limit: a worker's start is at most so many turns from the beginning: enough to keep workers
    // apart, and done in a few milliseconds.
    private static let startMax = 65_536

    let weights: [Weight]
    private var places: [Place]
    private var lines: [Line]
    /// The first `parkedCount` are servers that were passed over in their turn.
    private var parked: [Int32]
    private var parkedCount = 0
    private var parkedNext = 0
    private var turns: Int64 = 0
    /// The sum of the weights of servers in line.
    private var weightInLine: Int64 = 0

    /// Starts after so many turns as the seed says.
    package init(weights: [Weight], seed: UInt64) {
        self.init(weights: weights)
        guard self.weightInLine > 1 else { return }
        var random = RandomSource(seed: seed)
        self.skip(turns: random.below(Int(Swift.min(self.weightInLine, Int64(Self.startMax)))))
    }

    /// Starts at the beginning.
    package init(weights: [Weight]) {
        self.weights = weights
        self.places = Array(repeating: Place(), count: weights.count)
        self.parked = Array(repeating: -1, count: weights.count)
        // Shares are the same when all weights are divided by what divides them all, and a whole
        // round is shorter.
        let divisor = weights.reduce(0) { Self.commonDivisor($0, Int64($1.rawValue)) }
        let distinct = Set(weights).subtracting([.zero]).sorted(by: >)
        self.lines = distinct.map { Line(weight: Int64($0.rawValue) / divisor) }
        for (server, weight) in weights.enumerated() {
            guard let line = distinct.firstIndex(of: weight) else { continue }
            self.places[server].line = Int32(line)
            self.joinAtEnd(server)
            self.weightInLine += self.lines[line].weight
        }
    }

    /// The same pool's state for another worker.
    package func forAnotherWorker(seed: UInt64) -> SmoothRoundRobin {
        SmoothRoundRobin(weights: self.weights, seed: seed)
    }

    /// Begins anew with other weights, at a place that depends on the turns so far, so that workers
    /// stay apart.
    package mutating func weightsChanged(_ weights: [Weight]) {
        precondition(weights.count == self.weights.count, "the same servers, in the same order")
        self = SmoothRoundRobin(weights: weights, seed: UInt64(bitPattern: self.turns))
    }

    /// The next server; nil if every server is passed over. Asks one question, up to two more of
    /// parked servers, and one of each server that is newly found passed over or loses its turn.
    /// When nobody in line can take the client, asks everyone.
    package mutating func pick(_ view: some ServerPoolView) -> Int? {
        precondition(view.count == self.weights.count, "a view of another pool")
        if self.parkedCount > 0 { self.askParked(view, Self.parkedAskedPerTurn) }
        if let server = self.takeTurn(view) { return server }
        self.askParked(view, self.parkedCount)
        if let server = self.takeTurn(view) { return server }
        // What is left had weight 0 when the balancer was made.
        return EligibleScan.first(view)
    }

    /// Serves the server whose credit is highest, and parks those before it that are passed over.
    private mutating func takeTurn(_ view: some ServerPoolView) -> Int? {
        var turnsLost = 0
        while let line = self.lineDue() {
            let server = Int(self.lines[line].first)
            let reason = view.passOver(server)
            if case .no = reason {
                self.serveFirst(of: line)
                return server
            }
            if case .starting = reason, turnsLost < Self.turnsLostMax {
                turnsLost &+= 1
                self.serveFirst(of: line)
            } else {
                self.parkFirst(of: line)
            }
        }
        return nil
    }

    /// The line whose first server has the highest credit in the turn that begins; on a tie the one
    /// with the smallest index, as nginx has it. Nil if nobody is in line.
    private func lineDue() -> Int? {
        var due: Int?
        var highest = Int64.min
        var earliest = Int32.max
        for index in 0..<self.lines.count {
            let line = self.lines[index]
            guard line.first >= 0 else { continue }
            let debt = self.places[Int(line.first)].amount
            let credit = line.weight &* (self.turns &+ 1) &- debt
            if credit > highest || (credit == highest && line.first < earliest) {
                due = index
                highest = credit
                earliest = line.first
            }
        }
        return due
    }

    private mutating func serveFirst(of line: Int) {
        let server = self.leaveLine(line)
        self.turns &+= 1
        self.places[server].amount &+= self.weightInLine
        self.joinAtEnd(server)
    }

    private mutating func parkFirst(of line: Int) {
        let server = self.leaveLine(line)
        let weight = self.lines[line].weight
        self.places[server].amount = weight &* self.turns &- self.places[server].amount
        self.weightInLine &-= weight
        self.parked[self.parkedCount] = Int32(server)
        self.parkedCount &+= 1
    }

    /// Asks the next parked servers and puts those that may take clients back in line.
    private mutating func askParked(_ view: some ServerPoolView, _ questions: Int) {
        for _ in 0..<Swift.min(questions, self.parkedCount) {
            if self.parkedNext >= self.parkedCount { self.parkedNext = 0 }
            let server = Int(self.parked[self.parkedNext])
            guard view.mayTake(server) else {
                self.parkedNext &+= 1
                continue
            }
            self.parkedCount &-= 1
            self.parked[self.parkedNext] = self.parked[self.parkedCount]
            self.returnToLine(server)
        }
    }

    /// Back in line, first among its equals: it was first when it was parked.
    private mutating func returnToLine(_ server: Int) {
        let line = Int(self.places[server].line)
        let weight = self.lines[line].weight
        self.weightInLine &+= weight
        // Others may have left meanwhile: no server may be owed more than one round.
        let credit = Swift.max(
            -self.weightInLine,
            Swift.min(self.places[server].amount, self.weightInLine)
        )
        self.places[server].amount = weight &* self.turns &- credit
        self.places[server].next = self.lines[line].first
        self.lines[line].first = Int32(server)
        if self.lines[line].last < 0 { self.lines[line].last = Int32(server) }
    }

    /// Takes the first server out of a line that is not empty.
    private mutating func leaveLine(_ line: Int) -> Int {
        let server = Int(self.lines[line].first)
        self.lines[line].first = self.places[server].next
        if self.lines[line].first < 0 { self.lines[line].last = -1 }
        self.places[server].next = -1
        return server
    }

    private mutating func joinAtEnd(_ server: Int) {
        let line = Int(self.places[server].line)
        let last = Int(self.lines[line].last)
        if last < 0 {
            self.lines[line].first = Int32(server)
        } else {
            self.places[last].next = Int32(server)
        }
        self.lines[line].last = Int32(server)
    }

    private mutating func skip(turns: Int) {
        for _ in 0..<turns {
            guard let line = self.lineDue() else { return }
            self.serveFirst(of: line)
        }
    }

    private static func commonDivisor(_ left: Int64, _ right: Int64) -> Int64 {
        var (left, right) = (left, right)
        while right != 0 { (left, right) = (right, left % right) }
        return left
    }
}
