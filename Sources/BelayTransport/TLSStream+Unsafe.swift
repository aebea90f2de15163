internal import COpenSSL
private import Glibc

/// How far a handshake is.
package enum TLSHandshakeStep: Sendable {
    case done
    /// More must come from the other side.
    case needsInput
    /// The other side closed or reset the connection before the end.
    case closed
    case failed(TLSFailure)
}

/// One TLS connection. A name for OpenSSL's object, as plain as a descriptor: it is owned by the
/// connection's slot, and must be freed once, with `free()`.
///
/// Each call works with the worker's scratch. What is to be sent afterwards lies in there, in every
/// case: also when a call failed, since then it is the alert that says why.
@safe
@usableFromInline
package struct TLSStream: @unchecked Sendable {
    // Safe to send: the object belongs to one slot of one worker.
    let ssl: OpaquePointer

    // MARK: Beginning and ending

    /// A client's connection. Nil when there is no memory.
    package static func accepting(
        _ context: TLSServerContext,
        _ scratch: borrowing TLSScratch
    ) -> TLSStream? {
        guard let ssl = unsafe context.makeStream() else { return nil }
        let stream = unsafe TLSStream(ssl: ssl)
        stream.attach(scratch)
        // Safe: the object is new and ours.
        unsafe SSL_set_accept_state(ssl)
        return stream
    }

    /// A connection to a server. Nil when there is no memory, or no name to check although the
    /// context checks certificates.
    ///
    /// `serverName` is a host name, or an address as text: what the server's certificate must have;
    /// a host name is also sent, so that the server can choose its certificate. `session` names the
    /// server in the context's memory of sessions; nil: no session is remembered or resumed.
    /// `protocols` are offered in the place of the context's; nil: those.
    package static func connecting(
        _ context: TLSClientContext,
        serverName: String?,
        session: UInt32?,
        protocols: [TLSApplicationProtocol]? = nil,
        _ scratch: borrowing TLSScratch
    ) -> TLSStream? {
        guard let ssl = unsafe context.makeStream(serverName: serverName, session: session) else {
            return nil
        }
        if let offered = protocols?.wireFormat {
            // Safe: the object is new and ours; OpenSSL copies the list.
            unsafe SSL_set_alpn_protos(ssl, offered, UInt32(offered.count))
        }
        let stream = unsafe TLSStream(ssl: ssl)
        stream.attach(scratch)
        // Safe: the object is new and ours.
        unsafe SSL_set_connect_state(ssl)
        return stream
    }

    private func attach(_ scratch: borrowing TLSScratch) {
        // Safe: `SSL_set_bio` takes one reference when both sides are the same BIO, and this is it.
        unsafe BIO_up_ref(scratch.bio)
        unsafe SSL_set_bio(self.ssl, scratch.bio, scratch.bio)
    }

    /// Gives the memory back. The stream must not be used any more.
    package func free() {
        // Marked as shut, or OpenSSL would take the session for a bad one and not resume it.
        // Safe: called once, by the slot that owns the object.
        unsafe SSL_set_shutdown(self.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        unsafe SSL_free(self.ssl)
    }

    /// Says to the other side that no more will come. Nothing may be written afterwards.
    package func closeNotify(_ scratch: inout TLSScratch) {
        // Before the handshake's end there is nothing to close; OpenSSL would call it an error.
        guard unsafe SSL_is_init_finished(self.ssl) == 1 else { return }
        forgetTLSErrors()
        unsafe SSL_shutdown(self.ssl)
        forgetTLSErrors()
    }

    // MARK: The handshake

    /// Goes on with the handshake as far as what has arrived allows. `scratch.begin` comes before.
    ///
    /// After `done` the first bytes of the conversation may be here already: `scratch.isDrained`
    /// tells, and if it is false `read` must be called without waiting for epoll.
    package func handshake(_ scratch: inout TLSScratch) -> TLSHandshakeStep {
        forgetTLSErrors()
        // Safe: here and below, the object lives until `free`, and its BIO is the scratch's, which
        // the caller holds.
        let result = unsafe SSL_do_handshake(self.ssl)
        if result == 1 {
            if unsafe SSL_is_server(self.ssl) == 0 { unsafe keepRenewedSession(self.ssl) }
            scratch.isDrained =
                unsafe scratch.isSocketDrained && SSL_has_pending(self.ssl) == 0
            return .done
        }
        if unsafe SSL_get_error(self.ssl, result) == SSL_ERROR_WANT_READ {
            scratch.isDrained = true
            return .needsInput
        }
        scratch.isDrained = false
        return self.handshakeEnded(&scratch)
    }

    private func handshakeEnded(_ scratch: inout TLSScratch) -> TLSHandshakeStep {
        let failure = self.lastFailure(scratch)
        forgetTLSErrors()
        scratch.failure = failure
        if let failure {
            if failure.kind == .plainHTTP { scratch.removeAll() }
            return .failed(failure)
        }
        return .closed
    }

    /// Why the last call failed; nil when the other side closed or reset the connection.
    private func lastFailure(_ scratch: borrowing TLSScratch) -> TLSFailure? {
        let verification = unsafe SSL_get_verify_result(self.ssl)
        let noted = TLSFailure(
            verification: verification,
            looksLikeHTTP: scratch.looksLikeHTTP
        )
        if let noted { return noted }
        switch scratch.errorCode {
        case 0: return scratch.hasEnded ? nil : TLSFailure(.protocolError)
        case ECONNRESET, EPIPE: return nil
        case let code: return TLSFailure(.connection, code: UInt(code))
        }
    }

    // MARK: Reading and writing

    /// Decrypts what has arrived into `range` of a block. `scratch.begin` comes before.
    ///
    /// Ends before what stopped it when there are bytes: the next call says it. `end` is the other
    /// side's close_notify, or an end of the connection without it; `hasCloseNotice` tells which.
    package func read(
        _ scratch: inout TLSScratch,
        _ memory: BlockMemory,
        _ block: BlockIndex,
        _ range: Range<Int>
    ) -> Moved {
        forgetTLSErrors()
        var filled = range.lowerBound
        // Limit: so many times a record brings no data (tickets, new keys) in one call; who sends
        // more has to wait for the connection's next turn.
        var empty = 4
        while filled < range.upperBound {
            scratch.forgetWait()
            // Safe: `address` checks that the rest of `range` lies in the block, and OpenSSL
            // writes at most as many bytes.
            let result = unsafe SSL_read(
                self.ssl,
                memory.address(block, filled..<range.upperBound),
                Int32(range.upperBound &- filled)
            )
            if result > 0 {
                filled &+= Int(result)
                // Nothing more can come: it need not be asked for.
                guard scratch.isSocketDrained, unsafe SSL_has_pending(self.ssl) == 0 else {
                    continue
                }
                scratch.isDrained = true
                return .bytes(filled &- range.lowerBound)
            }
            let error = unsafe SSL_get_error(self.ssl, result)
            if error == SSL_ERROR_WANT_READ {
                // It says so after a record without data too.
                if !scratch.waits, empty > 0 {
                    empty &-= 1
                    continue
                }
                scratch.isDrained = scratch.waits
                return filled > range.lowerBound
                    ? .bytes(filled &- range.lowerBound) : .wouldBlock
            }
            scratch.isDrained = false
            if filled > range.lowerBound { return .bytes(filled &- range.lowerBound) }
            return self.readEnded(error, &scratch)
        }
        scratch.isDrained = unsafe scratch.isSocketDrained && SSL_has_pending(self.ssl) == 0
        return .bytes(filled &- range.lowerBound)
    }

    private func readEnded(_ error: Int32, _ scratch: inout TLSScratch) -> Moved {
        if error == SSL_ERROR_ZERO_RETURN { return .end }
        let failure = self.lastFailure(scratch)
        forgetTLSErrors()
        if failure == nil, scratch.hasEnded { return .end }
        if scratch.errorCode != 0 { return .failed(SystemError(code: scratch.errorCode)) }
        scratch.failure = failure
        return .failed(SystemError(code: EPROTO))
    }

    /// Whether the other side has said that it sends no more, so that an end is not a cut.
    package var hasCloseNotice: Bool {
        unsafe SSL_get_shutdown(self.ssl) & SSL_RECEIVED_SHUTDOWN != 0
    }

    /// Cipher text that `count` bytes become at most, in records of 16 KiB.
    package static func cipherCount(ofPlain count: Int) -> Int {
        // Limit: a record's header has 5 bytes; IV, padding and tag of every suite that OpenSSL
        // has are less than 128.
        count &+ (count / 16_384 &+ 1) &* 133
    }

    /// Encrypts all of `bytes` behind what lies in the scratch. False when the connection is
    /// broken, or the scratch has no room: then nothing was written.
    package func write(_ bytes: borrowing Span<UInt8>, _ scratch: inout TLSScratch) -> Bool {
        guard !bytes.isEmpty else { return true }
        guard Self.cipherCount(ofPlain: bytes.count) <= scratch.room else { return false }
        forgetTLSErrors()
        let result = unsafe bytes.withUnsafeBufferPointer { buffer in
            // Safe: OpenSSL reads the span's bytes, and keeps no pointer to them: there is room for
            // the cipher text, so the call takes all or breaks.
            unsafe SSL_write(self.ssl, buffer.baseAddress, Int32(buffer.count))
        }
        if Int(result) == bytes.count { return true }
        forgetTLSErrors()
        return false
    }
}
