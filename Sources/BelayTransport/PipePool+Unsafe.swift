private import CBelay

/// The name of a pipe of a `PipePool`.
package typealias PipeIndex = Int32

/// Pipes through which `splice` moves long bodies without copying them.
@safe
struct PipePool: ~Copyable {
    // Limit: 1 MiB in each pipe's buffer where the system allows it, and 64 idle pipes kept.
    private static let pipeSize: Int32 = 256 * 1024
    private static let idleMax = 64

    private var ends: [(read: Descriptor, write: Descriptor)] = []
    private var idle: [PipeIndex] = []
    private var unused: [PipeIndex] = []

    init() {
        self.idle.reserveCapacity(Self.idleMax)
    }

    deinit {
        for pair in self.ends {
            pair.read.close()
            pair.write.close()
        }
    }

    func readEnd(_ pipe: PipeIndex) -> Descriptor { self.ends[Int(pipe)].read }
    func writeEnd(_ pipe: PipeIndex) -> Descriptor { self.ends[Int(pipe)].write }

    mutating func take() -> PipeIndex? {
        if let pipe = self.idle.popLast() { return pipe }
        var numbers: (Int32, Int32) = (-1, -1)
        let result = unsafe withUnsafeMutableBytes(of: &numbers) { raw in
            // Safe: two Int32 in a row are the array of two that pipe2 fills.
            unsafe belay_pipe(raw.baseAddress?.assumingMemoryBound(to: Int32.self))
        }
        guard result == 0 else { return nil }
        // Refused where the user's pipe pages are used up; the pipe is smaller then.
        _ = belay_pipe_size(numbers.1, Self.pipeSize)
        let pair = (read: Descriptor(number: numbers.0), write: Descriptor(number: numbers.1))
        if let index = self.unused.popLast() {
            self.ends[Int(index)] = pair
            return index
        }
        self.ends.append(pair)
        return PipeIndex(self.ends.count - 1)
    }

    mutating func give(_ pipe: PipeIndex, isEmpty: Bool) {
        if isEmpty && self.idle.count < Self.idleMax {
            self.idle.append(pipe)
            return
        }
        self.ends[Int(pipe)].read.close()
        self.ends[Int(pipe)].write.close()
        self.ends[Int(pipe)] = (.none, .none)
        self.unused.append(pipe)
    }
}
