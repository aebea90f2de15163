package import BelayBytes

/// An answer of Belay's own, where no server gives one.
package struct ErrorAnswer: Sendable {
    package var status: UInt16
    /// What happened, for programs: the same word as in logs and metrics, such as
    /// `connect-failed`.
    package var reason: StaticString
    /// What happened, for people who look after programs. One sentence of ours: it holds no
    /// markup, quotes or backslashes.
    package var sentence: StaticString
    package var format: AnswerFormat
    /// The answer to HEAD: its head alone.
    package var isHead = false
    package var connection = ConnectionOption.close
    /// The field line of Strict-Transport-Security, without its end, where it is to be said.
    package var strictTransport: InternedText?
    /// Seconds for Retry-After, when it is worth saying.
    package var retryAfter: UInt32?

    package init(
        status: UInt16,
        reason: StaticString,
        sentence: StaticString,
        format: AnswerFormat
    ) {
        self.status = status
        self.reason = reason
        self.sentence = sentence
        self.format = format
    }
}

/// Writes a whole answer, at most 64 KiB: the user's page for it where there is one, else ours.
/// `date` is the value of Date. Allocates nothing.
package func writeErrorAnswer(
    _ answer: ErrorAnswer,
    pages: borrowing ErrorPages,
    date: borrowing Span<UInt8>,
    into out: inout ByteWriter
) {
    // The head tells the body's length, so the body is written once to be measured.
    let start = out.count
    out.append(bodyOf: answer, pages)
    let length = out.count &- start
    out.truncate(to: start)

    out.append("HTTP/1.1 ")
    out.append(decimal: UInt64(answer.status))
    out.append(UInt8(ascii: " "))
    out.append(reasonPhrase(ofStatus: answer.status))
    out.append("\r\n")
    if date.count > 0 {
        out.append("Date: ")
        out.append(date)
        out.append("\r\n")
    }
    out.append("Content-Type: ")
    out.append(answer.format.contentType)
    out.append("\r\nContent-Length: ")
    out.append(decimal: length)
    out.append("\r\nCache-Control: no-store\r\n")
    if answer.status == 405 {
        // RFC 9110 §15.5.6 demands the list. Belay refuses CONNECT and passes all else on.
        out.append("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n")
    }
    if let line = answer.strictTransport {
        out.append(line.bytes)
        out.append("\r\n")
    }
    if let seconds = answer.retryAfter {
        out.append("Retry-After: ")
        out.append(decimal: UInt64(seconds))
        out.append("\r\n")
    }
    switch answer.connection {
    case .none: break
    case .close: out.append("Connection: close\r\n")
    case .keepAlive: out.append("Connection: keep-alive\r\n")
    }
    out.append("\r\n")
    if !answer.isHead { out.append(bodyOf: answer, pages) }
}

extension ByteWriter {
    fileprivate mutating func append(bodyOf answer: ErrorAnswer, _ pages: borrowing ErrorPages) {
        if let page = pages.index(of: answer.status, answer.format) {
            for piece in 0..<pages.pieceCount(of: page) {
                let (text, blank) = pages.piece(piece, of: page)
                self.append(text.bytes)
                if let blank { self.append(blank, of: answer) }
            }
            return
        }
        switch answer.format {
        case .problem: self.append(problem: answer)
        case .html: self.append(page: answer)
        case .plain: self.append(plain: answer)
        }
    }

    private mutating func append(problem answer: ErrorAnswer) {
        self.append(#"{"type":"about:blank","title":""#)
        self.append(.title, of: answer)
        self.append(#"","status":"#)
        self.append(.status, of: answer)
        self.append(#","detail":""#)
        self.append(.sentence, of: answer)
        self.append(#"","reason":""#)
        self.append(.reason, of: answer)
        self.append("\"}\n")
    }

    private mutating func append(plain answer: ErrorAnswer) {
        self.append(.status, of: answer)
        self.append(UInt8(ascii: " "))
        self.append(.title, of: answer)
        self.append("\n\n")
        self.append(.sentence, of: answer)
        self.append("\nReason: ")
        self.append(.reason, of: answer)
        self.append("\n")
    }

    private mutating func append(page answer: ErrorAnswer) {
        self.append("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>")
        self.append(.title, of: answer)
        self.append("</title>\n")
        self.append(pageStyle)
        self.append("<main>\n<p class=\"status\">")
        self.append(.status, of: answer)
        self.append("</p>\n<h1>")
        self.append(headline(ofStatus: answer.status))
        self.append("</h1>\n<p>")
        self.append(advice(ofStatus: answer.status))
        self.append("</p>\n<footer>")
        self.append(.sentence, of: answer)
        self.append("<br><code>")
        self.append(.reason, of: answer)
        self.append("</code></footer>\n</main>\n</html>\n")
    }

    /// Fills one blank. Our words need no escapes (a test reads them all); should one ever hold a
    /// byte that means something in JSON or HTML, a harmless one takes its place.
    private mutating func append(_ blank: ErrorPages.Blank, of answer: ErrorAnswer) {
        let start = self.count
        switch blank {
        case .status: self.append(decimal: UInt64(answer.status))
        case .title: self.append(reasonPhrase(ofStatus: answer.status))
        case .reason: self.append(answer.reason)
        case .sentence: self.append(answer.sentence)
        }
        for index in start..<self.count {
            switch self.bytes[index] {
            case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), UInt8(ascii: "\""),
                UInt8(ascii: "\\"), 0x00..<0x20, 0x7F:
                self.replace(at: index, with: UInt8(ascii: "'"))
            default: break
            }
        }
    }
}

/// Everything in the page itself: a page about trouble must not need the site that has it.
private let pageStyle: StaticString = """
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="robots" content="noindex">
    <style>
    :root { color-scheme: light dark }
    body { margin: 0; min-height: 100vh; display: grid; place-items: center;
      font: 1.05rem/1.6 system-ui, sans-serif; background: #f6f5f2; color: #22252a }
    main { max-width: 32rem; margin: 2rem; padding: 2.5rem; border-radius: 1rem;
      background: #fff; box-shadow: 0 .5rem 2.5rem rgba(30, 35, 45, .08) }
    .status { margin: 0; font-size: .95rem; font-weight: 600; letter-spacing: .12em;
      color: #c2541b }
    h1 { margin: .3rem 0 .8rem; font-size: 1.7rem; line-height: 1.25 }
    p { margin: 0 }
    footer { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid #e6e3dd;
      font-size: .85rem; color: #6a6f78 }
    @media (prefers-color-scheme: dark) {
      body { background: #16181c; color: #e8e6e1 }
      main { background: #1f2228; box-shadow: none }
      .status { color: #f0925c }
      footer { border-color: #33373f; color: #9aa0aa }
    }
    </style>

    """
