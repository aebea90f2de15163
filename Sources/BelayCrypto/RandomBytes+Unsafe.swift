private import COpenSSL

/// Random bytes for secrets and nonces, drawn from OpenSSL's generator many at a time: a few of
/// them cost a copy, and a system call is made only when the generator reseeds itself.
///
/// One thread owns it. Bytes that were given out are wiped here. Allocates nothing after `init`.
package struct RandomBytes: ~Copyable {
    // Limit: 512 bytes are the nonces and ids of 25 new bindings; a draw of that size costs about
    // as much as ten of 12 bytes.
    private var buffer = [512 of UInt8](repeating: 0)
    /// The bytes before it were given out.
    private var used = 512

    package init() {}

    /// Fills all of `target`, which may have 512 bytes at most.
    package mutating func fill(_ target: inout MutableSpan<UInt8>) throws(CryptoError) {
        precondition(target.count <= 512, "more random bytes than are drawn at a time")
        if self.used &+ target.count > 512 {
            var bytes = self.buffer.mutableSpan
            try drawRandomBytes(into: &bytes)
            self.used = 0
        }
        for index in 0..<target.count {
            target[index] = self.buffer[self.used &+ index]
            self.buffer[self.used &+ index] = 0
        }
        self.used &+= target.count
    }
}

/// Fills all of `target` from OpenSSL's generator.
package func drawRandomBytes(into target: inout MutableSpan<UInt8>) throws(CryptoError) {
    let isDone = unsafe target.withUnsafeMutableBufferPointer { bytes in
        // Safe: writes exactly the span's bytes.
        unsafe RAND_bytes(bytes.baseAddress, Int32(bytes.count)) == 1
    }
    guard isDone else {
        ERR_clear_error()
        throw .refused(.random)
    }
}
