import BelayBalancing
import BelayCore
import BelayHTTP2
import BelayProxy
import Testing

/// A graceful stop while streams are open.
@Suite struct HTTP2StopTests {
    private func stage(_ server: Version) throws -> Stage {
        var setup = Setup()
        setup.speaksHTTP2 = server == .http2
        return try Stage(setup)
    }

    @Test(arguments: Version.allCases)
    func `open streams end, and their connection behind them`(server: Version) throws {
        let stage = try self.stage(server)
        let client = try stage.talk()
        let ids = try (0..<3).map { try client.get("/\($0)") }
        let ends = try ids.map { _ in try stage.asked(server).0 }
        stage.post(.stop(within: .seconds(60)))
        stage.wait("the notice arrives") { !client.goAways.isEmpty }
        #expect(client.goAways[0].code == HTTP2Code.noError)
        #expect(client.goAways[0].last == .max)
        #expect(!stage[client.slot].isOver)
        for end in ends { stage.reply(end) }
        for id in ids { #expect(stage.whole(client, id).text == "ok") }
        stage.end(client.slot)
        stage.close(client.slot)
        stage.join()
        #expect(stage.shared.openConnections == 0)
    }

    @Test(arguments: Version.allCases)
    func `a connection without streams is told so and closed`(server: Version) throws {
        let stage = try self.stage(server)
        let client = try stage.talk()
        let id = try client.get("/")
        stage.reply(try stage.asked(server).0)
        #expect(stage.whole(client, id).text == "ok")
        stage.post(.stop(within: .seconds(60)))
        stage.end(client.slot)
        #expect(!stage[client.slot].isCut)
        #expect(client.goAways.first?.code == HTTP2Code.noError)
        stage.close(client.slot)
        stage.join()
    }

    @Test func `a request that was on its way before the notice came is answered`() throws {
        let stage = try self.stage(.http1)
        let client = try stage.talk()
        let first = try client.get("/0")
        let end = try stage.asked(.http1).0
        // The client has not read the notice.
        stage.pause(client.slot)
        stage.post(.stop(within: .seconds(60)))
        stage.settle()
        let second = try client.get("/1")
        let other = try stage.asked(.http1).0
        stage.reply(end, body: "0")
        stage.reply(other, body: "1")
        stage.resume(client.slot)
        #expect(stage.whole(client, first).text == "0")
        #expect(stage.whole(client, second).text == "1")
        stage.end(client.slot)
        stage.close(client.slot)
        stage.join()
    }

    @Test(arguments: Version.allCases)
    func `the time of a graceful stop is a limit for streams too`(server: Version) throws {
        let stage = try self.stage(server)
        let client = try stage.talk()
        try client.get("/")
        _ = try stage.asked(server)
        stage.post(.stop(within: .milliseconds(20)))
        stage.end(client.slot)
        stage.join()
        #expect(stage.plan.pools[0].table.openRequests(0) == 0)
        #expect(stage.shared.openConnections == 0)
    }

    @Test(arguments: Version.allCases)
    func `a connection has as many requests as it may have`(server: Version) throws {
        var setup = Setup()
        setup.speaksHTTP2 = server == .http2
        setup.limits.requestsPerConnection = 2
        let stage = try Stage(setup)
        let client = try stage.talk()
        let ids = [try client.get("/0"), try client.get("/1")]
        for _ in ids { stage.reply(try stage.asked(server).0) }
        for id in ids { #expect(stage.whole(client, id).text == "ok") }
        stage.end(client.slot)
        #expect(!client.goAways.isEmpty)
    }
}
