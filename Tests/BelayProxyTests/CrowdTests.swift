import BelayCore
import BelayProxy
import Testing

/// Many clients at once, everything in pieces whose sizes and order follow from a seed.
@Suite struct CrowdTests {
    private static let clients = 12
    private static let requests = 12

    @Test(arguments: [1, 2, 3, 4, 5, 6])
    func `every client gets its own answers, in order`(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        var setup = Setup()
        setup.servers = 3
        let stage = try Stage(setup)
        var waiting: [Int: [UInt8]] = [:]
        var clients: [Int] = []
        for number in 0..<Self.clients {
            let slot = try stage.connect()
            clients.append(slot)
            let all = (0..<Self.requests).map { self.request(number, $0, &random) }
            waiting[slot] = Array(all.joined().utf8)
        }
        var answers: [Int: [String]] = [:]
        var closing: Set<Int> = []
        // Limit: far more turns than all pieces take.
        for _ in 0..<100_000 {
            self.sendPieces(&waiting, &closing, stage, &random)
            stage.settle()
            stage.poll()
            for slot in stage.peers.keys.sorted() where stage[slot].server != nil {
                while let request = stage.take(slot) {
                    let (answer, closes) = self.answer(request, &random)
                    waiting[slot, default: []] += Array(answer.utf8)
                    if closes { closing.insert(slot) }
                }
            }
            for slot in clients {
                while let answer = stage.take(slot) {
                    answers[slot, default: []].append(answer.body)
                }
            }
            let isOver = clients.allSatisfy { answers[$0]?.count == Self.requests }
            if isOver || clients.contains(where: { stage[$0].isOver }) { break }
        }
        for (number, slot) in clients.enumerated() {
            let want = (0..<Self.requests).map { "/\(number)/\($0) " }
            let got = (answers[slot] ?? []).map { $0.prefix { $0 != " " } + " " }
            #expect(got.map { String($0) } == want, "client \(number), seed \(seed)")
            #expect(!stage[slot].isOver)
        }
    }

    /// Sends the next piece of everything that waits, and closes what is to end behind it.
    private func sendPieces(
        _ waiting: inout [Int: [UInt8]],
        _ closing: inout Set<Int>,
        _ stage: Stage,
        _ random: inout RandomSource
    ) {
        for slot in waiting.keys.sorted() {
            guard let bytes = waiting[slot] else { continue }
            let size = 1 + random.below(random.below(3) == 0 ? 2000 : 60)
            let count = Swift.min(bytes.count, size)
            stage.send(slot, Array(bytes[..<count]))
            waiting[slot] = count == bytes.count ? nil : Array(bytes[count...])
            if waiting[slot] == nil, closing.remove(slot) != nil { stage.close(slot) }
        }
    }

    /// A request whose path and body name its sender and its place.
    private func request(_ client: Int, _ number: Int, _ random: inout RandomSource) -> String {
        let body = String(repeating: "\(client).\(number);", count: random.below(400))
        // Only what may be repeated: servers close under a request now and then.
        let head = "PUT /\(client)/\(number) HTTP/1.1\r\nHost: a\r\n"
        switch random.below(3) {
        case 0: return "GET /\(client)/\(number) HTTP/1.1\r\nHost: a\r\n\r\n"
        case 1: return head + "Content-Length: \(body.utf8.count)\r\n\r\n" + body
        default: return head + "Transfer-Encoding: chunked\r\n\r\n" + self.chunks(body, &random)
        }
    }

    /// The request's path and body back, in some framing; whether the server closes behind it.
    private func answer(_ request: Message, _ random: inout RandomSource) -> (String, Bool) {
        let path = request.head.split(separator: " ")[1]
        let body = "\(path) \(request.body)"
        switch random.below(5) {
        case 0:
            return ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body, true)
        case 1, 2:
            let chunks = self.chunks(body, &random)
            return ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, false)
        default:
            return ("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body, false)
        }
    }

    private func chunks(_ text: String, _ random: inout RandomSource) -> String {
        var rest = Substring(text)
        var chunks = ""
        while !rest.isEmpty {
            let piece = rest.prefix(1 + random.below(300))
            rest = rest.dropFirst(piece.count)
            chunks += "\(String(piece.utf8.count, radix: 16))\r\n\(piece)\r\n"
        }
        return chunks + "0\r\n\r\n"
    }
}
