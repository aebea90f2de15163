import BelayProxy
import BelayTransport
import Testing

/// What a connection and an exchange take in memory. Who makes one larger does so knowingly: an
/// idle client pays for a connection, a role, and its share of the timer wheel.
@Suite struct MemoryTests {
    @Test(
        arguments: [
            ("a connection", MemoryLayout<Connection>.stride, 88),
            ("its role", MemorySizes.role, 80),
            ("an exchange", MemorySizes.exchange, 672),
        ]
    )
    func `no larger than it was`(what: String, size: Int, limit: Int) {
        #expect(size <= limit, "\(what) has grown")
    }
}
