import BelayBytes

/// Answers of the user's own for errors, read from files at start: `503.html`, `4xx.json`,
/// `5xx.txt`. Where a page has `{{status}}`, `{{title}}`, `{{reason}}` or `{{sentence}}`, the
/// answer's own word stands.
///
/// A page for a status goes before one for its class. A format without a page gets Belay's own
/// answer, never a page in a format that the client did not ask for.
package struct ErrorPages: Sendable {
    /// What a page leaves open.
    package enum Blank: String, Sendable, CaseIterable {
        case status, title, reason, sentence
    }

    /// A file that cannot be a page.
    package struct Problem: Error, Equatable, Sendable {
        package let file: String
        package let what: String
    }

    // Limit: with its blanks filled and a head it fits the 64 KiB of a worker's writer: 64 blanks
    // of at most 200 bytes are 12.5 KiB.
    package static let sizeMax = 48 * 1_024
    package static let blanksMax = 64

    private struct Page {
        /// 503, or 5 for all of 5xx.
        var status: UInt16
        var format: AnswerFormat
        var pieces: [(text: InternedText, blank: Blank?)]
    }

    private var pages: [Page] = []

    /// No pages: Belay's own answers everywhere.
    package init() {}

    /// The pages in a directory's files, and what is wrong with those that are none.
    package init(
        files: [(name: String, bytes: [UInt8])],
        problems: inout [Problem]
    ) {
        for file in files.sorted(by: { $0.name < $1.name }) {
            switch Self.page(name: file.name, bytes: file.bytes) {
            case .success(let page): self.pages.append(page)
            case .failure(let problem): problems.append(problem)
            }
        }
    }

    package var isEmpty: Bool { self.pages.isEmpty }

    func index(of status: UInt16, _ format: AnswerFormat) -> Int? {
        var ofClass: Int?
        for index in self.pages.indices where self.pages[index].format == format {
            if self.pages[index].status == status { return index }
            if self.pages[index].status == status / 100 { ofClass = index }
        }
        return ofClass
    }

    func pieceCount(of page: Int) -> Int { self.pages[page].pieces.count }

    func piece(_ index: Int, of page: Int) -> (text: InternedText, blank: Blank?) {
        self.pages[page].pieces[index]
    }

    private static func page(name: String, bytes: [UInt8]) -> Result<Page, Problem> {
        func problem(_ what: String) -> Result<Page, Problem> {
            .failure(Problem(file: name, what: what))
        }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let status = Self.status(parts[0]),
            let format = Self.format(parts[1])
        else {
            return problem(
                "is not an error page: the name must be like 503.html, 4xx.json or 5xx.txt"
            )
        }
        guard bytes.count <= Self.sizeMax else {
            return problem(
                "has \(bytes.count) bytes; an error page has at most \(Self.sizeMax)"
            )
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return problem("is not UTF-8")
        }
        switch Self.pieces(text) {
        case .failure(let unknown):
            return problem(unknown.what)
        case .success(let pieces):
            return .success(Page(status: status, format: format, pieces: pieces))
        }
    }

    private static func status(_ text: Substring) -> UInt16? {
        if text == "4xx" { return 4 }
        if text == "5xx" { return 5 }
        guard text.utf8.count == 3, let status = UInt16(text), (400...599).contains(status) else {
            return nil
        }
        return status
    }

    private static func format(_ text: Substring) -> AnswerFormat? {
        switch text {
        case "html": .html
        case "json": .problem
        case "txt": .plain
        default: nil
        }
    }

    private static func pieces(
        _ text: String
    ) -> Result<[(text: InternedText, blank: Blank?)], Problem> {
        var pieces: [(text: InternedText, blank: Blank?)] = []
        var rest = text[...]
        while let open = rest.firstRange(of: "{{") {
            let after = rest[open.upperBound...]
            guard let close = after.firstRange(of: "}}") else {
                return .failure(Problem(file: "", what: "has {{ without }}"))
            }
            let name = after[..<close.lowerBound]
            guard let blank = Blank(rawValue: String(name.filter { $0 != " " })) else {
                let known = Blank.allCases.map { "{{\($0.rawValue)}}" }.joined(separator: ", ")
                return .failure(
                    Problem(file: "", what: "has {{\(name)}}; known are \(known)")
                )
            }
            pieces.append((InternedText(String(rest[..<open.lowerBound])), blank))
            rest = after[close.upperBound...]
        }
        if pieces.count > Self.blanksMax {
            return .failure(
                Problem(file: "", what: "has more than \(Self.blanksMax) words in {{…}}")
            )
        }
        pieces.append((InternedText(String(rest)), nil))
        return .success(pieces)
    }
}
