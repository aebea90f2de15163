package import BelayCore

/// A request that nobody sent: which decision would be made for it?
package struct ExplainQuestion: Equatable, Sendable {
    package struct Header: Equatable, Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }

        /// From `Name: value`; nil without a colon or a name.
        package init?(_ line: String) {
            guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else { return nil }
            self.name = String(line[..<colon])
            let value = line[line.index(after: colon)...]
            let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
            guard let first = value.firstIndex(where: { !isSpace($0) }),
                let last = value.lastIndex(where: { !isSpace($0) })
            else {
                self.value = ""
                return
            }
            self.value = String(value[first...last])
        }
    }

    package var method: String
    /// Host and port, as in a request's Host.
    package var host: String
    /// Path and query.
    package var path: String
    /// The client's address; nil stands for this machine's own.
    package var from: IPAddress?
    /// The value of the request's Cookie field.
    package var cookie: String?
    package var headers: [Header]

    package init(
        method: String = "GET",
        host: String,
        path: String = "/",
        from: IPAddress? = nil,
        cookie: String? = nil,
        headers: [Header] = []
    ) {
        self.method = method
        self.host = host
        self.path = path
        self.from = from
        self.cookie = cookie
        self.headers = headers
    }

    /// The question as the query of `/api/explain`, without the question mark.
    package var query: String {
        var parts = [("method", self.method), ("host", self.host), ("path", self.path)]
            .map { "\($0.0)=\(percentEncoded($0.1))" }
        if let from = self.from { parts.append("from=\(percentEncoded(from.description))") }
        if let cookie = self.cookie { parts.append("cookie=\(percentEncoded(cookie))") }
        for header in self.headers {
            parts.append("header=\(percentEncoded("\(header.name): \(header.value)"))")
        }
        return parts.joined(separator: "&")
    }
}

/// The decision that would be made, and every server that was considered.
package struct ExplainAnswer: Codable, Equatable, Sendable {
    package struct Candidate: Codable, Equatable, Sendable {
        package var server: String
        package var address: String
        package var state: String
        package var health: String
        package var weight: Int
        package var openRequests: Int
        /// Why the server may not take this client; `no` when it may.
        package var passedOver: String

        package init(
            server: String,
            address: SocketAddress,
            state: AdminState,
            health: Health,
            weight: Weight,
            openRequests: Int,
            passedOver: PassOver
        ) {
            self.server = server
            self.address = address.description
            self.state = "\(state.name)"
            self.health = "\(health.name)"
            self.weight = Int(weight.rawValue)
            self.openRequests = openRequests
            self.passedOver = "\(passedOver.name)"
        }
    }

    /// The route that matches; null when none does.
    package var route: String?
    package var pool: String?
    /// What the presented binding is worth.
    package var persistence: String
    /// By which rule the server was chosen.
    package var rule: String
    /// Null when the request would be refused.
    package var server: String?
    /// One sentence that says why.
    package var reason: String
    package var candidates: [Candidate]

    package init(
        route: String?,
        pool: String?,
        persistence: PersistenceVerdict,
        rule: PickRule,
        server: String?,
        reason: String,
        candidates: [Candidate]
    ) {
        self.route = route
        self.pool = pool
        self.persistence = "\(persistence.name)"
        self.rule = "\(rule.name)"
        self.server = server
        self.reason = reason
        self.candidates = candidates
    }

    /// Writes null where a value is missing: a reader then sees that the key exists.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.route, forKey: .route)
        try container.encode(self.pool, forKey: .pool)
        try container.encode(self.persistence, forKey: .persistence)
        try container.encode(self.rule, forKey: .rule)
        try container.encode(self.server, forKey: .server)
        try container.encode(self.reason, forKey: .reason)
        try container.encode(self.candidates, forKey: .candidates)
    }
}

/// Why a question has no answer.
package enum ExplainError: Error, Equatable, Sendable {
    /// The request is one that Belay would refuse: the sentence says what is wrong with it.
    case badRequest(String)
    /// Belay is starting or stopping.
    case unavailable(String)

    package var sentence: String {
        switch self {
        case .badRequest(let sentence), .unavailable(let sentence): sentence
        }
    }
}

/// Everything but RFC 3986's unreserved characters as `%HH`.
private func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF")
    var encoded = ""
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            encoded.append(Character(Unicode.Scalar(byte)))
        default:
            encoded.append("%")
            encoded.append(digits[Int(byte >> 4)])
            encoded.append(digits[Int(byte & 15)])
        }
    }
    return encoded
}
