private import Glibc
public import Synchronization

/// 64-bit words that threads share, and other processes too where they are those of a file. Every
/// access is an atomic, so nothing is torn that is not longer than a word.
///
/// A copy is another name for the same words. Like a `CounterTable`'s, the addresses are never
/// given back: whoever holds a copy may read for as long as the process lives.
@safe
@usableFromInline
package struct MappedCells: @unchecked Sendable {
    // Safe to share: every access goes through an atomic. A mapping of zeros or of a file's bytes
    // is a row of initialised atomics, because theirs is the plain representation of an integer.
    @usableFromInline let base: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline package let count: Int
    /// The file's descriptor, -1 once it is closed and where there is none.
    private let descriptor: UnsafeMutablePointer<Atomic<Int32>>

    /// Words of memory, all zero. Pages that are never written cost none.
    package init(count: Int) throws(FileError) {
        try self.init(
            count: count,
            descriptor: -1,
            flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
            name: "memory"
        )
    }

    /// The words of a file that is at least that long, and whose blocks are allocated: a page that
    /// the disk has no room for would end the process with SIGBUS when it is written.
    fileprivate init(count: Int, descriptor: Int32, name: String) throws(FileError) {
        try self.init(count: count, descriptor: descriptor, flags: MAP_SHARED, name: name)
    }

    private init(
        count: Int,
        descriptor: Int32,
        flags: Int32,
        name: String
    ) throws(FileError) {
        precondition(count > 0, "no words to map")
        let memory = unsafe mmap(nil, count * 8, PROT_READ | PROT_WRITE, flags, descriptor, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
            throw FileError(code: errno, action: "map", path: name)
        }
        unsafe self.base = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
        self.count = count
        unsafe self.descriptor = .allocate(capacity: 1)
        // Safe: room for one.
        unsafe self.descriptor.initialize(to: Atomic(descriptor))
    }

    /// What is on the disk only is read ahead, so that no worker waits for it; if the system
    /// doesn't, they wait a little.
    package func readAhead() {
        // Safe: these are the mapped words, and the call only advises.
        _ = unsafe madvise(self.base, self.count * 8, Int32(MADV_WILLNEED))
    }

    @inlinable @inline(__always)
    func cell(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        precondition(UInt(bitPattern: index) < UInt(bitPattern: self.count), "no such word")
        return unsafe self.base + index
    }

    /// What was written before the value that is read can be read after this.
    @inlinable @inline(__always)
    package func load(_ index: Int) -> UInt64 {
        // Safe, here and below: `cell` checked the place, and the addresses stay mapped.
        unsafe self.cell(index).pointee.load(ordering: .acquiring)
    }

    /// In one order with all that is exchanged.
    @inlinable @inline(__always)
    package func loadInOrder(_ index: Int) -> UInt64 {
        unsafe self.cell(index).pointee.load(ordering: .sequentiallyConsistent)
    }

    @inlinable @inline(__always)
    package func loadRelaxed(_ index: Int) -> UInt64 {
        unsafe self.cell(index).pointee.load(ordering: .relaxed)
    }

    /// Which of the eight words from `index` agree with `value` in the bits of `mask`, a bit for
    /// each. They are read one by one, in any order with other words.
    @inlinable @inline(__always)
    package func matches(_ index: Int, _ value: UInt64, mask: UInt64) -> UInt32 {
        precondition(index >= 0 && index <= self.count &- 8, "no such words")
        var matches: UInt32 = 0
        var offset = 0
        while offset < 8 {
            // Safe: eight words from `index` are within the table, checked above.
            let word = unsafe (self.base + (index &+ offset)).pointee.load(ordering: .relaxed)
            matches |= ((word ^ value) & mask == 0 ? 1 : 0) << UInt32(truncatingIfNeeded: offset)
            offset &+= 1
        }
        return matches
    }

    @inlinable @inline(__always)
    package func storeRelaxed(_ value: UInt64, _ index: Int) {
        unsafe self.cell(index).pointee.store(value, ordering: .relaxed)
    }

    /// Whoever reads the value by `load` sees what was written before.
    @inlinable @inline(__always)
    package func store(_ value: UInt64, _ index: Int) {
        unsafe self.cell(index).pointee.store(value, ordering: .releasing)
    }

    /// Writes `desired` if the word still holds `expected`; whether it did. All exchanges of all
    /// words have one order, which every thread sees.
    @inlinable @inline(__always)
    package func exchange(_ expected: UInt64, for desired: UInt64, _ index: Int) -> Bool {
        unsafe self.cell(index).pointee.compareExchange(
            expected: expected,
            desired: desired,
            ordering: .sequentiallyConsistent
        ).exchanged
    }

    /// Adds, with wrapping, and returns the sum.
    @inlinable @inline(__always)
    @discardableResult
    package func add(_ amount: UInt64, _ index: Int) -> UInt64 {
        unsafe self.cell(index).pointee.wrappingAdd(amount, ordering: .relaxed).newValue
    }

    /// Stores after this are seen after stores before it, loads likewise. Costs nothing on x86.
    @inlinable @inline(__always)
    package static func fence() { atomicMemoryFence(ordering: .acquiringAndReleasing) }

    /// Waits until all that was written is on the disk.
    package func flush() throws(FileError) {
        guard unsafe self.descriptor.pointee.load(ordering: .relaxed) >= 0 else { return }
        // Safe: exactly the mapping.
        guard unsafe msync(self.base, self.count * 8, MS_SYNC) == 0 else {
            throw FileError(code: errno, action: "write", path: "to the disk")
        }
    }

    /// Lets others open the file, once it is as they may find it: see `MappedFile`'s locks.
    package func endOpening() {
        let file = unsafe self.descriptor.pointee.load(ordering: .relaxed)
        guard file >= 0 else { return }
        // Whoever wants the file alone takes the lock of opening first, so nobody gets in between.
        _ = flock(file, LOCK_SH | LOCK_NB)
        _ = MappedFile.setOpeningLock(Int16(F_UNLCK), of: file)
    }

    /// Lets go of the file and its locks. The words are other ones afterwards, of memory: a late
    /// reader finds zeros and a late writer's words go nowhere.
    package func close() {
        let file = unsafe self.descriptor.pointee.exchange(-1, ordering: .relaxed)
        guard file >= 0 else { return }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
        // Safe: replaces exactly our mapping, at one stroke. Where the system cannot, it stays.
        _ = unsafe mmap(self.base, self.count * 8, PROT_READ | PROT_WRITE, flags, -1, 0)
        MappedFile.close(file)
    }
}

/// A file that is about to be mapped. Closed when it is dropped before that.
///
/// Two locks, both of the open file and so gone with it, however it ends: one that is held while
/// the file is opened, checked or replaced, and one that every user holds while the file is mapped.
package struct MappedFile: ~Copyable {
    private var descriptor: Int32
    package let path: String

    /// Opens the file, or makes an empty one that only its owner may use.
    package init(opening path: String) throws(FileError) {
        // Not blocking, so that a pipe put in its place cannot hold the start.
        let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        // Safe: the path is passed as a terminated text that lives during the call.
        self.descriptor = unsafe open(path, flags, 0o600)
        self.path = path
        guard self.descriptor >= 0 else { throw self.error("open") }
        let status = try self.status()
        guard status.st_mode & S_IFMT == S_IFREG else { throw self.error("map", EINVAL) }
        // Whoever else owns it could cut it short, and then a look at it ends the process.
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw self.error("use", EPERM)
        }
        if status.st_mode & 0o777 != 0o600, fchmod(self.descriptor, 0o600) != 0 {
            throw self.error("chmod")
        }
    }

    deinit { if self.descriptor >= 0 { Self.close(self.descriptor) } }

    /// Gives back the locks too, which a process that is just being started would hold on to until
    /// it is another program.
    fileprivate static func close(_ file: Int32) {
        _ = flock(file, LOCK_UN)
        _ = Self.setOpeningLock(Int16(F_UNLCK), of: file)
        _ = Glibc.close(file)
    }

    private borrowing func error(_ action: String, _ code: Int32 = errno) -> FileError {
        FileError(code: code, action: action, path: self.path)
    }

    private borrowing func status() throws(FileError) -> stat {
        var status = stat()
        // Safe: `status` is ours and lives for the call.
        guard unsafe fstat(self.descriptor, &status) == 0 else { throw self.error("read") }
        return status
    }

    package borrowing func byteCount() throws(FileError) -> Int {
        Int(try self.status().st_size)
    }

    /// Takes the lock that is held while the file is opened, checked or replaced; false if somebody
    /// else keeps it.
    package borrowing func lockOpening() -> Bool {
        // Limit: five seconds. To check a table takes some hundredths of one, but to copy one, on a
        // slow disk, some seconds.
        for _ in 0..<500 {
            if Self.setOpeningLock(Int16(F_WRLCK), of: self.descriptor) { return true }
            usleep(10_000)
        }
        return false
    }

    fileprivate static func setOpeningLock(_ kind: Int16, of file: Int32) -> Bool {
        var lock = flock()
        lock.l_type = kind
        lock.l_whence = Int16(SEEK_SET)
        lock.l_len = 1
        // F_OFD_SETLK, whose name needs a macro. The lock is the open file's, not the process's.
        let command: Int32 = 37
        // Safe: `lock` is ours and lives for the call.
        return unsafe withUnsafeMutablePointer(to: &lock) { lock in
            unsafe fcntl(file, command, UnsafeMutableRawPointer(lock)) == 0
        }
    }

    /// Takes the users' lock for nobody else; whether there was nobody.
    package borrowing func lockAlone() -> Bool { flock(self.descriptor, LOCK_EX | LOCK_NB) == 0 }

    /// Holds the users' lock together with others.
    package borrowing func lockShared() -> Bool { flock(self.descriptor, LOCK_SH | LOCK_NB) == 0 }

    /// Whether the path still leads to this file.
    package borrowing func isCurrent() -> Bool {
        var named = stat()
        // Safe: `named` is ours and lives for the call.
        guard unsafe lstat(self.path, &named) == 0, let own = try? self.status() else {
            return false
        }
        return named.st_ino == own.st_ino && named.st_dev == own.st_dev
    }

    /// Makes the file so long and takes the disk's blocks for it. What is there stays.
    package borrowing func allocate(byteCount: Int) throws(FileError) {
        var limit = rlimit()
        // Past this limit the system would send a signal that ends the process.
        // Safe: `limit` is ours and lives for the call.
        if unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0,
            limit.rlim_cur < UInt(byteCount)
        {
            throw self.error("write", EFBIG)
        }
        var code: Int32
        repeat { code = posix_fallocate(self.descriptor, 0, byteCount) } while code == EINTR
        guard code == 0 else { throw self.error("write", code) }
    }

    /// Makes the file empty.
    package borrowing func empty() throws(FileError) {
        guard ftruncate(self.descriptor, 0) == 0 else { throw self.error("write") }
    }

    /// Maps the first words. The cells hold the file and its locks from here on.
    package consuming func map(count: Int) throws(FileError) -> MappedCells {
        let cells = try MappedCells(count: count, descriptor: self.descriptor, name: self.path)
        self.descriptor = -1
        return cells
    }

    /// Gives the file another name, in place of what has it.
    package static func rename(_ path: String, to other: String) throws(FileError) {
        // Safe: both paths live for the call.
        guard unsafe Glibc.rename(path, other) == 0 else {
            throw FileError(code: errno, action: "rename", path: path)
        }
    }

    package static func exists(_ path: String) -> Bool {
        // Safe: the path lives for the call.
        unsafe access(path, F_OK) == 0
    }

    package static func remove(_ path: String) {
        // Safe: the path lives for the call.
        _ = unsafe unlink(path)
    }
}
