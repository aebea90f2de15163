import BelayBytes
import BelayTransport
import Testing

@Suite struct TLSTransferTests {
    private func connected(
        _ version: TLSVersion = .tls13,
        _ settings: TLSServerSettings = .forTest("shop")
    ) throws -> TLSEnds {
        let ends = try TLSEnds(settings, .forTest(version: version))
        ends.handshake()
        try #require(ends.isDone)
        ends.client.read()
        return ends
    }

    @Test(arguments: TLSVersion.allCases)
    func `a million bytes pass both ways`(version: TLSVersion) throws {
        let ends = try self.connected(version)
        let bytes = pattern(1 << 20)
        for (from, to) in [(ends.client, ends.server), (ends.server, ends.client)] {
            var start = 0
            while start < bytes.count {
                let end = Swift.min(start + BlockMemory.blockSize, bytes.count)
                #expect(from.write(Array(bytes[start..<end])))
                to.read()
                start = end
            }
            #expect(to.received == bytes)
        }
    }

    @Test(arguments: TLSVersion.allCases, [1, 100, 16_384, 16_385, 40_000])
    func `what is read in small pieces is whole`(version: TLSVersion, limit: Int) throws {
        let ends = try self.connected(version)
        let bytes = pattern(limit < 100 ? 2_000 : 60_000)
        #expect(ends.client.write(bytes))
        ends.server.read(limit: limit)
        #expect(ends.server.received == bytes)
        #expect(ends.server.isDrained)
    }

    @Test(arguments: TLSVersion.allCases)
    func `cipher text may arrive byte by byte`(version: TLSVersion) throws {
        let ends = try self.connected(version)
        let bytes = pattern(20_000)
        #expect(ends.client.stream.write(bytes.span, &ends.client.scratch))
        let cipher = ends.client.scratch.outputCopy()
        ends.client.scratch.removeAll()
        #expect(cipher.count <= TLSStream.cipherCount(ofPlain: bytes.count))
        let wire = ends.client.wire
        for byte in cipher {
            wire.write([byte])
            ends.server.read()
        }
        #expect(ends.server.received == bytes)
    }

    // MARK: System calls and rooms

    @Test func `a short read drains the socket, and nobody asks it again`() throws {
        let ends = try self.connected()
        #expect(ends.client.write([1, 2, 3]))
        ends.server.read(mayEnd: false)
        #expect(ends.server.received == [1, 2, 3])
        #expect(ends.server.isDrained)
        // What comes now is not seen until epoll reports it.
        #expect(ends.client.write([4]))
        #expect(ends.server.readOnce(mayRead: false) == "wouldBlock")
        #expect(ends.server.isDrained)
        #expect(ends.server.readOnce(mayRead: true) == "1")
    }

    @Test func `a full block leaves the rest for the next call`() throws {
        let ends = try self.connected()
        #expect(ends.client.write(pattern(5_000)))
        #expect(ends.server.readOnce(mayRead: true, limit: 3_000) == "3000")
        #expect(!ends.server.isDrained)
        // The rest is in OpenSSL, so the socket is not needed.
        #expect(ends.server.readOnce(mayRead: false, limit: 3_000) == "2000")
        #expect(ends.server.isDrained)
    }

    @Test func `part of a record is no reason to look again`() throws {
        let ends = try self.connected()
        let bytes = pattern(1_000)
        #expect(ends.client.stream.write(bytes.span, &ends.client.scratch))
        let cipher = ends.client.scratch.outputCopy()
        ends.client.scratch.removeAll()
        let wire = ends.client.wire
        wire.write(Array(cipher[..<500]))
        #expect(ends.server.readOnce(mayRead: true) == "wouldBlock")
        #expect(ends.server.isDrained)
        wire.write(Array(cipher[500...]))
        #expect(ends.server.readOnce(mayRead: true) == "1000")
        #expect(ends.server.isDrained)
    }

    @Test func `a block fits into the scratch, and what does not fit breaks nothing`() throws {
        let ends = try self.connected()
        let block = pattern(BlockMemory.blockSize)
        #expect(ends.server.stream.write(block.span, &ends.server.scratch))
        #expect(!ends.server.stream.write(block.span, &ends.server.scratch))
        ends.server.flush()
        #expect(ends.server.write([9]))
        ends.client.read()
        #expect(ends.client.received == block + [9])
    }

    @Test func `nothing is written for no bytes`() throws {
        let ends = try self.connected()
        let none: [UInt8] = []
        #expect(ends.server.stream.write(none.span, &ends.server.scratch))
        #expect(!ends.server.hasOutput)
    }

    // MARK: Ending

    @Test(arguments: TLSVersion.allCases)
    func `an end with notice is told from one without`(version: TLSVersion) throws {
        for hasNotice in [true, false] {
            let ends = try self.connected(version)
            #expect(ends.client.write([1]))
            if hasNotice {
                ends.client.stream.closeNotify(&ends.client.scratch)
                ends.client.flush()
            }
            ends.client.shutdown()
            ends.server.read()
            #expect(ends.server.received == [1])
            #expect(ends.server.readOnce(mayRead: true) == "end")
            #expect(ends.server.stream.hasCloseNotice == hasNotice)
            // The other half is still open.
            #expect(ends.server.write([2]))
            ends.client.read()
            #expect(ends.client.received == [2])
            ends.server.stream.closeNotify(&ends.server.scratch)
            ends.server.flush()
            #expect(ends.client.readOnce(mayRead: true) == "end")
            #expect(ends.client.stream.hasCloseNotice)
        }
    }

    @Test func `a reset is a failure of the system`() throws {
        let ends = try self.connected()
        #expect(ends.server.write([1]))
        ends.client.reset()
        #expect(ends.server.readOnce(mayRead: true).hasPrefix("failed"))
    }

    @Test func `a notice before the handshake's end says nothing`() throws {
        let ends = try TLSEnds(.forTest("shop"))
        ends.server.stream.closeNotify(&ends.server.scratch)
        #expect(!ends.server.hasOutput)
        ends.handshake()
        #expect(ends.isDone)
    }

    @Test(arguments: TLSVersion.allCases)
    func `a changed byte breaks the connection, and an alert says so`(
        version: TLSVersion
    ) throws {
        let ends = try self.connected(version)
        let bytes = pattern(100)
        #expect(ends.client.stream.write(bytes.span, &ends.client.scratch))
        var cipher = ends.client.scratch.outputCopy()
        ends.client.scratch.removeAll()
        cipher[50] ^= 1
        ends.client.wire.write(cipher)
        #expect(ends.server.readOnce(mayRead: true) == "failed 71")
        #expect(ends.server.scratch.failure?.kind == .protocolError)
        #expect(ends.server.hasOutput)
        #expect(ends.server.readOnce(mayRead: true).hasPrefix("failed"))
        #expect(!ends.server.write([1]))
        // The scratch serves the next connection, whose failures are its own.
        ends.server.scratch.begin(ends.server.socket, mayRead: false, mayEnd: false)
        #expect(ends.server.scratch.failure == nil)
        ends.server.flush()
        ends.client.read()
        #expect(ends.client.lastText == "failed 71")
        #expect(ends.client.scratch.failure?.kind == .peerAlert)
        #expect(ends.client.scratch.failure?.text.contains("bad record mac") == true)
    }
}
