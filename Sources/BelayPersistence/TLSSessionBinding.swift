/// The client's TLS session. Where Belay ends TLS, an identity of its own that travels in the
/// session's ticket and so outlives the connection; where TLS passes through, the session id of the
/// ClientHello, which clients of TLS 1.2 send again when they resume, learned from the ServerHello.
package struct TLSSessionBinding: Sendable {
    package let hasher: KeyHasher

    package init(hasher: KeyHasher) { self.hasher = hasher }
}
