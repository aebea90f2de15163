import BelayBytes

/// Writes whole lines to a file that may fail, and recovers when it can.
struct LineWriter: ~Copyable {
    private var file: OutputFile
    private let tell: @Sendable (String) -> Void
    /// The error that the operator was told and that is not over.
    private var trouble: FileError?
    /// Lines lost since `trouble` began.
    private var lost = 0
    /// An error cut a line: it has to be ended before the next.
    private var isWithinLine = false

    init(
        file: consuming OutputFile,
        tell: @escaping @Sendable (String) -> Void
    ) {
        self.file = file
        self.tell = tell
    }

    /// Opens the target, or the same one anew; the old file goes on when that fails.
    mutating func reopen(_ target: LogTarget) {
        do {
            self.file = try target.open()
            self.isWithinLine = false
        } catch {
            self.tell("access log: \(error); the old file goes on")
        }
    }

    /// Writes `lines`, each of which ends with a line feed. Returns how many of them were lost.
    mutating func write(_ lines: borrowing Span<UInt8>) -> Int {
        guard lines.count > 0 else { return 0 }
        var done = 0
        do throws(FileError) {
            if self.isWithinLine {
                let end: [UInt8] = [UInt8(ascii: "\n")]
                try self.file.writeAll(end.span)
                self.isWithinLine = false
            }
            while done < lines.count { done += try self.file.write(lines, from: done) }
        } catch {
            self.isWithinLine =
                self.isWithinLine || (done > 0 && lines[done - 1] != UInt8(ascii: "\n"))
            let lost = lines.extracting(done...).lineCount
            self.lost += lost
            if self.trouble == nil { self.tell("access log: \(error); lines are dropped") }
            self.trouble = error
            return lost
        }
        if self.trouble != nil {
            self.tell("access log: writing again; \(self.lost) lines were dropped")
            self.trouble = nil
            self.lost = 0
        }
        return 0
    }
}
