import BelayBytes
import BelayHTTP
import Testing

struct ErrorAnswerTests {
    private func written(
        _ answer: ErrorAnswer,
        pages: ErrorPages = ErrorPages(),
        date: String = ""
    ) -> (head: [String], body: String) {
        var out = ByteWriter(capacity: 65_536)
        writeErrorAnswer(answer, pages: pages, date: Array(date.utf8).span, into: &out)
        let text = text(of: out)
        let parts = text.split(
            separator: "\r\n\r\n",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        return (parts[0].split(separator: "\r\n").map(String.init), String(parts[1]))
    }

    private func answer(_ status: UInt16, _ format: AnswerFormat) -> ErrorAnswer {
        ErrorAnswer(
            status: status,
            reason: "no-server",
            sentence: "No server of the pool can be reached.",
            format: format
        )
    }

    @Test func `programs get a problem`() {
        var answer = self.answer(503, .problem)
        answer.retryAfter = 5
        let (head, body) = self.written(answer, date: "today")
        let want =
            #"{"type":"about:blank","title":"Service Unavailable","status":503,"#
            + #""detail":"No server of the pool can be reached.","reason":"no-server"}"# + "\n"
        #expect(body == want)
        #expect(
            head == [
                "HTTP/1.1 503 Service Unavailable", "Date: today",
                "Content-Type: application/problem+json", "Content-Length: \(want.utf8.count)",
                "Cache-Control: no-store", "Retry-After: 5", "Connection: close",
            ]
        )
    }

    @Test func `people get a page that needs nothing else`() {
        let (head, body) = self.written(self.answer(404, .html))
        #expect(head.contains("Content-Type: text/html; charset=utf-8"))
        #expect(head.contains("Content-Length: \(body.utf8.count)"))
        #expect(body.contains("<title>Not Found</title>"))
        #expect(body.contains("<h1>There is nothing here</h1>"))
        #expect(body.contains("<code>no-server</code>"))
        for outside in ["http://", "https://", "src=", "href=", "url(", "@import", "<script"] {
            #expect(!body.contains(outside))
        }
    }

    @Test func `a refused method is told which are allowed`() {
        let head = self.written(self.answer(405, .plain)).head
        #expect(head.contains("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE"))
        #expect(!self.written(self.answer(501, .plain)).head.contains { $0.hasPrefix("Allow") })
    }

    @Test func `who wants text gets text`() {
        let (head, body) = self.written(self.answer(502, .plain))
        #expect(head.contains("Content-Type: text/plain; charset=utf-8"))
        #expect(
            body == """
                502 Bad Gateway

                No server of the pool can be reached.
                Reason: no-server

                """
        )
    }

    @Test(arguments: AnswerFormat.allCases)
    func `HEAD gets the same head and no body`(format: AnswerFormat) {
        var answer = self.answer(503, format)
        let whole = self.written(answer)
        answer.isHead = true
        let (head, body) = self.written(answer)
        #expect(head == whole.head)
        #expect(body.isEmpty)
    }

    @Test(
        arguments: [
            (ConnectionOption.none, nil),
            (.close, "Connection: close"),
            (.keepAlive, "Connection: keep-alive"),
        ] as [(ConnectionOption, String?)]
    )
    func `the connection is said as told`(connection: ConnectionOption, want: String?) {
        var answer = self.answer(503, .plain)
        answer.connection = connection
        let head = self.written(answer).head
        #expect(head.first { $0.hasPrefix("Connection") } == want)
    }

    @Test(arguments: [
        400, 403, 404, 405, 408, 411, 413, 414, 417, 421, 429, 431, 499, 500, 501, 502, 503, 504,
        505, 599,
    ])
    func `every answer can be read as a response`(status: Int) throws {
        for format in AnswerFormat.allCases {
            var out = ByteWriter(capacity: 65_536)
            let answer = self.answer(UInt16(status), format)
            writeErrorAnswer(answer, pages: ErrorPages(), date: Span(), into: &out)
            let end = try #require(text(of: out).utf8.count as Int?)
            let whole = text(of: out)
            let bodySize = whole.utf8.count - headSize(of: whole)
            var fields = FieldList(capacity: 16)
            let head = try ResponseHead.parse(
                out.bytes,
                from: 0,
                length: end - bodySize,
                answering: .get,
                into: &fields
            )
            #expect(Int(head.status) == status)
            #expect(head.framing == .length(UInt64(bodySize)))
        }
    }

    private func headSize(of text: String) -> Int {
        text.utf8.count
            - (text.firstRange(of: "\r\n\r\n").map { text[$0.upperBound...].utf8.count } ?? 0)
    }

    @Test(arguments: MessageError.allCases)
    func `the words of a refusal need no escapes`(error: MessageError) {
        for word in [error.name, error.sentence, reasonPhrase(ofStatus: error.status)] {
            #expect(!word.description.contains { "<>&\"\\".contains($0) || $0 < " " })
        }
        #expect((400...505).contains(error.status))
    }

    @Test func `a word that would be markup is made harmless`() {
        for format in AnswerFormat.allCases {
            let answer = ErrorAnswer(
                status: 500,
                reason: "a<b\"c",
                sentence: "<script>\"\\\n&</script>",
                format: format
            )
            let body = self.written(answer).body
            #expect(!body.contains("<script>"))
            #expect(!body.contains("a<b"))
            #expect(
                body.contains("'script'''''' /script'") || body.contains("'script''''''/script'")
            )
        }
    }
}

struct ErrorPagesTests {
    private func pages(_ files: [(String, String)]) -> (ErrorPages, [ErrorPages.Problem]) {
        var problems: [ErrorPages.Problem] = []
        let pages = ErrorPages(
            files: files.map { (name: $0.0, bytes: Array($0.1.utf8)) },
            problems: &problems
        )
        return (pages, problems)
    }

    private func body(_ status: UInt16, _ format: AnswerFormat, _ pages: ErrorPages) -> String {
        var out = ByteWriter(capacity: 65_536)
        let answer = ErrorAnswer(
            status: status,
            reason: "connect-failed",
            sentence: "The server refused.",
            format: format
        )
        writeErrorAnswer(answer, pages: pages, date: Span(), into: &out)
        let whole = text(of: out)
        return whole.firstRange(of: "\r\n\r\n").map { String(whole[$0.upperBound...]) } ?? ""
    }

    @Test func `a page for the status goes before one for its class`() {
        let (pages, problems) = self.pages([
            ("503.html", "exact"), ("5xx.html", "class"), ("4xx.json", "{}"), ("404.txt", "text"),
        ])
        #expect(problems.isEmpty)
        #expect(self.body(503, .html, pages) == "exact")
        #expect(self.body(502, .html, pages) == "class")
        #expect(self.body(404, .problem, pages) == "{}")
        #expect(self.body(404, .plain, pages) == "text")
        #expect(self.body(404, .html, pages).contains("<h1>There is nothing here</h1>"))
        #expect(self.body(503, .problem, pages).contains("connect-failed"))
    }

    @Test func `blanks are filled`() {
        let (pages, problems) = self.pages([
            ("5xx.html", "<b>{{status}} {{ title }}</b>{{sentence}}|{{reason}}{{status}}")
        ])
        #expect(problems.isEmpty)
        #expect(
            self.body(502, .html, pages)
                == "<b>502 Bad Gateway</b>The server refused.|connect-failed502"
        )
    }

    @Test(arguments: [
        ("index.html", "ok", "must be like"),
        ("503.php", "ok", "must be like"),
        ("503", "ok", "must be like"),
        ("503.html.bak", "ok", "must be like"),
        ("200.html", "ok", "must be like"),
        ("+50.html", "ok", "must be like"),
        ("3xx.html", "ok", "must be like"),
        ("503.html", "{{status", "has {{ without }}"),
        ("503.html", "{{host}}", "has {{host}}; known are {{status}}"),
        ("503.html", String(repeating: "{{status}}", count: 65), "more than 64"),
        ("503.html", String(repeating: "x", count: 49_153), "has 49153 bytes"),
    ])
    func `a file that cannot be a page is told`(name: String, text: String, want: String) {
        let (pages, problems) = self.pages([(name, text)])
        #expect(pages.isEmpty)
        #expect(problems.count == 1)
        #expect(problems.first?.file == name)
        #expect(problems.first?.what.contains(want) == true)
    }

    @Test func `a page that is not UTF-8 is told`() {
        var problems: [ErrorPages.Problem] = []
        let pages = ErrorPages(files: [(name: "503.txt", bytes: [0xFF])], problems: &problems)
        #expect(pages.isEmpty)
        #expect(problems.map(\.what) == ["is not UTF-8"])
    }

    @Test func `the largest page fits the writer`() {
        let blanks = String(repeating: "{{sentence}}", count: ErrorPages.blanksMax)
        let filler = String(repeating: "x", count: ErrorPages.sizeMax - blanks.utf8.count)
        let (pages, problems) = self.pages([("503.txt", blanks + filler)])
        #expect(problems.isEmpty)
        #expect(self.body(503, .plain, pages).hasSuffix("xxx"))
    }
}
