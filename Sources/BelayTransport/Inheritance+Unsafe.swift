package import BelayCore
private import CBelay
private import Glibc

// What a process is given by the one that starts it: listening sockets from the service manager
// (systemd's LISTEN_FDS, sd_listen_fds(3)) or from the Belay before it, and somebody to tell that
// it is ready.

/// A listening socket that was open before this process began.
package struct InheritedSocket: Sendable {
    package let descriptor: Descriptor
    package let address: SocketAddress
    /// What the service manager calls it; may be empty.
    package let name: String
    /// Others may be opened on the same port beside it (SO_REUSEPORT).
    package let sharesPort: Bool
    /// The service manager's: it is open for as long as that wants.
    package let outlives: Bool
}

/// What this process was given at its start.
package struct Inheritance: Sendable {
    /// Those that no listener has claimed.
    package private(set) var sockets: [InheritedSocket] = []
    /// Where the Belay before this one waits to hear that it may go.
    private let predecessor: Descriptor?
    package private(set) var warnings: [String] = []

    /// Nothing.
    package init() { self.predecessor = nil }

    /// Takes what the environment tells of, and out of the environment, so that no other program
    /// is told. To be called once, before other threads run.
    package init(environment: [String: String]) {
        self.predecessor = Self.number(environment["BELAY_READY"]).map { Descriptor(number: $0) }
        if let pipe = self.predecessor { _ = belay_set_close_on_exec(pipe.number) }
        for entry in (environment["BELAY_SOCKETS"] ?? "").split(separator: ",") {
            let outlives = entry.hasSuffix("!")
            guard let number = Int32(outlives ? entry.dropLast() : entry) else { continue }
            self.add(number, name: "", outlives: outlives)
        }
        if environment["BELAY_SOCKETS"] == nil, Self.number(environment["LISTEN_PID"]) == getpid() {
            self.addActivated(environment)
        }
        let names = ["BELAY_READY", "BELAY_SOCKETS", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]
        // Safe: the names are constants, and no other thread reads the environment yet.
        for name in names { _ = unsafe unsetenv(name) }
    }

    /// Whether a Belay that hands over has started this one.
    package var isSuccessor: Bool { self.predecessor != nil }

    private mutating func addActivated(_ environment: [String: String]) {
        guard let count = Self.number(environment["LISTEN_FDS"]), count > 0 else { return }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(
            separator: ":",
            omittingEmptySubsequences: false
        )
        for index in 0..<count {
            let name = index < names.count ? String(names[Int(index)]) : ""
            // Limit: systemd's first descriptor, after standard input, output and error.
            self.add(3 + index, name: name, outlives: true)
        }
    }

    private mutating func add(_ number: Int32, name: String, outlives: Bool) {
        let descriptor = Descriptor(number: number)
        guard belay_is_listening(number) == 1, let address = descriptor.localAddress() else {
            self.warnings.append(
                "descriptor \(number)\(name.isEmpty ? "" : " (\(name))"), which was handed over at "
                    + "the start, is no TCP socket that listens"
            )
            return
        }
        _ = belay_set_close_on_exec(number)
        _ = belay_set_non_blocking(number)
        _ = belay_set_no_delay(number)
        self.sockets.append(
            InheritedSocket(
                descriptor: descriptor,
                address: address,
                name: name,
                sharesPort: belay_shares_port(number) == 1,
                outlives: outlives
            )
        )
    }

    private static func number(_ text: String?) -> Int32? { text.flatMap { Int32($0) } }

    // MARK: Claiming

    /// The sockets of a listener at this address, which nobody else gets from here on. Port 0
    /// takes those of one port.
    package mutating func claim(_ address: SocketAddress, name: String) -> [InheritedSocket] {
        let exact = self.sockets.filter { socket in
            socket.address.ip == address.ip
                && (address.port == 0 || socket.address.port == address.port)
        }
        // The service manager may listen on 0.0.0.0 where the settings say all addresses.
        let wildcards: [IPAddress] = [.anyV4, .anyV6]
        let wide = self.sockets.filter { socket in
            wildcards.contains(address.ip) && wildcards.contains(socket.address.ip)
                && socket.address.port == address.port
        }
        let named = self.sockets.filter { !$0.name.isEmpty && $0.name == name }
        var found = exact.isEmpty ? wide : exact
        if found.isEmpty { found = named }
        if address.port == 0, let first = found.first {
            found = found.filter { $0.address.port == first.address.port }
        }
        let numbers = Set(found.map(\.descriptor))
        self.sockets.removeAll { numbers.contains($0.descriptor) }
        return found
    }

    /// Closes what no listener wanted. Returns their addresses.
    package mutating func closeRest() -> [SocketAddress] {
        let rest = self.sockets
        self.sockets = []
        for socket in rest { socket.descriptor.close() }
        return rest.map(\.address)
    }

    // MARK: The Belay before

    /// Says that this process serves; the one before it then ends.
    package func sayReady() { self.say("ready\n") }

    /// Says why this process can't serve.
    package func sayFailed(_ reason: String) { self.say("failed \(reason)\n") }

    private func say(_ text: String) {
        guard let pipe = self.predecessor else { return }
        var text = text
        text.withUTF8 { bytes in
            // Safe: the call reads `count` bytes of the text, and keeps no pointer to it.
            _ = unsafe belay_write(pipe.number, bytes.baseAddress, bytes.count)
        }
        pipe.close()
    }
}

extension Descriptor {
    /// Another descriptor of the same socket.
    package func duplicate() throws(SystemError) -> Descriptor {
        let number = belay_duplicate(self.number)
        guard number >= 0 else { throw .last }
        return Descriptor(number: number)
    }
}

/// The service manager, if it wants to be told of this process (sd_notify(3)).
package struct Supervisor: Sendable {
    private let path: String?

    package init(environment: [String: String]) {
        self.path = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
    }

    package func say(_ text: String) {
        guard let path else { return }
        // Safe: both texts are terminated, and live as long as the call.
        _ = unsafe belay_notify(path, text)
    }

    /// With the moment of it, which the service manager compares with that of its request.
    package func sayReloading() {
        let microseconds = SystemClock.monotonicNanoseconds() / 1_000
        self.say("RELOADING=1\nMONOTONIC_USEC=\(microseconds)")
    }
}
