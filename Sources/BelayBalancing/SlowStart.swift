internal import BelayBytes
package import BelayCore

/// A server that is up again, or new, takes a part of its share only at first: its caches are cold,
/// and of what it did wrong last time nobody knows yet whether it is mended. The part rises evenly
/// to all.
///
/// Most algorithms let chance decide for each newcomer: a pick has one number, from which each
/// server that starts has another one drawn, so that they are independent. For a hash that number
/// comes from the key: because the part only rises, a key moves to the server once, and stays.
/// `LeastConnections` takes the part as weight instead: to it such a server is the idlest of all,
/// and would get every newcomer that chance lets pass.
package enum SlowStart {
    // Limit: the first part: enough to see how the server does.
    package static let firstShare = 0.1
    /// What `ServerPoolView.startShare` counts in.
    package static let whole = 256

    /// The part of its share that the server takes, 0.1 to 1.
    package static func share(passed: TimeSpan, of span: TimeSpan) -> Double {
        guard passed < span else { return 1 }
        let part = Double(Swift.max(passed.nanoseconds, 0)) / Double(span.nanoseconds)
        return Self.firstShare + (1 - Self.firstShare) * part
    }

    /// Whether a server that takes this part of its share takes the newcomer with this number; 0
    /// is taken by all.
    package static func takes(draw: UInt32, server: Int, share: Double) -> Bool {
        guard draw != 0 else { return true }
        let mixed = StableHash.combine(UInt64(draw), UInt64(server))
        return Double(mixed >> 11) * 0x1p-53 < share
    }
}
