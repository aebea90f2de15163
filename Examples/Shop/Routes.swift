import FoundationEssentials
import Glibc
import Hummingbird

/// Answers requests: reads cookies and forms, changes the memory, writes the page or JSON.
struct Routes: Sendable {
    let shop: ShopName
    let memory: ShopMemory
    let startedAt: Date

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: Dying(memory: self.memory))
        router.get("/") { request, _ in self.page(self.visit(request), for: request) }
        router.get("/api/state") { request, _ in self.state(self.visit(request)) }
        router.get("/healthz") { _, _ in text("ok\n") }
        router.get("/whoami") { _, _ in
            self.memory.countAnswer()
            return text("\(self.shop)\n")
        }
        router.post("/cart/add") { request, _ in
            try await self.change(request) { cart, product in cart.add(product) }
        }
        router.post("/cart/remove") { request, _ in
            try await self.change(request) { cart, product in cart.remove(product) }
        }
        router.post("/stop") { request, _ in
            try refuseOtherSites(request)
            return self.stop(request)
        }
        return router
    }

    /// Everything that an answer to this visitor shows.
    private func visit(
        _ request: Request,
        tells: Bool = true,
        _ change: (inout Cart) -> Void = { _ in }
    ) -> Answer {
        var trail = Trail(cookie: request.cookies["shop_trail"]?.value)
        let presented = request.cookies["shop_session"].flatMap { VisitID($0.value) }
        let view = self.memory.visit(presented, last: trail.names.last, tells: tells, change)
        trail.append(self.shop)
        return Answer(
            shop: self.shop,
            view: view,
            visitorsMax: self.memory.visitorsMax,
            trail: trail,
            isNewVisit: view.id != presented,
            stopped: request.uri.queryParameters["stopped"].flatMap { ShopName($0) },
            startedAt: self.startedAt,
            now: .now
        )
    }

    /// The page's script gets the page's parts at once; a plain form is sent back to it, so that a
    /// reload doesn't send the form again.
    private func change(
        _ request: Request,
        _ change: @Sendable (inout Cart, Product) -> Bool
    ) async throws -> Response {
        try refuseOtherSites(request)
        // Limit: the form has one short field.
        let body = try await request.body.collect(upTo: 1024)
        let decoder = URLEncodedFormDecoder()
        guard let form = try? decoder.decode(CartForm.self, from: String(buffer: body)),
            let product = Catalog.product(form.product)
        else { throw HTTPError(.badRequest, message: "The shop has no such product.") }
        let isScript = wantsParts(request)
        let answer = self.visit(request, tells: isScript) { cart in
            _ = change(&cart, product)
        }
        return isScript ? self.page(answer, for: request) : self.redirect("/", answer: answer)
    }

    /// Crashes the server, once its farewell is on the way: an exit without one word to anybody
    /// else who is being served, as in a real crash.
    private func stop(_ request: Request) -> Response {
        say("\(self.shop) was stopped from its page")
        self.memory.die()
        Task {
            // Limit: 50 ms are ample for three lines to leave through loopback.
            try? await Task.sleep(for: .milliseconds(50))
            exit(1)
        }
        let parts = wantsParts(request) ? "&answer=parts" : ""
        return Response(
            status: .seeOther,
            headers: [.location: "/?stopped=\(self.shop)\(parts)", .connection: "close"]
        )
    }

    private func page(_ answer: Answer, for request: Request) -> Response {
        var random = SystemRandomNumberGenerator()
        let nonce = VisitID(from: &random).text
        let page = Page(answer: answer, nonce: nonce)
        let html = wantsParts(request) ? page.parts : page.html
        var response = Response(
            status: .ok,
            headers: [
                .contentType: "text/html; charset=utf-8",
                .contentSecurityPolicy: """
                default-src 'none'; style-src 'nonce-\(nonce)'; script-src 'nonce-\(nonce)'; \
                connect-src 'self'; form-action 'self'; img-src data:; base-uri 'none'; \
                frame-ancestors 'none'
                """,
            ],
            body: .init(byteBuffer: ByteBuffer(string: html.text))
        )
        self.seal(&response, answer: answer)
        return response
    }

    private func redirect(_ location: String, answer: Answer) -> Response {
        var response = Response(status: .seeOther, headers: [.location: location])
        self.seal(&response, answer: answer)
        return response
    }

    private func state(_ answer: Answer) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        guard let json = try? encoder.encode(ShopState(answer)) else {
            return Response(status: .internalServerError)
        }
        var response = Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: json + [UInt8(ascii: "\n")]))
        )
        self.seal(&response, answer: answer)
        return response
    }

    /// What all answers to a visitor carry: no cache keeps them, and the cookies go with them.
    private func seal(_ response: inout Response, answer: Answer) {
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        if answer.isNewVisit {
            response.setCookie(
                Cookie(
                    name: "shop_session",
                    value: answer.view.id.text,
                    path: "/",
                    httpOnly: true,
                    sameSite: .lax
                )
            )
        }
        response.setCookie(
            Cookie(
                name: "shop_trail",
                value: answer.trail.cookie,
                path: "/",
                httpOnly: true,
                sameSite: .lax
            )
        )
    }
}

/// Everything that an answer to a visitor shows.
struct Answer {
    let shop: ShopName
    let view: ShopMemory.View
    let visitorsMax: Int
    let trail: Trail
    let isNewVisit: Bool
    /// The server that the visitor has just stopped.
    let stopped: ShopName?
    let startedAt: Date
    let now: Date

    var secondsUp: Int { max(0, Int(self.now.timeIntervalSince(self.startedAt))) }
}

/// Leaves requests unanswered that reach a server between its farewell and its end.
private struct Dying: RouterMiddleware {
    let memory: ShopMemory

    @concurrent
    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: @concurrent (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        if self.memory.isDying {
            try await Task.sleep(for: .seconds(60))
        }
        return try await next(request, context)
    }
}

private struct CartForm: Decodable {
    let product: String
}

/// Whether the page's script asks, which replaces the parts of the page that change.
private func wantsParts(_ request: Request) -> Bool {
    request.uri.queryParameters["answer"] == "parts"
}

private func text(_ text: String) -> Response {
    Response(
        status: .ok,
        headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
        body: .init(byteBuffer: ByteBuffer(string: text))
    )
}

/// A form on another site must not stop a server: browsers name the form's origin with each POST.
private func refuseOtherSites(_ request: Request) throws {
    guard let origin = request.headers[.origin] else { return }
    let authority = request.head.authority ?? ""
    guard origin == "http://\(authority)" || origin == "https://\(authority)" else {
        throw HTTPError(.forbidden, message: "This form came from another site.")
    }
}
