/// What one of each takes in memory, beside its blocks. A test holds these down: a connection's
/// share is paid for each idle client.
package enum MemorySizes {
    package static let exchange = MemoryLayout<Exchange>.stride
    package static let role = MemoryLayout<Role>.stride
}
