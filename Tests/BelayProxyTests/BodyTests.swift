import BelayCore
import BelayProxy
import Testing

/// Long bodies: in pieces, spliced, held back by slow readers.
@Suite struct BodyTests {
    /// Text in which a byte that is lost or repeated shows.
    private func text(_ count: Int) -> String {
        var text = ""
        text.reserveCapacity(count + 16)
        var number = 0
        while text.utf8.count < count {
            text += "\(number),"
            number += 1
        }
        return String(text.prefix(count))
    }

    private func chunked(_ text: String, by size: Int) -> String {
        var rest = Substring(text)
        var chunks = ""
        while !rest.isEmpty {
            let piece = rest.prefix(size)
            chunks += String(piece.utf8.count, radix: 16) + "\r\n" + piece + "\r\n"
            rest = rest.dropFirst(size)
        }
        return chunks + "0\r\n\r\n"
    }

    // Below a block, above one, and long enough to be spliced.
    @Test(arguments: [1, 8192, 8193, 49_152, 69_632, 200_000, 1_500_000])
    func `bodies of a length pass in both directions`(count: Int) throws {
        let stage = try Stage()
        let client = try stage.connect()
        let body = self.text(count)
        for _ in 0..<2 {
            stage.send(
                client,
                "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n" + body
            )
            let (slot, request) = try stage.request()
            #expect(request.body == body)
            stage.send(slot, "HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n" + body)
            #expect(try stage.message(client).body == body)
        }
    }

    @Test(
        arguments: [(1, 1), (3000, 1), (50_000, 7), (48 * 1024, 48 * 1024), (300_000, 65_536)]
            + [(300_000, 1000), (200_000, 200_000)]
    )
    func `chunked bodies pass in both directions`(count: Int, chunk: Int) throws {
        let stage = try Stage()
        let client = try stage.connect()
        let body = self.text(count)
        let chunks = self.chunked(body, by: chunk)
        stage.send(
            client,
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
        )
        let (slot, request) = try stage.request()
        #expect(request.body == body)
        stage.send(slot, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        #expect(try stage.message(client).body == body)
    }

    @Test(arguments: [100, 100_000, 1_000_000])
    func `an answer until the close arrives whole`(count: Int) throws {
        let stage = try Stage()
        let client = try stage.connect()
        let body = self.text(count)
        stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let (slot, _) = try stage.request()
        stage.send(slot, "HTTP/1.1 200 OK\r\n\r\n" + body)
        stage.wait("all is sent") { !stage[slot].isSending }
        stage.finish(slot)
        #expect(try stage.message(client).body == body)
    }

    @Test func `five pipelined answers of 64 KiB wait for a client that does not read`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        let body = self.text(64 * 1024)
        stage.pause(client)
        stage.send(client, String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 5))
        for _ in 0..<5 {
            let (slot, _) = try stage.request()
            stage.send(slot, "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" + body)
        }
        stage.resume(client)
        for _ in 0..<5 { #expect(try stage.message(client).body == body) }
        #expect(stage[client].received.isEmpty)
    }

    @Test(arguments: [false, true])
    func `a slow reader holds its writer back`(isChunked: Bool) throws {
        let stage = try Stage()
        let client = try stage.connect()
        // Limit: more than the kernel's buffers of two connections and a pipe hold.
        let count = 512
        let piece = Array(repeating: UInt8(ascii: "x"), count: 64 * 1024)
        let length = piece.count * count
        let size = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(length)"
        let bytes = isChunked ? Array("10000\r\n".utf8) + piece + Array("\r\n".utf8) : piece
        stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let (slot, _) = try stage.request()
        stage.pause(client)
        stage.send(slot, "HTTP/1.1 200 OK\r\n\(size)\r\n\r\n")
        var sent = 0
        while sent < count, !stage[slot].isSending {
            stage.send(slot, bytes)
            sent += 1
            stage.settle()
        }
        #expect(sent < count, "the writer was never stopped")
        // The worker has time for others meanwhile.
        let other = try stage.connect()
        stage.send(other, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let (second, _) = try stage.request()
        stage.send(second, "HTTP/1.1 204 No Content\r\n\r\n")
        #expect(try stage.message(other).status == 204)
        stage.count(client)
        stage.resume(client)
        while sent < count {
            stage.send(slot, bytes)
            stage.wait("the writer goes on") { !stage[slot].isSending }
            sent += 1
        }
        if isChunked { stage.send(slot, "0\r\n\r\n") }
        stage.end(client)
        #expect(stage[client].counted >= length)
        #expect(!stage[client].isCut)
    }

    @Test func `a slow server holds the client back`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        // Limit: more than the kernel's buffers of two connections and a pipe hold.
        let count = 512
        let piece = Array(repeating: UInt8(ascii: "x"), count: 64 * 1024)
        let length = 64 * 1024 * count
        stage.send(client, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n")
        var found: Int?
        stage.wait("the head arrives") {
            found = stage.peers.first { $1.server != nil && !$1.received.isEmpty }?.key
            return found != nil
        }
        let server = try #require(found)
        stage.pause(server)
        var sent = 0
        while sent < count, !stage[client].isSending {
            stage.send(client, piece)
            sent += 1
            stage.settle()
        }
        #expect(sent < count, "the client was never stopped")
        stage.count(server)
        stage.resume(server)
        while sent < count {
            stage.send(client, piece)
            stage.wait("the client goes on") { !stage[client].isSending }
            sent += 1
        }
        stage.wait("all has arrived") { stage[server].counted >= length }
        stage.send(server, "HTTP/1.1 204 No Content\r\n\r\n")
        #expect(try stage.message(client).status == 204)
        #expect(!stage[client].isOver)
    }

    @Test(
        arguments: [
            "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!",
            "HTTP/1.1 413 Content Too Large\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nno!\r\n0\r\n\r\n",
        ],
        ["Content-Length: 1048576", "Transfer-Encoding: chunked"]
    )
    func `a server that answers and breaks off an upload is heard`(
        answer: String,
        framing: String
    ) throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, "PUT / HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n")
        var found: Int?
        stage.wait("the head arrives") {
            found = stage.peers.first { $1.server != nil && !$1.received.isEmpty }?.key
            return found != nil
        }
        let server = try #require(found)
        stage.pause(server)
        let data = String(repeating: "x", count: 65_536)
        stage.send(client, framing.hasPrefix("Content") ? data : "10000\r\n\(data)\r\n")
        stage.settle()
        // What it has not read makes its end a reset.
        stage.send(server, answer)
        stage.close(server)
        stage.send(client, data)
        let response = try stage.message(client)
        #expect(response.status == 413)
        #expect(response.body == "no!")
    }
}
