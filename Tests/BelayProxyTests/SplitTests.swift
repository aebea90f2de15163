import BelayProxy
import Testing

/// Every case is played whole and then cut in two at every byte of either side: what arrives where
/// must be the same.
@Suite struct SplitTests {
    /// What both sides got.
    struct Outcome: Equatable {
        var requests: [Message] = []
        var responses: [Message] = []
        var isClosed = false
    }

    @Test(arguments: cases)
    func `a case ends as it should`(one: Case) throws {
        let stage = try Stage()
        let outcome = try self.play(one, stage)
        #expect(outcome.responses.map(\.status) == one.statuses)
        #expect(outcome.requests.count == (one.isRefused ? 0 : one.responses.count))
        #expect(outcome.isClosed == one.isClosed)
    }

    @Test(arguments: cases)
    func `requests cut at every byte end alike`(one: Case) throws {
        let stage = try Stage()
        let whole = try self.play(one, stage)
        for cut in 1..<one.requests.utf8.count {
            let outcome = try self.play(one, stage, requestCut: .behind(cut))
            #expect(outcome == whole, "cut behind byte \(cut)")
            if outcome != whole { return }
        }
    }

    @Test(arguments: cases.filter { !$0.isRefused })
    func `answers cut at every byte end alike`(one: Case) throws {
        let stage = try Stage()
        let whole = try self.play(one, stage)
        for cut in 1..<(one.responses.map(\.utf8.count).max() ?? 1) {
            let outcome = try self.play(one, stage, responseCut: .behind(cut))
            #expect(outcome == whole, "cut behind byte \(cut)")
            if outcome != whole { return }
        }
    }

    @Test(arguments: cases)
    func `a case that arrives byte by byte ends alike`(one: Case) throws {
        let stage = try Stage()
        let whole = try self.play(one, stage)
        #expect(try self.play(one, stage, requestCut: .everywhere) == whole)
        #expect(try self.play(one, stage, responseCut: .everywhere) == whole)
        #expect(
            try self.play(one, stage, requestCut: .everywhere, responseCut: .everywhere) == whole
        )
    }

    /// Where a side's bytes are cut.
    private enum Cut {
        case none
        case behind(Int)
        case everywhere
    }

    private func play(
        _ one: Case,
        _ stage: Stage,
        requestCut: Cut = .none,
        responseCut: Cut = .none
    ) throws -> Outcome {
        let client = try stage.connect()
        defer { stage.close(client, cutting: true) }
        self.send(one.requests, to: client, stage, cut: requestCut)
        var outcome = Outcome()
        for response in one.responses {
            let (server, request) = try stage.request()
            outcome.requests.append(request)
            self.send(response, to: server, stage, cut: responseCut)
            if one.serverCloses { stage.close(server) }
        }
        while outcome.responses.count < one.statuses.count {
            outcome.responses.append(try stage.message(client, hasBody: !one.isHead))
        }
        if one.isClosed { stage.end(client) }
        // A connection that stays open has been looked at after its last answer.
        stage.settle()
        outcome.isClosed = stage[client].isOver
        #expect(stage[client].received.isEmpty, "bytes behind the last answer")
        return outcome
    }

    private func send(_ text: String, to slot: Int, _ stage: Stage, cut: Cut) {
        let bytes = Array(text.utf8)
        var pieces = [bytes]
        switch cut {
        case .none: break
        case .behind(let place):
            if place < bytes.count { pieces = [Array(bytes[..<place]), Array(bytes[place...])] }
        case .everywhere: pieces = bytes.map { [$0] }
        }
        for piece in pieces.dropLast() {
            stage.send(slot, piece)
            stage.settle()
        }
        if let last = pieces.last { stage.send(slot, last) }
    }
}
