import Testing

/// Requests of one client connection and what the servers answer to each of them, in order.
struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var requests: String
    var responses: [String]
    /// The server closes its connection behind each answer.
    var serverCloses = false
    /// The requests ask for heads only.
    var isHead = false
    /// Nothing of it goes to a server: what Belay itself says.
    var isRefused = false
    /// The statuses that the client must see.
    var statuses: [Int]
    /// Belay closes the client's connection in the end.
    var isClosed = false

    var testDescription: String { self.name }
}

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
private let get = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"

/// Each is written whole and cut at every byte, and must end alike.
let cases: [Case] = [
    Case(name: "GET and a length", requests: get, responses: [ok], statuses: [200]),
    Case(
        name: "a body of a length",
        requests: "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
        responses: ["HTTP/1.1 201 Created\r\nContent-Length: 0\r\nX-A: b\r\n\r\n"],
        statuses: [201]
    ),
    Case(
        name: "chunks both ways, with trailers",
        requests: "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "5\r\nhello\r\n1;x=y\r\n,\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
        responses: [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n00a\r\ndefghijklm\r\n0\r\nX-Sum: 2\r\nX-End: 3\r\n\r\n"
        ],
        statuses: [200]
    ),
    Case(
        name: "an answer until the server closes",
        requests: get,
        responses: ["HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall there is"],
        serverCloses: true,
        statuses: [200]
    ),
    Case(
        name: "an answer until the close, for HTTP/1.0",
        requests: "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        responses: ["HTTP/1.1 200 OK\r\n\r\nall there is"],
        serverCloses: true,
        statuses: [200],
        isClosed: true
    ),
    Case(
        name: "chunks for HTTP/1.0",
        requests: "GET / HTTP/1.0\r\n\r\n",
        responses: ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"],
        statuses: [200],
        isClosed: true
    ),
    Case(
        name: "HTTP/1.0 that stays open",
        requests: "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        responses: [ok],
        statuses: [200]
    ),
    Case(
        name: "pipelined requests, the bodies between them",
        requests: get + "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            + "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "2\r\nde\r\n0\r\n\r\n"
            + "\r\n" + get,
        responses: [
            ok, "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", ok,
        ],
        statuses: [200, 204, 200, 200]
    ),
    Case(
        name: "answers to HEAD have no body",
        requests: "HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        responses: [
            "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ],
        isHead: true,
        statuses: [200, 200]
    ),
    Case(
        name: "304 with a length and no body",
        requests: get + get,
        responses: ["HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ok],
        statuses: [304, 200]
    ),
    Case(
        name: "interim answers pass",
        requests: get,
        responses: [
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok
        ],
        statuses: [103, 102, 200]
    ),
    Case(
        name: "no interim answers for HTTP/1.0",
        requests: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        responses: ["HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok],
        statuses: [200]
    ),
    Case(
        name: "the client wants the end",
        requests: "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        responses: [ok],
        statuses: [200],
        isClosed: true
    ),
    Case(
        name: "the server wants the end",
        requests: get + get,
        responses: [
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nb",
        ],
        serverCloses: true,
        statuses: [200, 200]
    ),
    Case(
        name: "fields of the connection stay there",
        requests: "GET /x?y HTTP/1.1\r\nHost: A:80\r\nConnection: x-hop\r\nX-Hop: 1\r\n"
            + "Keep-Alive: 5\r\nTE: trailers\r\nX-Forwarded-For: 10.1.1.1\r\nX-End: 2\r\n\r\n",
        responses: [
            "HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-End: 2\r\n"
                + "Content-Length: 0\r\n\r\n"
        ],
        statuses: [200]
    ),
    Case(
        name: "a server's answer that is no HTTP",
        requests: get,
        responses: ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"],
        statuses: [502]
    ),
    Case(
        name: "a server's head that ends too early",
        requests: get,
        responses: ["HTTP/1.1 200 OK\r\nContent-Le"],
        serverCloses: true,
        statuses: [502]
    ),
    Case(
        name: "a head with two lengths",
        requests: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n",
        responses: [],
        isRefused: true,
        statuses: [400],
        isClosed: true
    ),
    Case(
        name: "a host too many",
        requests: "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        responses: [],
        isRefused: true,
        statuses: [400],
        isClosed: true
    ),
    Case(
        name: "CONNECT",
        requests: "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
        responses: [],
        isRefused: true,
        statuses: [405]
    ),
]
