import BelayBytes
import BelayHTTP
import Testing

/// Every rule of the parsers as a table of cases: what is said of the whole must be said however
/// the bytes arrive.
struct ParserTests {
    static let requests =
        MessageCase.requestLines + MessageCase.versions + MessageCase.targets + MessageCase.hosts
        + MessageCase.fieldLines + MessageCase.framing + MessageCase.connections
        + MessageCase.streams + MessageCase.chunkedBodies + MessageCase.extensions
        + MessageCase.trailers

    @Test(arguments: MessageCase.requestLines + MessageCase.versions)
    func `a request line is method, target and version`(_ test: MessageCase) {
        #expect(test.log() == test.want)
    }

    @Test(arguments: MessageCase.targets)
    func `a target has one of four forms`(_ test: MessageCase) {
        #expect(test.log() == test.want)
    }

    @Test(arguments: MessageCase.hosts)
    func `a host is a name or an address`(_ test: MessageCase) {
        #expect(test.log() == test.want)
    }

    @Test(arguments: MessageCase.fieldLines)
    func `a field line is a name, a colon and a value`(_ test: MessageCase) {
        #expect(test.log() == test.want)
    }

    @Test(arguments: MessageCase.framing)
    func `a request has one length or is chunked`(_ test: MessageCase) {
        #expect(test.log() == test.want)
    }

    @Test(arguments: MessageCase.connections)
    func `Connection, Expect and Upgrade say one thing`(_ test: MessageCase) {
        #expect(test.log() == test.want)
    }

    @Test(arguments: MessageCase.streams)
    func `requests follow each other`(_ test: MessageCase) {
        #expect(test.log() == test.want)
    }

    @Test(arguments: MessageCase.chunkedBodies)
    func `a chunk is its size, its data and its end`(_ test: MessageCase) {
        #expect(test.log() == test.want)
    }

    @Test(arguments: MessageCase.extensions)
    func `chunk extensions are read and dropped`(_ test: MessageCase) {
        #expect(test.log() == test.want)
    }

    @Test(arguments: MessageCase.trailers)
    func `trailers pass where they may`(_ test: MessageCase) {
        #expect(test.log() == test.want)
    }

    @Test(arguments: MessageCase.statusLines + MessageCase.answers)
    func `a response is read as strictly`(_ test: MessageCase) {
        #expect(test.log(answering: .get) == test.want)
    }

    @Test(arguments: MessageCase.answersToHead)
    func `a response to HEAD has no body`(_ test: MessageCase) {
        #expect(test.log(answering: .head) == test.want)
    }

    @Test(arguments: Self.requests)
    func `a request cut anywhere is read as whole`(_ test: MessageCase) {
        Self.checkCuts(test, answering: nil)
    }

    @Test(arguments: MessageCase.statusLines + MessageCase.answers)
    func `a response cut anywhere is read as whole`(_ test: MessageCase) {
        Self.checkCuts(test, answering: .get)
    }

    private static func checkCuts(_ test: MessageCase, answering method: BelayHTTP.Method?) {
        let whole = test.log(answering: method)
        let size = test.bytes.count
        let differing = (0...size).first { cut in
            test.log(answering: method, cutAt: [cut]) != whole
        }
        #expect(differing == nil)
        #expect(test.log(answering: method, cutAt: Array(0...size)) == whole)
    }

    @Test func `no rule stands in a table twice`() {
        for table in [MessageCase.framing, MessageCase.connections, MessageCase.fieldLines] {
            let rules = table.map(\.rule)
            #expect(Set(rules).count == rules.count)
        }
    }
}
