private import CBelay
internal import COpenSSL
private import Glibc

// TLS, in files named `TLS…`: `TLSServerContext` and `TLSClientContext` hold what all connections
// of a listener or a server pool share, made off the workers; `TLSStream` is one connection;
// `TLSScratch` is what a worker's connections share, the way between OpenSSL and the sockets.
// Nothing here waits, and nothing sends: `Engine` sends what lies in the scratch.

/// Cipher text on its way: what OpenSSL wrote since the last `removeAll`, for the connection that
/// it was written for. One for each worker, since only one connection is worked on at a time.
///
/// OpenSSL reads from the socket that `begin` names, and never blocks.
@safe
@usableFromInline
package struct TLSScratch: ~Copyable, @unchecked Sendable {
    // Safe to send: nobody else has the memory; OpenSSL uses it only in calls on a stream, which
    // the owning thread makes.
    fileprivate let channel: UnsafeMutablePointer<TLSChannel>
    /// Shared by all streams: it keeps nothing of a connection.
    let bio: OpaquePointer

    // Limit: a whole block of 68 KiB takes about 68.2 KiB of cipher text, and a handshake's
    // longest flight (a chain of certificates) hardly more than 20 KiB.
    package static var capacity: Int { 128 * 1024 }

    package init() {
        unsafe self.channel = .allocate(capacity: 1)
        let base = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.capacity)
        // Safe: exactly the two allocations; from here on all of it is initialised.
        unsafe base.initialize(repeating: 0, count: Self.capacity)
        unsafe self.channel.initialize(to: TLSChannel(base: base))
        guard let bio = unsafe BIO_new(channelMethod) else { fatalError("out of memory for TLS") }
        unsafe BIO_set_data(bio, self.channel)
        unsafe BIO_set_init(bio, 1)
        unsafe self.bio = bio
    }

    deinit {
        // Safe: streams hold references of their own to the BIO, which touch the channel only in
        // calls that need this scratch.
        unsafe BIO_free(self.bio)
        unsafe self.channel.pointee.base.deallocate()
        unsafe self.channel.deallocate()
    }

    /// The cipher text that is to be sent.
    package var output: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let channel = unsafe self.channel
            // Safe: `count` never exceeds the capacity, all of which is initialised, and the span
            // borrows the scratch that owns the memory.
            let span = unsafe Span(
                _unsafeStart: UnsafePointer(channel.pointee.base),
                count: channel.pointee.count
            )
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    package var hasOutput: Bool { unsafe self.channel.pointee.count > 0 }

    package mutating func removeAll() {
        unsafe self.channel.pointee.count = 0
        unsafe self.channel.pointee.hasOverflowed = false
    }

    /// Names the connection that the next `handshake` or `read` is for.
    ///
    /// `mayRead`: epoll said that the socket is readable, and no call has drained it since; without
    /// it OpenSSL works with what it has and no system call is made. `mayEnd`: epoll said that the
    /// other side has finished, so a short read does not mean that nothing follows.
    @inline(__always)
    package mutating func begin(_ socket: Descriptor, mayRead: Bool, mayEnd: Bool) {
        // Safe: the channel is initialised and lives as long as the scratch; so below.
        unsafe self.channel.pointee.socket = socket.number
        unsafe self.channel.pointee.mayRead = mayRead
        unsafe self.channel.pointee.mayEnd = mayEnd
        unsafe self.channel.pointee.hasEnded = false
        unsafe self.channel.pointee.errorCode = 0
        unsafe self.channel.pointee.firstCount = 0
        // What went wrong with another connection is not this one's.
        self.failure = nil
    }

    /// After a `handshake` or `read`: the socket is empty and OpenSSL has nothing that it could
    /// still give, so the connection is not readable until epoll says so again.
    package internal(set) var isDrained = false
    /// What was wrong, after a `handshake` or `read` that failed.
    package internal(set) var failure: TLSFailure?

    /// Nothing is left to read on the socket, as far as the last read could tell.
    var isSocketDrained: Bool { unsafe !self.channel.pointee.mayRead }
    /// OpenSSL asked for bytes that are not there, since `forgetWait`.
    var waits: Bool { unsafe self.channel.pointee.waits }
    mutating func forgetWait() { unsafe self.channel.pointee.waits = false }
    /// The socket's end was read.
    var hasEnded: Bool { unsafe self.channel.pointee.hasEnded }
    /// The error that the socket's last read ended with, or 0.
    var errorCode: Int32 { unsafe self.channel.pointee.errorCode }
    /// Room for cipher text.
    var room: Int { unsafe Self.capacity &- self.channel.pointee.count }
    var hasOverflowed: Bool { unsafe self.channel.pointee.hasOverflowed }

    /// Whether the first bytes that came since `begin` are a request line of HTTP in clear text: a
    /// method in capital letters and a blank.
    var looksLikeHTTP: Bool {
        let count = unsafe self.channel.pointee.firstCount
        for index in 0..<count {
            let byte = unsafe self.channel.pointee.first[index]
            if byte == UInt8(ascii: " ") { return index >= 3 }
            guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) else { return false }
        }
        return false
    }
}

/// What OpenSSL's callbacks share with the scratch, at an address that stays.
@safe
private struct TLSChannel {
    let base: UnsafeMutablePointer<UInt8>
    var count = 0
    var hasOverflowed = false
    var socket: Int32 = -1
    var mayRead = false
    var mayEnd = false
    var waits = false
    var hasEnded = false
    var errorCode: Int32 = 0
    /// The beginning of what was read since `begin`.
    var first = [8 of UInt8](repeating: 0)
    var firstCount = 0

    init(base: UnsafeMutablePointer<UInt8>) { unsafe self.base = base }
}

/// How OpenSSL reads and writes: made once for the process, and kept.
private nonisolated(unsafe) let channelMethod: OpaquePointer? = {
    // Safe: the functions below have the types that OpenSSL asks for and live for ever.
    guard let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "belay")
    else { return nil }
    unsafe BIO_meth_set_read(method, readChannel)
    unsafe BIO_meth_set_write(method, writeChannel)
    unsafe BIO_meth_set_ctrl(method, controlChannel)
    return unsafe method
}()

private func channel(of bio: OpaquePointer?) -> UnsafeMutablePointer<TLSChannel>? {
    // Safe: only `TLSScratch.init` makes BIOs of this kind, and it sets this pointer.
    unsafe BIO_get_data(bio)?.assumingMemoryBound(to: TLSChannel.self)
}

private func readChannel(
    _ bio: OpaquePointer?,
    _ bytes: UnsafeMutablePointer<CChar>?,
    _ count: Int32
) -> Int32 {
    guard let channel = unsafe channel(of: bio), let bytes = unsafe bytes, count > 0 else {
        return -1
    }
    unsafe BIO_clear_flags(bio, retryFlags)
    guard unsafe channel.pointee.mayRead else {
        unsafe channel.pointee.waits = true
        unsafe BIO_set_flags(bio, readAgain)
        return -1
    }
    // Safe: OpenSSL offers `count` bytes at `bytes`.
    var result = unsafe belay_read(channel.pointee.socket, bytes, Int(count))
    while result < 0 && errno == EINTR {
        result = unsafe belay_read(channel.pointee.socket, bytes, Int(count))
    }
    if result > 0 {
        // A short read emptied the kernel's buffer; what comes later is a new report of epoll.
        if result < count, unsafe !channel.pointee.mayEnd {
            unsafe channel.pointee.mayRead = false
        }
        if unsafe channel.pointee.firstCount == 0 {
            let seen = Swift.min(8, result)
            for index in 0..<seen {
                unsafe channel.pointee.first[index] = UInt8(bitPattern: bytes[index])
            }
            unsafe channel.pointee.firstCount = seen
        }
        return Int32(truncatingIfNeeded: result)
    }
    if result < 0 && errno == EAGAIN {
        unsafe channel.pointee.mayRead = false
        unsafe channel.pointee.waits = true
        unsafe BIO_set_flags(bio, readAgain)
        return -1
    }
    // OpenSSL is not told what kind of end it is (`BIO_CTRL_EOF` says no), so that it does not take
    // an end without notice for an attack: whoever reads learns it, and may still write.
    if result == 0 {
        unsafe channel.pointee.hasEnded = true
    } else {
        unsafe channel.pointee.errorCode = errno
    }
    return result == 0 ? 0 : -1
}

private func writeChannel(
    _ bio: OpaquePointer?,
    _ bytes: UnsafePointer<CChar>?,
    _ count: Int32
) -> Int32 {
    guard let channel = unsafe channel(of: bio), let bytes = unsafe bytes, count > 0 else {
        return 0
    }
    unsafe BIO_clear_flags(bio, retryFlags)
    let start = unsafe channel.pointee.count
    guard Int(count) <= TLSScratch.capacity &- start else {
        unsafe channel.pointee.hasOverflowed = true
        return -1
    }
    // Safe: there is room for `count` bytes, checked above; OpenSSL's memory is not ours.
    unsafe UnsafeMutableRawPointer(channel.pointee.base + start)
        .copyMemory(from: bytes, byteCount: Int(count))
    unsafe channel.pointee.count = start &+ Int(count)
    return count
}

private func controlChannel(
    _ bio: OpaquePointer?,
    _ command: Int32,
    _ number: Int,
    _ pointer: UnsafeMutableRawPointer?
) -> Int {
    command == BIO_CTRL_FLUSH ? 1 : 0
}

private let readAgain = BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY
private let retryFlags =
    BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY
