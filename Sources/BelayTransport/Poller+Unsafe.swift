private import CBelay

/// What an epoll report is about.
enum PollSubject: Equatable {
    case connection(slot: Int, generation: UInt32)
    case listener(Int)
    case wakeup
}

/// What a socket is ready for.
struct PollReadiness: OptionSet {
    let rawValue: UInt32

    static let readable = PollReadiness(rawValue: UInt32(BELAY_READABLE))
    static let writable = PollReadiness(rawValue: UInt32(BELAY_WRITABLE))
    static let error = PollReadiness(rawValue: UInt32(BELAY_ERROR))
    static let hangup = PollReadiness(rawValue: UInt32(BELAY_HANGUP))
    static let readHangup = PollReadiness(rawValue: UInt32(BELAY_READ_HANGUP))
}

/// One epoll instance and its reports.
@safe
struct Poller: ~Copyable {
    private static let eventsMax = 256
    private static let listenerMark: UInt64 = 1 << 62
    private static let wakeupMark: UInt64 = 1 << 63

    private let descriptor: Int32
    private let events: UnsafeMutablePointer<belay_event>
    private var count = 0
    private var position = 0

    init() throws(SystemError) {
        self.descriptor = belay_epoll_create()
        unsafe self.events = .allocate(capacity: Self.eventsMax)
        guard self.descriptor >= 0 else { throw .last }
    }

    deinit {
        _ = belay_close(self.descriptor)
        unsafe self.events.deallocate()
    }

    /// Registers once, edge-triggered, for both directions.
    @inline(__always)
    func add(_ socket: Descriptor, slot: Int, generation: UInt32) -> Bool {
        let interest =
            UInt32(BELAY_READABLE) | UInt32(BELAY_WRITABLE)
            | UInt32(BELAY_READ_HANGUP) | UInt32(bitPattern: BELAY_EDGE_BITS)
        let token = UInt64(generation & 0x3FFF_FFFF) << 32 | UInt64(UInt32(slot))
        return belay_epoll_add(self.descriptor, socket.number, interest, token) == 0
    }

    func add(listener: Descriptor, index: Int, isShared: Bool) -> Bool {
        let exclusive = isShared ? UInt32(BELAY_EXCLUSIVE) : 0
        return belay_epoll_add(
            self.descriptor,
            listener.number,
            UInt32(BELAY_READABLE) | exclusive,
            Self.listenerMark | UInt64(index)
        ) == 0
    }

    func add(wakeup: Descriptor) -> Bool {
        belay_epoll_add(
            self.descriptor,
            wakeup.number,
            UInt32(BELAY_READABLE),
            Self.wakeupMark
        ) == 0
    }

    func remove(_ socket: Descriptor) {
        _ = belay_epoll_remove(self.descriptor, socket.number)
    }

    /// Waits for reports, at most `milliseconds` (-1: until there is one).
    mutating func wait(milliseconds: Int32) {
        let found = unsafe belay_epoll_wait(
            self.descriptor,
            self.events,
            Int32(Self.eventsMax),
            milliseconds
        )
        self.count = Swift.max(0, Int(found))
        self.position = 0
    }

    /// The next report of the last wait.
    @inline(__always)
    mutating func next() -> (PollSubject, PollReadiness)? {
        guard self.position < self.count else { return nil }
        // Safe: epoll filled the first `count` places.
        let event = unsafe self.events[self.position]
        self.position &+= 1
        let ready = PollReadiness(rawValue: event.events)
        if event.token & Self.wakeupMark != 0 { return (.wakeup, ready) }
        let low = Int(event.token & 0xFFFF_FFFF)
        if event.token & Self.listenerMark != 0 { return (.listener(low), ready) }
        return (.connection(slot: low, generation: UInt32(event.token >> 32)), ready)
    }
}

// The header's enumerator is an Int32 with the top bit set.
private let BELAY_EDGE_BITS = Int32(bitPattern: 1 << 31)
