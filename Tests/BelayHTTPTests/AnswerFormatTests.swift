import BelayHTTP
import Testing

struct AnswerFormatTests {
    private static let browser =
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

    @Test(arguments: [
        ([], AnswerFormat.problem),
        (["*/*"], .problem),
        ([Self.browser], .html),
        (["text/html"], .html),
        (["TEXT/HTML"], .html),
        (["text/*"], .html),
        (["application/xhtml+xml"], .html),
        (["text/plain"], .plain),
        (["text/plain, text/html;q=0.9"], .plain),
        (["application/json"], .problem),
        (["application/problem+json"], .problem),
        (["application/*"], .problem),
        (["application/json, text/plain, */*"], .problem),
        (["text/html, */*"], .html),
        (["text/html, */*; q=0.01"], .html),
        (["text/html;q=0.5, application/json"], .problem),
        (["text/html;q=0.5, application/json;q=0.4"], .html),
        (["text/html;q=0, */*"], .problem),
        (["application/json;q=0, */*"], .html),
        (["application/json;q=0, text/html;q=0.0, */*;q=0.1"], .plain),
        (["*/*, application/json;q=0.1, text/*;q=0.2"], .html),
        (["text/html;level=1;q=0.3, text/plain;q=0.4"], .plain),
        (["text/html;charset=utf-8"], .html),
        (["text/html ; Q=1.000 , application/json;q=0.999"], .html),
        (["text/html;q=1.001, application/json"], .problem),
        (["text/html;q=high"], .plain),
        (["text/html;q="], .plain),
        (["text/html;q=0.12345, text/plain;q=0.1"], .plain),
        (["image/png"], .plain),
        (["image/avif,image/webp,*/*;q=0.8"], .problem),
        (["*/*;q=0"], .plain),
        ([""], .plain),
        ([",,;;q,"], .plain),
        (["image/png", "text/html"], .html),
    ])
    func `the answer's form follows Accept`(accept: [String], want: AnswerFormat) throws {
        try fieldList(accept.map { "Accept: \($0)" }) { list, bytes in
            #expect(AnswerFormat(accepting: list, in: bytes, from: 0) == want)
        }
    }
}
