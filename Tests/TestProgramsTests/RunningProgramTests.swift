import Foundation
import Glibc
import TestPrograms
import Testing

@Suite struct RunningProgramTests {
    private func start(
        _ arguments: [String],
        environment: [String: String] = [:],
        directory: String = "/",
        reads: Bool = false
    ) throws -> RunningProgram {
        try RunningProgram(
            arguments,
            environment: environment,
            directory: directory,
            reads: reads
        )
    }

    /// What a program prints, which must end well.
    private func text(
        _ arguments: [String],
        environment: [String: String] = [:],
        directory: String = "/"
    ) throws -> String {
        let program = try self.start(arguments, environment: environment, directory: directory)
        let text = String(decoding: try program.output.rest(), as: UTF8.self)
        #expect(program.waitForEnd() == 0)
        return text
    }

    @Test(arguments: [0, 1, 127, 255] as [Int32])
    func `the status is the exit code`(code: Int32) throws {
        let program = try self.start(["sh", "-c", "exit \(code)"])
        #expect(program.waitForEnd() == code)
        #expect(program.status == code)
        // It is gone, so this reaches nobody.
        program.signal(SIGKILL)
    }

    @Test(arguments: [SIGTERM, SIGKILL, SIGHUP])
    func `the status is minus the signal that ended it`(signal: Int32) throws {
        let program = try self.start(["cat"], reads: true)
        #expect(program.status == nil)
        program.signal(signal)
        #expect(program.waitForEnd() == -signal)
    }

    @Test func `whoever asked for it is told the end once`() async throws {
        let (statuses, told) = AsyncStream.makeStream(of: Int32.self)
        let program = try RunningProgram(["sh", "-c", "exit 3"], directory: "/") { status in
            told.yield(status)
            told.finish()
        }
        var all: [Int32] = []
        for await status in statuses { all.append(status) }
        #expect(all == [3])
        #expect(program.waitForEnd() == 3)
    }

    @Test func `arguments arrive as they are`() throws {
        let odd = ["", " two  words ", "a\nb", "Jürgen", "*", "$HOME", "-n", "\"'\\"]
        let said = try self.text(["sh", "-c", "for a; do printf '[%s]' \"$a\"; done", "sh"] + odd)
        #expect(said == odd.map { "[\($0)]" }.joined())
    }

    @Test func `the environment is this process's with what is given on top`() throws {
        let own = ProcessInfo.processInfo.environment["PATH"]
        #expect(try self.text(["printenv", "PATH"]).dropLast() == own ?? "")
        let given = ["BELAY_TEST_GIVEN": "a=b c"]
        #expect(try self.text(["printenv", "BELAY_TEST_GIVEN"], environment: given) == "a=b c\n")
        let home = ["HOME": "/elsewhere"]
        #expect(try self.text(["printenv", "HOME"], environment: home) == "/elsewhere\n")
    }

    @Test(arguments: ["/", "/usr"])
    func `it runs in its directory`(directory: String) throws {
        #expect(try self.text(["pwd", "-P"], directory: directory) == directory + "\n")
    }

    @Test func `it reads what is written, to the end`() throws {
        let program = try self.start(["cat"], reads: true)
        let input = try #require(program.input)
        try input.write(Array("one\n".utf8))
        #expect(try program.output.next() == Array("one\n".utf8))
        try input.write(Array("two".utf8))
        input.close()
        #expect(try program.output.rest() == Array("two".utf8))
        #expect(program.waitForEnd() == 0)
        #expect(throws: ProgramFailure.self) { try input.write([1]) }
    }

    @Test func `without input it reads the end at once`() throws {
        let program = try self.start(["cat"])
        #expect(program.input == nil)
        #expect(try program.output.rest() == [])
        #expect(program.waitForEnd() == 0)
    }

    @Test func `writing to a program that has ended is an error, not a signal`() throws {
        let program = try self.start(["true"], reads: true)
        #expect(program.waitForEnd() == 0)
        let input = try #require(program.input)
        // A program that starts at this moment has the pipe too, until it is itself.
        let failure = #expect(throws: ProgramFailure.self) { while true { try input.write([1]) } }
        #expect(failure?.description == "cannot write: Broken pipe")
    }

    @Test func `output and errors are apart unless they are joined`() throws {
        let script = ["sh", "-c", "echo out; echo err >&2"]
        let apart = try self.start(script)
        #expect(try apart.output.rest() == Array("out\n".utf8))
        #expect(try apart.errors.rest() == Array("err\n".utf8))
        let joined = try RunningProgram(script, directory: "/", joinsErrors: true)
        #expect(try joined.errors.rest() == Array("out\nerr\n".utf8))
    }

    @Test func `more than a pipe holds comes whole`() throws {
        let count = 3_000_000
        let program = try self.start(["head", "-c", "\(count)", "/dev/zero"])
        #expect(try program.output.rest().count == count)
    }

    @Test func `descriptors of this process stay in it`() throws {
        // Three that would be inherited.
        let open = (0..<3).map { _ in dup(STDOUT_FILENO) }
        defer { for descriptor in open { close(descriptor) } }
        #expect(open.allSatisfy { $0 > 2 })
        // The fourth is the folder that `ls` reads.
        #expect(try self.text(["ls", "/proc/self/fd"]) == "0\n1\n2\n3\n")
    }

    @Test func `no program holds the input of another open`() throws {
        let programs = try (0..<10).map { _ in try self.start(["cat"], reads: true) }
        for program in programs {
            program.input?.close()
            #expect(program.waitForEnd() == 0)
        }
    }

    @Test func `no descriptor is left when programs have ended`() throws {
        let folder = "/proc/self/fd"
        let program = try self.start(["cat"], reads: true)
        let pipe = try FileManager.default.destinationOfSymbolicLink(
            atPath: "/proc/\(program.identifier)/fd/1"
        )
        program.input?.close()
        program.waitForEnd()
        // This process has the reading end only, so that the output has an end.
        let ends = try FileManager.default.contentsOfDirectory(atPath: folder).filter { name in
            let target = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "\(folder)/\(name)"
            )
            return target == pipe
        }
        #expect(ends.count == 1)
    }

    @Test func `signals are at their defaults and none is blocked`() throws {
        let status = try withSignals(blocked: SIGUSR1, ignored: SIGWINCH) {
            try self.text(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"])
        }
        let masks = status.split(separator: "\n").map { line in
            UInt64(line.split(separator: "\t")[1], radix: 16)
        }
        #expect(masks[0] == 0)
        // The C library keeps two signals above 31 to itself.
        #expect(masks[1].map { $0 & 0x7FFF_FFFF } == 0)
    }

    @Test(
        arguments: [
            ("belay-no-such-program", "/", "No such file or directory"),
            ("./nothing", "/", "No such file or directory"),
            ("true", "/no/such/folder", "No such file or directory"),
            ("/etc/passwd", "/", "Permission denied"),
        ]
    )
    func `what cannot be started is told by name`(
        name: String,
        directory: String,
        why: String
    ) throws {
        let failure = #expect(throws: ProgramFailure.self) {
            try self.start([name], directory: directory)
        }
        #expect(failure?.description == "cannot start “\(name)” in “\(directory)”: \(why)")
    }
}
