import BelayBytes
import BelayCore
import BelayTransport
import Testing

@Suite struct EngineEventTests {
    /// The connections among the events.
    private func slots(_ events: [EngineEvent]) -> [Int] {
        events.compactMap { if case .connection(let slot) = $0 { slot } else { nil } }
    }

    /// An engine's two connections that have each something to report, and what keeps them open.
    private func twoWithInput(
        _ engine: inout Engine,
        _ outside: inout Engine
    ) throws -> (Int, Int, listener: SocketAddress) {
        let listener = try engine.listen()
        var taken: [Int] = []
        for _ in 0..<2 {
            let client = try outside.connect(to: listener.address).get()
            outside.run("connected") { outside, _ in outside.finishConnecting(client) != nil }
            outside.put(client, [1])
            engine.run("accepted") { engine, event in
                guard case .listener(let index) = event,
                    case .connection(let slot) = engine.accept(from: index)
                else { return false }
                taken.append(slot)
                return true
            }
        }
        for slot in taken { engine.awaitArrival(slot) }
        return (taken[0], taken[1], listener.address)
    }

    @Test(arguments: [false, true])
    func `reports for a closed connection are dropped`(isReused: Bool) throws {
        var engine = try Engine.forTest()
        var outside = try Engine.forTest()
        let (first, second, address) = try self.twoWithInput(&engine, &outside)
        engine.wait(until: engine.now + .seconds(10))
        guard case .connection(let reported) = engine.nextEvent() else {
            Issue.record("no connection reports")
            return
        }
        let other = reported == first ? second : first
        let generation = engine.generation(other)
        engine.close(other)
        let isUsed = engine.isUsed(other)
        #expect(!isUsed)
        if isReused {
            // The slot's next connection must not be told what the last one's socket said.
            let slot = try engine.connect(to: address).get()
            #expect(slot == other)
            #expect(engine.generation(slot) != generation)
        }
        while let event = engine.nextEvent() {
            if case .connection(other) = event { Issue.record("a report of the past") }
        }
    }

    @Test func `a connection that asked for another turn gets it after the others`() throws {
        var engine = try Engine.forTest()
        var outside = try Engine.forTest()
        let (first, second, _) = try self.twoWithInput(&engine, &outside)
        engine.requeue(first)
        engine.requeue(first)
        let seen = self.slots(engine.eventsNow())
        #expect(seen.last == first)
        #expect(seen.contains(second))
        #expect(!self.slots(engine.eventsNow()).contains(first), "one turn, not two")
    }

    @Test func `a turn asked for while events are handed out comes after the next wait`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try engine.pair(try engine.listen())
        _ = engine.eventsNow()
        engine.requeue(client)
        engine.requeue(server)
        engine.wait(until: engine.now)
        var turns: [Int] = []
        while let event = engine.nextEvent(), turns.count < 4 {
            turns += self.slots([event])
            // As a connection does that always has more to do.
            if case .connection(client) = event { engine.requeue(client) }
        }
        #expect(turns == [client, server])
        #expect(self.slots(engine.eventsNow()) == [client])
    }

    @Test func `a turn is forgotten with its connection`() throws {
        var engine = try Engine.forTest()
        let listener = try engine.listen()
        let (client, server) = try engine.pair(listener)
        _ = engine.eventsNow()
        engine.requeue(server)
        engine.close(server)
        let fresh = try engine.connect(to: listener.address).get()
        #expect(fresh == server)
        engine.close(client)
        #expect(!engine[fresh].state.contains(.queued))
        engine.run("only the kernel's own reports come") { engine, event in
            if case .connection(fresh) = event { return engine.finishConnecting(fresh) != nil }
            return false
        }
    }

    @Test func `another thread wakes the engine`() throws {
        let wakeup = try Wakeup()
        var engine = try Engine(
            limits: EngineLimits(connectionsMax: 1, blocksMax: 1),
            wakeup: wakeup
        )
        let thread = try #require(SystemThread.start { wakeup.post() })
        engine.run("the wakeup is reported") { _, event in
            if case .wakeup = event { return true }
            return false
        }
        thread.join()
        #expect(engine.eventsNow().isEmpty, "it is reported once")
    }

    @Test func `a deadline is reported once and not before its time`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try engine.pair(try engine.listen())
        let soon = engine.now + .milliseconds(1)
        engine.setDeadline(client, soon)
        engine.setDeadline(server, .distantFuture)
        engine.run("the deadline passes") { engine, event in
            if case .deadline(let slot) = event {
                #expect(slot == client)
                #expect(engine.now >= soon)
                return true
            }
            return false
        }
        engine.setDeadline(client, soon)
        engine.close(client)
        let reopened = engine.now + .milliseconds(40)
        engine.setDeadline(server, reopened)
        engine.run("the next deadline passes") { engine, event in
            guard case .deadline(let slot) = event else { return false }
            #expect(slot == server, "a closed connection has no deadline")
            #expect(engine.now >= reopened)
            return true
        }
    }
}
