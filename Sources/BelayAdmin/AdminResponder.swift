import BelayCore
import BelayTelemetry
import FoundationEssentials
import Hummingbird

/// Answers every request to the admin address: who may ask, which page, and what every answer
/// carries.
struct AdminResponder: HTTPResponder {
    let source: any AdminSource
    let hosts: HostRule
    let open: OpenAnswers

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        self.open.began()
        var response = await self.answer(request)
        for (name, value) in safeHeaders { response.headers[name] = value }
        if request.method == .head { response = response.createHeadResponse() }
        let (body, open) = (response.body, self.open)
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            defer { open.ended() }
            try await body.write(writer)
        }
        return response
    }

    private func answer(_ request: Request) async -> Response {
        guard self.hosts.allows(request.head.authority ?? "") else {
            return refusal(.misdirectedRequest, "this address does not answer for that host")
        }
        if let response = await self.perform(request) { return response }
        guard request.method == .get || request.method == .head else {
            var response = refusal(.methodNotAllowed, "only GET and HEAD are answered here")
            response.headers[.allow] = "GET, HEAD"
            return response
        }
        guard !request.hasBody else {
            return refusal(.contentTooLarge, "requests to this page have no body")
        }
        return switch request.uri.path {
        case "/": await self.overview()
        case "/style.css": text(OverviewPage.style, type: "text/css; charset=utf-8")
        case "/metrics": bytes(await self.source.metricsPage(), type: MetricsPage.contentType)
        case "/healthz": text("ok\n", type: plainText)
        case "/readyz": self.readiness(await self.source.readiness())
        case "/api/pools": json(PoolsAnswer(pools: await self.source.pools()))
        case "/api/explain": await self.explain(request)
        default: refusal(.notFound, "there is no such page; / lists them")
        }
    }

    // Limit: a change of a server fits many times.
    private static let bodyMax = 64 * 1024

    /// Does what a request asks for, if its path is one that commands are sent to. A page of
    /// another site can't send the header that is asked for without being asked itself (a
    /// preflight, which is refused), so no browser is talked into changing anything.
    private func perform(_ request: Request) async -> Response? {
        guard let path = CommandPath(request.uri.path) else { return nil }
        let method = request.method == .head ? .get : request.method
        guard path.methods.contains(method) else {
            let list = path.methods.map(\.rawValue).joined(separator: ", ")
            var response = refusal(.methodNotAllowed, "\(list) is what is answered here")
            response.headers[.allow] = list
            return response
        }
        if method != .get, request.headers[Self.commandHeader] == nil {
            return refusal(.forbidden, "a request that changes something needs \"Belay-Admin: 1\"")
        }
        var body: [UInt8] = []
        if request.hasBody {
            guard let buffer = try? await request.body.collect(upTo: Self.bodyMax) else {
                return refusal(.contentTooLarge, "the body is too long")
            }
            body = Array(buffer.readableBytesView)
        }
        do throws(AdminRefusal) {
            let command = try path.command(method, request.uri.queryParameters, body: body)
            let result = try await self.source.perform(command)
            return json(result.encodable, status: result.status)
        } catch {
            return refusal(.init(code: error.status), error.sentence)
        }
    }

    private static let commandHeader: FieldName = {
        guard let name = FieldName("Belay-Admin") else { preconditionFailure("a token") }
        return name
    }()

    private func overview() async -> Response {
        let page = OverviewPage(
            readiness: await self.source.readiness(),
            pools: await self.source.pools()
        )
        return text(page.html, type: "text/html; charset=utf-8")
    }

    private func readiness(_ readiness: Readiness) -> Response {
        json(readiness, status: readiness.ready ? .ok : .serviceUnavailable)
    }

    private func explain(_ request: Request) async -> Response {
        do throws(ExplainError) {
            let question = try ExplainQuestion(query: request)
            return json(try await self.source.explain(question))
        } catch {
            switch error {
            case .badRequest(let sentence): return refusal(.badRequest, sentence)
            case .unavailable(let sentence): return refusal(.serviceUnavailable, sentence)
            }
        }
    }
}

extension ExplainQuestion {
    /// Reads the query of a request to `/api/explain`.
    fileprivate init(query request: Request) throws(ExplainError) {
        let parameters = request.uri.queryParameters
        let known = ["method", "host", "path", "from", "cookie", "header"]
        for (name, _) in parameters where !known.contains(String(name)) {
            let list = known.joined(separator: ", ")
            throw .badRequest("unknown parameter \(name); known are \(list)")
        }
        guard let host = parameters["host"], !host.isEmpty else {
            throw .badRequest("the parameter host is missing")
        }
        self.init(host: String(host))
        if let method = parameters["method"] { self.method = String(method) }
        if let path = parameters["path"] { self.path = String(path) }
        if let cookie = parameters["cookie"] { self.cookie = String(cookie) }
        if let from = parameters["from"] {
            guard let address = IPAddress(String(from)) else {
                throw .badRequest("from=\(from) is no IP address")
            }
            self.from = address
        }
        for line in parameters[values: "header"] {
            guard let header = Header(String(line)) else {
                throw .badRequest("header=\(line) is not of the form Name: value")
            }
            self.headers.append(header)
        }
    }
}

/// The object around the pools: room for more beside them.
private struct PoolsAnswer: Encodable {
    let pools: [PoolReport]
}

private struct ErrorAnswer: Encodable {
    let error: String
}

extension Request {
    fileprivate var hasBody: Bool {
        if self.headers[.transferEncoding] != nil { return true }
        return (self.headers[.contentLength] ?? "0") != "0"
    }
}

private let plainText = "text/plain; charset=utf-8"

typealias FieldName = HTTPFields.Element.Name

/// On every answer: nothing is cached, framed, sniffed or fetched from elsewhere.
private let safeHeaders: [(name: FieldName, value: String)] = {
    let policy =
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        + "form-action 'none'"
    let values: [(String, String)] = [
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", policy),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
    ]
    return values.compactMap { name, value in FieldName(name).map { ($0, value) } }
}()

private func bytes(_ bytes: [UInt8], type: String, status: HTTPResponse.Status = .ok) -> Response {
    Response(
        status: status,
        headers: [.contentType: type],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
    )
}

private func text(_ text: String, type: String) -> Response { bytes(Array(text.utf8), type: type) }

private func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else {
        return bytes([], type: plainText, status: .internalServerError)
    }
    return bytes(Array(data) + [UInt8(ascii: "\n")], type: "application/json", status: status)
}

private func refusal(_ status: HTTPResponse.Status, _ sentence: String) -> Response {
    json(ErrorAnswer(error: sentence), status: status)
}
