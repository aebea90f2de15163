import BelayBalancing
import BelayCore
import BelayHTTP2
import BelayProxy
import Testing

/// Many clients with many streams, who give up, and servers who refuse, reset and leave, in an
/// order that follows from a seed: nothing is left of any.
@Suite struct HTTP2CrowdTests {
    private struct Asked {
        let client: Talker
        let id: Int32
        let name: String
        /// What of the body is still to be sent.
        var left: [UInt8]
    }

    private static let turns = 400

    @Test(arguments: [1, 2, 3, 4, 5, 6], Version.allCases)
    func `nothing is left of streams, however they end`(seed: UInt64, server: Version) throws {
        var random = RandomSource(seed: seed)
        var setup = Setup()
        setup.servers = 3
        setup.speaksHTTP2 = server == .http2
        setup.limits.resets = 1_000_000
        setup.ejection = EjectionPolicy(ejectShare: 0)
        let stage = try Stage(setup)
        var clients = try (0..<4).map { _ in try stage.talk() }
        var asked: [Asked] = []
        var open: [(Talker, Int32)] = []
        for turn in 0..<Self.turns {
            switch random.below(16) {
            case 0..<5:
                asked.append(try self.ask(clients[random.below(4)], "\(turn)", &random))
            case 5..<9: self.goOn(&asked, &random)
            case 9: self.giveUp(&asked, &random)
            case 10 where random.below(8) == 0:
                let place = random.below(4)
                stage.close(clients[place].slot, cutting: random.below(2) == 0)
                asked.removeAll { $0.client === clients[place] }
                clients[place] = try stage.talk()
            default:
                switch server {
                case .http1: self.answerText(stage, &random)
                case .http2: self.answerFrames(stage, &open, &random)
                }
            }
            if random.below(3) == 0 { stage.settle() }
            stage.poll()
        }
        try self.finish(stage, &asked, &open, server)
        for client in clients {
            for (id, stream) in client.streams where stream.reset == nil && stream.isWhole {
                // 503: the engine of the stage has no slot for more.
                #expect([200, 502, 503].contains(stream.status), "stream \(id), seed \(seed)")
            }
            stage.close(client.slot)
        }
        stage.watch("all have left") { stage.shared.openConnections == 0 }
        stage.waitUntilFree()
    }

    private func ask(
        _ client: Talker,
        _ name: String,
        _ random: inout RandomSource
    ) throws -> Asked {
        let size = random.below(3) == 0 ? random.below(200_000) : random.below(500)
        let method = random.below(4) == 0 ? "POST" : "PUT"
        let head = "\(method) /\(name) HTTP/1.1\r\nHost: a\r\n\r\n"
        let id = try client.request(head, isLast: size == 0)
        return Asked(
            client: client,
            id: id,
            name: name,
            left: Array(repeating: UInt8(ascii: "b"), count: size)
        )
    }

    /// Some client sends more of a body.
    private func goOn(_ asked: inout [Asked], _ random: inout RandomSource) {
        let places = asked.indices.filter { !asked[$0].left.isEmpty }
        guard !places.isEmpty else { return }
        let place = places[random.below(places.count)]
        let count = Swift.min(asked[place].left.count, 1 + random.below(100_000))
        let piece = Array(asked[place].left.prefix(count))
        asked[place].left.removeFirst(count)
        asked[place].client.offer(asked[place].id, piece, isLast: asked[place].left.isEmpty)
    }

    private func giveUp(_ asked: inout [Asked], _ random: inout RandomSource) {
        guard !asked.isEmpty else { return }
        let one = asked.remove(at: random.below(asked.count))
        one.client.reset(one.id, HTTP2Code.cancel)
    }

    /// A server that speaks HTTP/1.1 answers, early or not, or closes.
    private func answerText(_ stage: Stage, _ random: inout RandomSource) {
        let slots = stage.peers.keys.filter { stage[$0].server != nil }.sorted()
        guard !slots.isEmpty else { return }
        let slot = slots[random.below(slots.count)]
        if stage[slot].isOver || random.below(12) == 0 {
            stage.close(slot, cutting: random.below(2) == 0)
        } else if let request = stage.take(slot) {
            stage.reply(.text(slot), body: Self.body(request.head, &random))
        }
    }

    /// A server that speaks HTTP/2 begins an answer, goes on with one, resets or leaves.
    private func answerFrames(
        _ stage: Stage,
        _ open: inout [(Talker, Int32)],
        _ random: inout RandomSource
    ) {
        for talker in stage.talkers.values.sorted(by: { $0.slot < $1.slot })
        where talker.server != nil {
            open += talker.fresh.map { (talker, $0) }
            talker.fresh = []
        }
        open.removeAll { stage.talkers[$0.0.slot] !== $0.0 || $0.0[$0.1].reset != nil }
        guard !open.isEmpty else { return }
        let place = random.below(open.count)
        let (talker, id) = open[place]
        switch random.below(16) {
        case 0: stage.close(talker.slot, cutting: random.below(2) == 0)
        case 1: talker.goAway(last: random.below(2) == 0 ? id : 0)
        case 2: talker.reset(id, HTTP2Code.refusedStream)
        case 3: talker.reset(id, HTTP2Code.internalError)
        case 4:
            talker.hold {
                talker.ok(id, "early")
                talker.reset(id, HTTP2Code.noError)
            }
        case 5: talker.respond(id, "HTTP/1.1 103 Hints\r\n\r\n", isInterim: true)
        case 6: talker.respond(id, "HTTP/1.1 200 OK\r\n\r\n", body: "half", isLast: false)
        default: talker.ok(id, Self.body(talker[id].head, &random))
        }
        if random.below(2) == 0, place < open.count { open.remove(at: place) }
    }

    private static func body(_ head: String, _ random: inout RandomSource) -> String {
        let size = random.below(3) == 0 ? random.below(150_000) : random.below(300)
        return String(repeating: "r", count: size)
    }

    /// Lets all that is open end: who still sends, sends the rest; who is asked, answers.
    private func finish(
        _ stage: Stage,
        _ asked: inout [Asked],
        _ open: inout [(Talker, Int32)],
        _ server: Version
    ) throws {
        var random = RandomSource(seed: 0)
        for place in asked.indices {
            let one = asked[place]
            if !one.left.isEmpty { one.client.offer(one.id, one.left, isLast: true) }
        }
        // Streams that are half answered, or were asked and forgotten, are given up.
        for talker in stage.talkers.values where talker.server != nil {
            for (id, stream) in talker.streams where stream.reset == nil {
                talker.reset(id, HTTP2Code.internalError)
            }
            talker.fresh = []
        }
        open = []
        stage.watch("every stream ends") {
            switch server {
            case .http1:
                for slot in stage.peers.keys where stage[slot].server != nil {
                    if stage[slot].isOver {
                        stage.close(slot)
                    } else if let request = stage.take(slot) {
                        stage.reply(.text(slot), body: Self.body(request.head, &random))
                    }
                }
            case .http2:
                for talker in stage.talkers.values where talker.server != nil {
                    for id in talker.fresh { talker.ok(id) }
                    talker.fresh = []
                }
            }
            return asked.allSatisfy {
                $0.client[$0.id].isOver || stage[$0.client.slot].isOver
            }
        }
    }
}
