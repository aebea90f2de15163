public import BelayBytes

extension Engine {
    /// The connection in a slot that is in use.
    @inlinable
    package subscript(_ slot: Int) -> Connection {
        // In place: a connection is larger than what one wants to know of it.
        // Safe: the address is used for this one access, during which the slab stays as it is.
        unsafeAddress { unsafe self.connections.address(of: slot) }
    }
}
