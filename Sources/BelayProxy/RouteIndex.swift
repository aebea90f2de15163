import BelayBytes
package import BelayHTTP

/// Finds the first route that takes a request without asking one after the other: by the request's
/// host, and by where its path's segments end. Made when the plan is, for all workers.
///
/// It only proposes routes, by hashes; each proposal is then asked as without an index, so that two
/// texts of one hash cost a little time and no more.
package struct RouteIndex: Sendable {
    /// Routes of one host and path, which differ by methods: a run of `positions`.
    private struct Group: Sendable {
        var hash: UInt64 = 0
        var start: Int32 = 0
        var count: Int32 = 0
    }

    // Limit: so few routes are asked one by one as fast.
    private static let routesMin = 17
    // Limit: hosts of the routes that one request's host matches at the same time; with more, all
    // routes are asked one by one.
    private static let hostsMax = 8

    /// Open addressing, at most half full; empty: there is no index.
    private var groups: [Group] = []
    private var positions: [Int32] = []
    /// The hashes of all hosts, so that a host that no route names costs no further looks.
    private var hosts: [UInt64] = []
    private var takesAnyHost = false
    /// Bytes of the longest path, and the most segments of one.
    private var pathMax = 0
    private var segmentsMax = 0

    package init(_ routes: [RoutePlan]) {
        guard routes.count >= Self.routesMin else { return }
        var lists: [UInt64: [Int32]] = [:]
        var hosts: Set<UInt64> = []
        for (position, route) in routes.enumerated() {
            let host = Self.hash(route.host)
            if case .any = route.host { self.takesAnyHost = true } else { hosts.insert(host) }
            var path = Self.seed
            let text = route.path.bytes
            var segments = 0
            for index in 0..<text.count {
                path = Self.step(path, text[index])
                if text[index] == UInt8(ascii: "/") { segments += 1 }
            }
            self.pathMax = Swift.max(self.pathMax, text.count)
            self.segmentsMax = Swift.max(self.segmentsMax, segments)
            lists[Self.join(host, path), default: []].append(Int32(position))
        }
        self.groups = Self.table(lists.count) { Group() }
        self.hosts = Self.table(hosts.count) { 0 }
        for (hash, list) in lists {
            let start = Int32(self.positions.count)
            self.positions += list
            let place = Self.free(hash, self.groups.count) { self.groups[$0].count == 0 }
            self.groups[place] = Group(hash: hash, start: start, count: Int32(list.count))
        }
        for hash in hosts {
            self.hosts[Self.free(hash, self.hosts.count) { self.hosts[$0] == 0 }] = hash
        }
    }

    /// The first of `routes`, those that the index was made for, that takes the request. Costs two
    /// or three nanoseconds for each byte of host and path, however many routes there are.
    package func first(
        _ routes: [RoutePlan],
        method: Method,
        authority: Range<Int>,
        path: Range<Int>,
        in bytes: borrowing Span<UInt8>
    ) -> Int? {
        let host = hostRange(authority, in: bytes)
        var found = InlineArray<8, UInt64>(repeating: 0)
        var count = 0
        if !self.groups.isEmpty { count = self.hosts(of: host, in: bytes, &found) }
        guard !self.groups.isEmpty, count <= Self.hostsMax else {
            return firstRoute(
                routes,
                method: method,
                authority: authority,
                path: path,
                in: bytes
            )
        }
        var best = Int.max
        var hash = Self.seed
        var index = path.lowerBound
        var segments = 0
        while true {
            let byte = index == path.upperBound ? UInt8(ascii: "?") : bytes[index]
            // `*` has no slash, and is of every path all the same.
            let isFirst = index == path.lowerBound
            if isFirst || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") {
                for number in 0..<count {
                    self.look(
                        Self.join(found[number], hash),
                        routes,
                        method,
                        host,
                        path,
                        in: bytes,
                        &best
                    )
                }
                segments &+= 1
            }
            guard byte != UInt8(ascii: "?"), segments <= self.segmentsMax,
                index &- path.lowerBound < self.pathMax
            else { break }
            hash = Self.step(hash, byte)
            index &+= 1
        }
        return best == Int.max ? nil : best
    }

    /// The hosts of routes that may match: how many, and their hashes. More than there is room for
    /// are counted only.
    private func hosts(
        of host: Range<Int>,
        in bytes: borrowing Span<UInt8>,
        _ found: inout InlineArray<8, UInt64>
    ) -> Int {
        var count = 0
        if self.takesAnyHost {
            found[0] = Self.hash(.any)
            count = 1
        }
        guard !self.hosts.isEmpty else { return count }
        // From the end to the beginning, so that every end of the host has its hash on the way.
        var hash = Self.seed
        var index = host.upperBound
        while index > host.lowerBound {
            index &-= 1
            let byte = lowercased(bytes[index])
            hash = Self.step(hash, byte)
            let isWhole = index == host.lowerBound
            guard isWhole || byte == UInt8(ascii: ".") else { continue }
            let key = isWhole ? Self.exact(hash) : Self.suffix(hash)
            guard self.knows(key) else { continue }
            if count < Self.hostsMax { found[count] = key }
            count &+= 1
        }
        return count
    }

    private func knows(_ host: UInt64) -> Bool {
        let mask = self.hosts.count &- 1
        var place = Int(truncatingIfNeeded: host) & mask
        while self.hosts[place] != 0 {
            if self.hosts[place] == host { return true }
            place = (place &+ 1) & mask
        }
        return false
    }

    /// Asks the routes of one group, as far as they come before the best so far.
    private func look(
        _ hash: UInt64,
        _ routes: [RoutePlan],
        _ method: Method,
        _ host: Range<Int>,
        _ path: Range<Int>,
        in bytes: borrowing Span<UInt8>,
        _ best: inout Int
    ) {
        let mask = self.groups.count &- 1
        var place = Int(truncatingIfNeeded: hash) & mask
        while self.groups[place].count > 0 {
            if self.groups[place].hash == hash {
                let start = Int(self.groups[place].start)
                for index in start..<(start &+ Int(self.groups[place].count)) {
                    let position = Int(self.positions[index])
                    guard position < best else { return }
                    if takes(routes[position], method, host, path, in: bytes) {
                        best = position
                        return
                    }
                }
                return
            }
            place = (place &+ 1) & mask
        }
    }

    // MARK: Hashes

    private static var seed: UInt64 { 0xCBF2_9CE4_8422_2325 }

    /// FNV-1a: a multiplication for each byte, and texts here are short.
    @inline(__always)
    private static func step(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
        (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }

    /// Never 0, which stands for a free place.
    private static func exact(_ hash: UInt64) -> UInt64 { Self.join(hash, 1) | 1 }
    private static func suffix(_ hash: UInt64) -> UInt64 { Self.join(hash, 2) | 1 }

    @inline(__always)
    private static func join(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let mixed = (left ^ (right &* 0x9E37_79B9_7F4A_7C15)) &* 0xBF58_476D_1CE4_E5B9
        return mixed ^ (mixed >> 31)
    }

    private static func hash(_ host: HostMatch) -> UInt64 {
        switch host {
        case .any: return 3
        case .exact(let text): return Self.exact(Self.backwards(text))
        case .suffix(let text): return Self.suffix(Self.backwards(text))
        }
    }

    private static func backwards(_ text: InternedText) -> UInt64 {
        let bytes = text.bytes
        var hash = Self.seed
        for index in (0..<bytes.count).reversed() { hash = Self.step(hash, bytes[index]) }
        return hash
    }

    // MARK: Tables

    private static func table<Entry>(_ count: Int, _ empty: () -> Entry) -> [Entry] {
        guard count > 0 else { return [] }
        var size = 2
        while size < count * 2 { size *= 2 }
        return Array(repeating: empty(), count: size)
    }

    private static func free(_ hash: UInt64, _ size: Int, _ isFree: (Int) -> Bool) -> Int {
        var place = Int(truncatingIfNeeded: hash) & (size - 1)
        while !isFree(place) { place = (place + 1) & (size - 1) }
        return place
    }
}
