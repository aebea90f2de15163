private import CBelay

/// Wakes a worker from another thread: an eventfd in its epoll set.
package struct Wakeup: Sendable {
    let descriptor: Descriptor

    package init() throws(SystemError) {
        let number = belay_eventfd()
        guard number >= 0 else { throw .last }
        self.descriptor = Descriptor(number: number)
    }

    /// May be called from any thread.
    package func post() { _ = belay_eventfd_post(self.descriptor.number) }

    func drain() { _ = belay_eventfd_drain(self.descriptor.number) }

    package func close() { self.descriptor.close() }
}

/// The signals that control the process, read one after the other like messages.
package struct SignalSource: Sendable {
    package enum Signal: Sendable {
        case terminate, interrupt, hangup, user1, user2
    }

    private let descriptor: Descriptor

    /// Blocks the signals for this thread and those it starts from now on: call it first thing.
    package init() throws(SystemError) {
        _ = belay_block_signals()
        let number = belay_signalfd()
        guard number >= 0 else { throw .last }
        self.descriptor = Descriptor(number: number)
    }

    /// Waits at most `milliseconds` (-1: for ever) for the next signal or a post of `wakeup`.
    package func next(or wakeup: Wakeup, milliseconds: Int32) -> Signal? {
        var ready = [belay_event](repeating: belay_event(), count: 2)
        let epoll = belay_epoll_create()
        guard epoll >= 0 else { return nil }
        defer { _ = belay_close(epoll) }
        _ = belay_epoll_add(epoll, self.descriptor.number, UInt32(BELAY_READABLE), 1)
        _ = belay_epoll_add(
            epoll,
            wakeup.descriptor.number,
            UInt32(BELAY_READABLE),
            2
        )
        // Safe: the call writes at most the two events of `ready`, and keeps no pointer to it.
        let found = unsafe belay_epoll_wait(epoll, &ready, 2, milliseconds)
        guard found > 0 else { return nil }
        switch belay_signalfd_next(self.descriptor.number) {
        case 15: return .terminate
        case 2: return .interrupt
        case 1: return .hangup
        case 10: return .user1
        case 12: return .user2
        default:
            wakeup.drain()
            return nil
        }
    }
}

/// The clocks of the system. Only `Engine` and what starts the process read them.
package enum SystemClock {
    package static func monotonicNanoseconds() -> Int64 { belay_monotonic_nanoseconds() }
    package static func unixNanoseconds() -> Int64 { belay_unix_nanoseconds() }
}

/// What the machine gives this process.
package enum Machine {
    /// Cores that this process may run on.
    package static var coreCount: Int { Int(belay_core_count()) }

    /// The most descriptors that may be open, after the soft limit was raised to the hard one.
    package static func raiseDescriptorLimit() -> Int {
        Int(belay_raise_descriptor_limit())
    }

    /// Pins the calling thread to the `index`-th core of this process; false if it may not.
    package static func pinThread(toCore index: Int) -> Bool {
        belay_pin_thread(Int32(clamping: index)) == 0
    }
}
