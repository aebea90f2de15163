import BelayCore
import Foundation
import Hummingbird

// Requests that change something, or ask about what can be changed: read here, strictly, so that
// nothing is done that was not meant.

/// A path under `/api/` that commands are sent to, and what is asked there.
struct CommandPath {
    private enum Place {
        case reload, upgrade
        case servers(pool: String)
        case server(ServerRef)
        case drain(ServerRef)
        case pauseDrain(ServerRef)
        case resumeDrain(ServerRef)
        case rebalance(pool: String)
        case bindings(pool: String)
        case findBinding(pool: String)
        case binding(pool: String, key: String)
    }

    private let place: Place

    /// Nil where the path is none of a command's.
    init?(_ path: String) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
            .map { String($0).removingPercentEncoding ?? String($0) }
        guard parts.count >= 2, parts[0] == "api" else { return nil }
        if parts.count == 2 {
            switch parts[1] {
            case "reload": self.place = .reload
            case "upgrade": self.place = .upgrade
            default: return nil
            }
            return
        }
        guard parts[1] == "pools", parts.count >= 4 else { return nil }
        let (pool, rest) = (parts[2], Array(parts[4...]))
        // A pool called `-` stands for whichever has a server of that name.
        let server = rest.first.map { ServerRef(pool: pool == "-" ? nil : pool, server: $0) }
        switch (parts[3], rest.count, server) {
        case ("servers", 0, _): self.place = .servers(pool: pool)
        case ("servers", 1, let server?): self.place = .server(server)
        case ("servers", 2, let server?) where rest[1] == "drain": self.place = .drain(server)
        case ("servers", 3, let server?) where rest[1...] == ["drain", "pause"]:
            self.place = .pauseDrain(server)
        case ("servers", 3, let server?) where rest[1...] == ["drain", "resume"]:
            self.place = .resumeDrain(server)
        case ("rebalance", 0, _): self.place = .rebalance(pool: pool)
        case ("bindings", 0, _): self.place = .bindings(pool: pool)
        case ("bindings", 1, _) where rest[0] == "find": self.place = .findBinding(pool: pool)
        case ("bindings", 1, _): self.place = .binding(pool: pool, key: rest[0])
        default: return nil
        }
    }

    /// The methods that mean something there.
    var methods: [HTTPRequest.Method] {
        switch self.place {
        case .reload, .upgrade, .servers, .pauseDrain, .resumeDrain: [.post]
        case .server: [.put, .delete]
        case .drain: [.get, .post, .delete]
        case .rebalance: [.post, .delete]
        case .bindings, .findBinding: [.get]
        case .binding: [.put, .delete]
        }
    }

    /// The command; `method` is one of `methods`. Throws what is wrong with the request.
    func command(
        _ method: HTTPRequest.Method,
        _ query: Parameters,
        body: [UInt8]
    ) throws(AdminRefusal) -> AdminCommand {
        switch (self.place, method) {
        case (.servers(let pool), _):
            try only([], in: query)
            return .addServer(pool: pool, try changes(body))
        case (.server(let server), .put):
            try only([], in: query)
            return .setServer(server, try changes(body))
        default: break
        }
        guard body.isEmpty else {
            throw AdminRefusal(400, "this request has no body; what it says is in the query")
        }
        switch (self.place, method) {
        case (.rebalance(let pool), .post):
            try only(["goal", "rate"], in: query)
            return .rebalance(
                pool: pool,
                goal: try number(query, "goal") ?? 1.05,
                rate: try rate(query) ?? 50
            )
        case (.drain(let server), .post):
            try only(["deadline", "rate"], in: query)
            return .drain(server, deadline: try span(query, "deadline"), rate: try rate(query))
        case (.server(let server), _):
            try only(["now"], in: query)
            return .removeServer(server, now: try flag(query, "now"))
        case (.bindings(let pool), _):
            try only(["server", "limit", "cursor"], in: query)
            return .bindings(
                pool: pool,
                server: query["server"].map(String.init),
                limit: try wholeNumber(query, "limit") ?? 100,
                cursor: try wholeNumber(query, "cursor") ?? 0
            )
        case (.findBinding(let pool), _):
            try only(["way", "value"], in: query)
            let (way, value) = (try text(query, "way"), try text(query, "value"))
            return .findBinding(pool: pool, way: way, value: value)
        case (.binding(let pool, let key), .put):
            try only(["server"], in: query)
            return .moveBinding(pool: pool, key: key, server: try text(query, "server"))
        default: break
        }
        try only([], in: query)
        return switch (self.place, method) {
        case (.reload, _): .reload
        case (.upgrade, _): .upgrade
        case (.drain(let server), .delete): .undoDrain(server)
        case (.drain(let server), _): .drainStatus(server)
        case (.pauseDrain(let server), _): .pauseDrain(server)
        case (.resumeDrain(let server), _): .resumeDrain(server)
        case (.rebalance(let pool), _): .stopRebalance(pool: pool)
        case (.binding(let pool, let key), _): .forgetBinding(pool: pool, key: key)
        case (.servers, _), (.server, _), (.bindings, _), (.findBinding, _):
            preconditionFailure("read above")
        }
    }
}

// MARK: Parameters

/// Refuses a parameter that means nothing there: it was meant to say something.
private func only(_ known: [String], in query: Parameters) throws(AdminRefusal) {
    for (name, _) in query where !known.contains(String(name)) {
        let list = known.isEmpty ? "there are none" : "known are " + known.joined(separator: ", ")
        throw AdminRefusal(400, "unknown parameter \(name); \(list)")
    }
}

private func text(_ query: Parameters, _ name: String) throws(AdminRefusal) -> String {
    guard let text = query[Substring(name)], !text.isEmpty else {
        throw AdminRefusal(400, "the parameter \(name) is missing")
    }
    return String(text)
}

private func number(_ query: Parameters, _ name: String) throws(AdminRefusal) -> Double? {
    guard let text = query[Substring(name)] else { return nil }
    guard let number = Double(text), number >= 0, number < 1e9 else {
        throw AdminRefusal(400, "\(name)=\(text) is not a number")
    }
    return number
}

private func wholeNumber(_ query: Parameters, _ name: String) throws(AdminRefusal) -> Int? {
    guard let text = query[Substring(name)] else { return nil }
    guard let number = Int(text), number >= 0 else {
        throw AdminRefusal(400, "\(name)=\(text) is not a whole number")
    }
    return number
}

private func rate(_ query: Parameters) throws(AdminRefusal) -> Double? {
    guard let text = query["rate"] else { return nil }
    guard let rate = CommandText.rate(String(text)) else {
        throw AdminRefusal(400, "rate=\(text) is not a rate such as 50/s")
    }
    return rate
}

private func span(_ query: Parameters, _ name: String) throws(AdminRefusal) -> TimeSpan? {
    guard let text = query[Substring(name)] else { return nil }
    guard let span = CommandText.span(String(text)) else {
        throw AdminRefusal(400, "\(name)=\(text) is not a time such as 30m")
    }
    return span
}

/// `?now`, `?now=true`.
private func flag(_ query: Parameters, _ name: String) throws(AdminRefusal) -> Bool {
    switch query[Substring(name)] {
    case nil, "false": return false
    case "", "true": return true
    case let text?: throw AdminRefusal(400, "\(name)=\(text) is neither true nor false")
    }
}

// MARK: Bodies

private func changes(_ body: [UInt8]) throws(AdminRefusal) -> ServerChanges {
    let example = "{\"address\": \"10.0.0.13:3000\", \"weight\": 2}"
    guard let object = try? JSONDecoder().decode([String: Anything].self, from: Data(body)) else {
        throw AdminRefusal(400, "the body must be a JSON object such as \(example)")
    }
    let known = ServerChanges.CodingKeys.allCases.map(\.rawValue)
    for name in object.keys.sorted() where !known.contains(name) {
        let list = known.joined(separator: ", ")
        throw AdminRefusal(400, "unknown key \"\(name)\" in the body; known are \(list)")
    }
    do {
        return try JSONDecoder().decode(ServerChanges.self, from: Data(body))
    } catch DecodingError.typeMismatch(_, let context) {
        let name = context.codingPath.last?.stringValue ?? "a value"
        throw AdminRefusal(400, "\(name) in the body is of another kind than in \(example)")
    } catch DecodingError.dataCorrupted(let context) {
        let name = context.codingPath.last?.stringValue ?? "a value"
        throw AdminRefusal(400, "\(name) in the body can't be that number")
    } catch {
        throw AdminRefusal(400, "the body must be a JSON object such as \(example)")
    }
}

/// A value that nobody looks at.
private struct Anything: Decodable {
    init(from decoder: any Decoder) {}
}

// MARK: Answers

extension AdminResult {
    /// What the answer's body says.
    var encodable: any Encodable {
        switch self {
        case .done(let sentence): DoneAnswer(done: sentence)
        case .reload(let answer): answer
        case .drain(let report): report
        case .rebalance(let report): report
        case .bindings(let report): report
        case .binding(let report): report
        }
    }

    /// Settings that are not served are the caller's mistake.
    var status: HTTPResponse.Status {
        if case .reload(let answer) = self, !answer.served { return .unprocessableContent }
        return .ok
    }
}

private struct DoneAnswer: Encodable {
    let done: String
}
