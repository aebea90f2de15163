internal import BelayBytes
internal import BelayCore

// Encrypted connections. OpenSSL reads the socket itself; what it writes lies in `secrets` and is
// sent from here, so that a connection's output block holds what goes over the wire, encrypted or
// not, and `flush` need not know.

extension Engine {
    /// Encrypts an accepted connection from here on; false when there is no memory for it. Nothing
    /// of its input may have been received that belongs to the encryption.
    package mutating func acceptTLS(_ slot: Int, _ context: TLSServerContext) -> Bool {
        guard let tls = TLSStream.accepting(context, self.secrets) else { return false }
        self.connections[slot].tls = tls
        self.connections[slot].carrier = .tls
        return true
    }

    /// Encrypts a connection that is connecting. `session` is the server's number, by which an
    /// earlier session is resumed; nil: the handshake is a whole one, and not remembered.
    package mutating func connectTLS(
        _ slot: Int,
        _ context: TLSClientContext,
        serverName: String?,
        session: UInt32?,
        protocols: [TLSApplicationProtocol]? = nil
    ) -> Bool {
        guard
            let tls = TLSStream.connecting(
                context,
                serverName: serverName,
                session: session,
                protocols: protocols,
                self.secrets
            )
        else { return false }
        self.connections[slot].tls = tls
        self.connections[slot].carrier = .tls
        return true
    }

    /// The encryption of a connection that has one.
    package func tls(_ slot: Int) -> TLSStream? { self.connections[slot].tls }

    /// A step of the handshake. What it wrote is sent, an alert too.
    package mutating func handshake(_ slot: Int) -> TLSHandshakeStep {
        guard let tls = self.connections[slot].tls else { return .closed }
        self.beginSecrets(slot)
        let step = tls.handshake(&self.secrets)
        let isDrained = self.secrets.isDrained
        guard self.sendEncrypted(slot) else { return .closed }
        if isDrained, !self.connections[slot].state.contains(.peerClosed) {
            self.connections[slot].state.remove(.readable)
        } else {
            // The first bytes of the conversation may be with OpenSSL already.
            self.connections[slot].state.insert(.readable)
        }
        return step
    }

    /// Says whose turn it is.
    private mutating func beginSecrets(_ slot: Int) {
        self.secrets.removeAll()
        let state = self.connections[slot].state
        self.secrets.begin(
            self.connections[slot].socket,
            mayRead: state.contains(.readable),
            mayEnd: state.contains(.peerClosed)
        )
    }

    /// What `receive` does for an encrypted connection, and whether nothing is left to read.
    mutating func decrypt(
        _ slot: Int,
        _ block: BlockIndex,
        _ room: Range<Int>
    ) -> (Moved, Bool) {
        guard let tls = self.connections[slot].tls else { return (.end, true) }
        self.beginSecrets(slot)
        let moved = tls.read(&self.secrets, self.pool.memory, block, room)
        let isDrained = self.secrets.isDrained
        // Reading may have to write: the answer to a key update, an alert.
        if self.secrets.hasOutput, !self.sendEncrypted(slot) {
            return (.failed(SystemError(code: 32)), true)
        }
        return (moved, isDrained)
    }

    /// Goes on in clear text: the handshake has failed, and what the other side sent was no TLS.
    package mutating func dropTLS(_ slot: Int) {
        self.connections[slot].tls?.free()
        self.connections[slot].tls = nil
        self.connections[slot].carrier = .socket
    }

    /// Encrypts `bytes` into `secrets`, whose earlier output is forgotten.
    mutating func encrypt(_ slot: Int, _ bytes: borrowing Span<UInt8>) -> Bool {
        guard let tls = self.connections[slot].tls else { return false }
        self.secrets.removeAll()
        return bytes.isEmpty || tls.write(bytes, &self.secrets)
    }

    /// Sends what was encrypted; the rest is kept.
    mutating func sendEncrypted(_ slot: Int) -> Bool {
        let count = self.secrets.output.count
        guard count > 0 else { return true }
        defer { self.secrets.removeAll() }
        var sent = 0
        if !self.connections[slot].hasOutput {
            switch self.connections[slot].socket.send(self.secrets.output) {
            case .bytes(let moved): sent = moved
            case .wouldBlock: break
            case .end, .failed:
                self.connections[slot].state.insert(.failed)
                return false
            }
            guard sent < count else { return true }
            self.connections[slot].state.remove(.writable)
        }
        guard let end = self.extendOutput(slot, by: count &- sent) else { return false }
        self.pool.memory.copy(
            self.secrets.output.extracting(sent..<count),
            to: self.connections[slot].outputBlock,
            at: end
        )
        return true
    }

    /// Encrypts `head` and as much of `body` as the kernel takes, in pieces that an output block
    /// holds. Returns how much of `body` is on its way, or nil when the connection is broken.
    mutating func encrypt(
        _ slot: Int,
        _ head: borrowing Span<UInt8>,
        then body: borrowing Span<UInt8>
    ) -> Int? {
        // Limit: what is encrypted before it is sent: three records, which an output block holds.
        let pieceMax = 48 * 1024
        var taken = 0
        if !head.isEmpty {
            self.joined.removeAll()
            let room = self.joined.capacity &- head.count
            if room > 0 {
                taken = Swift.min(room, body.count)
                self.joined.append(head)
                self.joined.append(body.extracting(0..<taken))
                guard self.encryptJoined(slot), self.sendEncrypted(slot) else { return nil }
            } else {
                guard self.encrypt(slot, head), self.sendEncrypted(slot) else { return nil }
            }
        }
        while taken < body.count, !self.connections[slot].hasOutput {
            let end = Swift.min(taken &+ pieceMax, body.count)
            guard self.encrypt(slot, body.extracting(taken..<end)), self.sendEncrypted(slot)
            else { return nil }
            taken = end
        }
        return taken
    }

    private mutating func encryptJoined(_ slot: Int) -> Bool {
        guard let tls = self.connections[slot].tls else { return false }
        self.secrets.removeAll()
        return Self.write(self.joined, by: tls, &self.secrets)
    }

    private static func write(
        _ writer: borrowing ByteWriter,
        by tls: TLSStream,
        _ secrets: inout TLSScratch
    ) -> Bool {
        tls.write(writer.bytes, &secrets)
    }

    /// Says that no more will come, in the encryption's words.
    mutating func sayGoodbye(_ slot: Int) {
        guard let tls = self.connections[slot].tls,
            !self.connections[slot].state.contains(.failed)
        else { return }
        self.secrets.removeAll()
        tls.closeNotify(&self.secrets)
        _ = self.sendEncrypted(slot)
    }

    mutating func endTLS(_ slot: Int, cutting: Bool) {
        if !cutting, !self.connections[slot].state.contains(.shut),
            !self.connections[slot].hasOutput
        {
            self.sayGoodbye(slot)
        }
        self.connections[slot].tls?.free()
        self.connections[slot].tls = nil
    }
}
