/// The servers that an exchange has tried in vain: at most 16, kept in place.
package struct TriedServers: Equatable, Sendable {
    // Limit: an exchange that failed on 16 servers will not be saved by another one.
    package static let capacity = 16
    private static let nobody = UInt16.max

    private var servers = SIMD16<UInt16>(repeating: Self.nobody)
    package private(set) var count = 0

    package init() {}

    /// False if there is no room for one more: give up.
    @discardableResult
    package mutating func insert(_ index: Int) -> Bool {
        if self.contains(index) { return true }
        guard self.count < Self.capacity, index < Int(Self.nobody) else { return false }
        self.servers[self.count] = UInt16(index)
        self.count &+= 1
        return true
    }

    package func contains(_ index: Int) -> Bool {
        self.count > 0 && self.isAmong(index)
    }

    private func isAmong(_ index: Int) -> Bool {
        for place in 0..<self.count where Int(self.servers[place]) == index { return true }
        return false
    }
}
