import BelayBytes
import BelayCore
import BelayTransport
import Testing

@Suite struct TLSHandshakeTests {
    // MARK: What is agreed on

    @Test(arguments: [
        (TLSVersion.tls13, "TLS_AES_256_GCM_SHA384"),
        (.tls12, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ])
    func `both ends agree on the newest version that both have`(
        version: TLSVersion,
        cipher: String
    ) throws {
        let ends = try TLSEnds(.forTest("shop"), .forTest(version: version))
        ends.handshake()
        #expect(ends.isDone)
        for end in [ends.client, ends.server] {
            #expect(end.stream.version == version)
            #expect(!end.stream.isResumed)
            #expect(!end.stream.hasCloseNotice)
            #expect(end.text { $0.writeCipher(into: &$1) } == cipher)
        }
        #expect(ends.server.text { $0.writeServerName(into: &$1) } == "shop.example")
        #expect(!ends.server.stream.hasVerifiedClient)
    }

    static let http2 = TLSApplicationProtocol.http2
    static let http11 = TLSApplicationProtocol.http11

    @Test(
        arguments: [
            ([http2, http11], [http11, http2], http2),
            ([http11, http2], [http2, http11], http11),
            ([http11], [http2, http11], http11),
            ([http2, http11], [], nil),
            ([], [http2, http11], nil),
        ] as [([TLSApplicationProtocol], [TLSApplicationProtocol], TLSApplicationProtocol?)]
    )
    func `the server's favourite among what the client offers is spoken`(
        ours: [TLSApplicationProtocol],
        theirs: [TLSApplicationProtocol],
        want: TLSApplicationProtocol?
    ) throws {
        var settings = TLSServerSettings.forTest("shop")
        settings.protocols = ours
        let ends = try TLSEnds(settings, .forTest(protocols: theirs))
        ends.handshake()
        #expect(ends.isDone)
        #expect(ends.server.stream.applicationProtocol == want)
        #expect(ends.client.stream.applicationProtocol == want)
    }

    @Test(arguments: [TLSVersion.tls12, .tls13])
    func `a client that offers only what is not spoken is told so`(version: TLSVersion) throws {
        var settings = TLSServerSettings.forTest("shop")
        settings.protocols = [.http11]
        let ends = try TLSEnds(settings, .forTest(protocols: [.http2], version: version))
        ends.handshake()
        #expect(ends.server.failure == .noSharedProtocol)
        #expect(ends.client.failure == .peerAlert)
    }

    @Test func `without a common version the handshake fails on both ends`() throws {
        var settings = TLSServerSettings.forTest("shop")
        settings.minimum = .tls13
        let ends = try TLSEnds(settings, .forTest(version: .tls12))
        ends.handshake()
        #expect(ends.server.failure == .noSharedVersion)
        #expect(ends.client.failure == .peerAlert)
        guard case .failed(let failure) = ends.client.step else { return }
        #expect(failure.text == "tlsv1 alert protocol version")
        guard case .failed(let failure) = ends.server.step else { return }
        #expect(failure.text == "unsupported protocol")
        #expect("\(failure.kind.name)" == "no-shared-version")
    }

    @Test func `without a common cipher the handshake fails on both ends`() throws {
        var settings = TLSServerSettings.forTest("shop")
        settings.ciphers = "ECDHE-RSA-AES128-GCM-SHA256"
        let ends = try TLSEnds(settings, .forTest(version: .tls12))
        ends.handshake()
        #expect(ends.server.failure == .noSharedCipher)
        #expect(ends.client.failure == .peerAlert)
    }

    @Test func `without a common group the handshake fails`() throws {
        var settings = TLSServerSettings.forTest("shop")
        settings.groups = "brainpoolP256r1"
        let ends = try TLSEnds(settings)
        ends.handshake()
        #expect(ends.server.failure == .noSharedCipher)
        #expect(ends.client.failure == .peerAlert)
    }

    @Test func `a group of one suffices`() throws {
        var settings = TLSServerSettings.forTest("shop")
        settings.groups = "P-384"
        settings.cipherSuites = "TLS_CHACHA20_POLY1305_SHA256"
        let ends = try TLSEnds(settings)
        ends.handshake()
        #expect(ends.isDone)
        #expect(
            ends.client.text { $0.writeCipher(into: &$1) } == "TLS_CHACHA20_POLY1305_SHA256"
        )
    }

    // MARK: In pieces

    @Test(arguments: [TLSVersion.tls12, .tls13])
    func `a handshake may arrive byte by byte`(version: TLSVersion) throws {
        let server = try TLSServerContext(.forTest("shop"))
        let client = try TLSClientContext(.forTest(version: version))
        let (near, nearWire) = try socketPair()
        let (far, farWire) = try socketPair()
        let wires = (Wire(nearWire), Wire(farWire))
        let clientEnd = try TLSEnd(near) {
            TLSStream.connecting(client, serverName: "shop.example", session: nil, $0)
        }
        let serverEnd = try TLSEnd(far) { TLSStream.accepting(server, $0) }
        clientEnd.handshake()
        for _ in 0..<20_000 {
            if let byte = wires.0.readByte() {
                wires.1.write([byte])
                serverEnd.handshake()
            } else if let byte = wires.1.readByte() {
                wires.0.write([byte])
                clientEnd.handshake()
            } else {
                break
            }
        }
        #expect(clientEnd.isDone && serverEnd.isDone)
    }

    @Test func `a step that lacks bytes says that the socket is drained`() throws {
        let ends = try TLSEnds(.forTest("shop"))
        ends.server.handshake()
        guard case .needsInput = ends.server.step else {
            Issue.record("nothing has come yet")
            return
        }
        #expect(ends.server.isDrained)
        #expect(!ends.server.hasOutput)
        // It was not said that the socket is readable, so nobody looks.
        ends.client.handshake()
        ends.server.scratch.begin(ends.server.socket, mayRead: false, mayEnd: false)
        guard case .needsInput = ends.server.stream.handshake(&ends.server.scratch) else {
            Issue.record("the socket was read")
            return
        }
        ends.handshake()
        #expect(ends.isDone)
    }

    @Test func `bytes that come with the handshake's last are not forgotten`() throws {
        let ends = try TLSEnds(.forTest("shop"))
        ends.client.handshake()
        ends.server.handshake()
        ends.client.handshake()
        #expect(ends.client.isDone)
        #expect(ends.client.write([1, 2, 3]))
        ends.server.handshake()
        #expect(ends.server.isDone)
        #expect(!ends.server.isDrained)
        ends.server.read()
        #expect(ends.server.received == [1, 2, 3])
        #expect(ends.server.isDrained)
    }

    // MARK: What is no handshake

    @Test(arguments: [
        "GET / HTTP/1.1\r\n\r\n", "POST /a HTTP/1.0\r\n", "OPTIONS * HTTP/1.1\r\n",
        "DELETE /a HTTP/1.1\r\n", "CONNECT a:1 HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ])
    func `HTTP in clear text is told from other bytes`(request: String) throws {
        let context = try TLSServerContext(.forTest("shop"))
        let (near, far) = try socketPair()
        let wire = Wire(near)
        let server = try TLSEnd(far) { TLSStream.accepting(context, $0) }
        wire.write(Array(request.utf8))
        server.handshake()
        #expect(server.failure == .plainHTTP)
        #expect(server.sentCount == 0)
    }

    static let noHandshakes: [([UInt8], TLSFailure.Kind)] = [
        ([0x16, 3, 1, 0, 5, 9, 9, 9, 9, 9], .protocolError),
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], .noSharedVersion),
        (Array("SSH-2.0-OpenSSH_9.2\r\n".utf8), .noSharedVersion),
        (Array("hello there\r\n".utf8), .noSharedVersion),
        // A record that is longer than any may be.
        ([0x16, 3, 1, 0xFF, 0xFF] + [UInt8](repeating: 1, count: 100), .protocolError),
    ]

    @Test(arguments: TLSHandshakeTests.noHandshakes)
    func `other bytes end the handshake`(bytes: [UInt8], want: TLSFailure.Kind) throws {
        let context = try TLSServerContext(.forTest("shop"))
        let (near, far) = try socketPair()
        let wire = Wire(near)
        let server = try TLSEnd(far) { TLSStream.accepting(context, $0) }
        wire.write(bytes)
        server.handshake()
        #expect(server.failure == want)
    }

    @Test(arguments: [0, 3, 100]) func `a client that leaves is no fault`(count: Int) throws {
        let context = try TLSServerContext(.forTest("shop"))
        let (near, far) = try socketPair()
        let wire = Wire(near)
        let server = try TLSEnd(far) { TLSStream.accepting(context, $0) }
        wire.write(Array([UInt8]([0x16, 3, 1, 1, 0]).prefix(count)))
        server.handshake()
        guard case .needsInput = server.step else {
            Issue.record("more should be wanted")
            return
        }
        wire.close()
        server.handshake()
        guard case .closed = server.step else {
            Issue.record("the end was not seen: \(String(describing: server.step))")
            return
        }
    }

    // MARK: Memory

    @Test func `a context lives as long as its last connection, and no longer`() throws {
        final class Witness: Sendable {
            let now = SystemClock.unixNanoseconds() / 1_000_000_000
        }
        weak var weakWitness: Witness?
        var ends: TLSEnds?
        do {
            let witness = Witness()
            weakWitness = witness
            let context = try TLSServerContext(.forTest("first", "second")) {
                UnixTime(seconds: witness.now)
            }
            ends = try TLSEnds(context, TLSClientContext(.forTest()), name: "second.example")
        }
        #expect(weakWitness != nil)
        ends?.handshake()
        #expect(ends?.isDone == true)
        #expect(weakWitness != nil)
        ends = nil
        #expect(weakWitness == nil)
    }
}
