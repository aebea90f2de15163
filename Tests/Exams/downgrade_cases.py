"""HTTP/2 requests that would turn into something else in HTTP/1.1, as a table.

GOOD has to reach the server as it was sent. BAD is malformed by RFC 9113 (or cannot be said in
HTTP/1.1): a strict proxy refuses it. EITHER may be refused or forwarded, in one clean form.
"""

import dataclasses

from h2wire import raw

GOOD, EITHER, BAD = "good", "either", "bad"
CASES = []
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: evil.test\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + SMUGGLED


@dataclasses.dataclass
class Case:
    name: str
    kind: str
    fields: list
    # DATA frames; the last of them ends the stream, unless trailers do.
    data: list
    trailers: list | None = None
    # What is sent on the stream when it is over: pairs of a frame's type and its payload.
    beyond: str = ""
    path: bytes = b""


def add(name, kind, change=lambda fields: fields, data=(), method=None, **more):
    """`change` gets the usual fields and gives those that are sent."""
    path = b"/case-%d" % len(CASES)
    fields = [
        (b":method", raw(method or ("POST" if data or more.get("trailers") else "GET"))),
        (b":scheme", b"http"), (b":path", path), (b":authority", b"exam.test"),
    ]
    sent = [(raw(name), raw(value)) for name, value in change(fields)]
    CASES.append(Case(name, kind, sent, [raw(part) for part in data], path=path, **more))


def plus(*fields):
    return lambda usual: usual + list(fields)


def replaced(name, value):
    """`value` may hold the usual one as PATH."""
    def change(fields):
        usual = dict(fields).get(b":path", b"")
        return [(n, raw(value).replace(b"PATH", usual) if n == raw(name) else v)
                for n, v in fields]
    return change


def without(*names):
    return lambda fields: [field for field in fields if field[0].decode() not in names]


# What must pass.

add("a plain request", GOOD)
add("a value with all that is allowed", GOOD,
    plus(("x-value", "a !\"#$%&'()*+,-./:;<=>?@[]^`{|}~")))
add("an empty value", GOOD, plus(("x-empty", "")))
add("a tab within a value", GOOD, plus(("x-tab", "a\tb")))
add("a query", GOOD, replaced(":path", "PATH?a=b&c=%20d/?"))
add("escapes in the path stay escapes", GOOD, replaced(":path", "PATH/X:%20y/%2e%2e/%7f%23"))
add("a path's further characters", GOOD, replaced(":path", "PATH/:@!$&'()*+,;=-._~"))
add("cookies in crumbs", GOOD, plus(("cookie", "a=b"), ("cookie", "c=d"), ("cookie", "e=f")))
add("te: trailers", GOOD, plus(("te", "trailers")))
add("a body without a length", GOOD, data=["some ", "body"])
add("a body with its length", GOOD, plus(("content-length", "9")), data=["some ", "body"])
add("a body that looks like chunks", GOOD, data=["5\r\nhello\r\n0\r\n\r\n"])
add("a body that looks like a request", GOOD, data=[b"\r\n\r\n" + SMUGGLED])
add("an empty body in an empty frame", GOOD, data=[""])
add("a body whose length is 0", GOOD, plus(("content-length", "0")), data=[""])
add("trailers", GOOD, data=["body"], trailers=[("x-checksum", "abc")])
add("expect: 100-continue", GOOD, plus(("expect", "100-continue")), data=["body"])
add("several fields of one name", GOOD, plus(("x-a", "1"), ("x-b", "2"), ("x-a", "3")))

# Control characters, everywhere.

INJECTIONS = (
    ("CR LF and a field", "a\r\nx-smuggled: yes"), ("LF and a field", "a\nx-smuggled: yes"),
    ("a bare CR", "a\rb"), ("NUL", "a\0b"),
    ("CR LF and a request", b"a\r\n\r\n" + SMUGGLED),
)
for what, text in INJECTIONS:
    add(f"{what} in a value", BAD, plus(("x-value", text)))
    add(f"{what} in a name", BAD, plus((b"x-" + raw(text), "v")))
    add(f"{what} in :path", BAD, replaced(":path", b"PATH" + raw(text)))
    add(f"{what} in :method", BAD, replaced(":method", b"GET" + raw(text)))
    add(f"{what} in :authority", BAD, replaced(":authority", b"exam.test" + raw(text)))
    add(f"{what} in :scheme", BAD, replaced(":scheme", b"http" + raw(text)))
    add(f"{what} in a cookie", BAD, plus(("cookie", b"a=b" + raw(text)), ("cookie", "c=d")))
add("a request in :method", BAD, replaced(":method", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET"))
add("a version in :method", BAD, replaced(":method", "GET /smuggled HTTP/1.1\r\nx:"))
add("a version in :path", BAD, replaced(":path", "PATH HTTP/1.1\r\nHost: evil.test\r\nx: y"))
add("a folded value", BAD, plus(("x-value", "a\r\n b")))
add("a value that begins with LF", BAD, plus(("x-value", "\nx-smuggled: yes")))
add("a value that ends in CR", BAD, plus(("x-value", "a\r")))
for byte in (0x01, 0x08, 0x0B, 0x0C, 0x1B, 0x1F, 0x7F):
    add(f"{byte:#04x} in a value", EITHER,
        plus(("x-value", b"a" + bytes([byte]) + b"b")))
for byte in (0x80, 0xA0, 0xFF):
    add(f"{byte:#04x} in a value", EITHER, plus(("x-value", b"a" + bytes([byte]) + b"b")))
for what, text in (("a space", " "), ("a tab", "\t")):
    add(f"{what} before a value", BAD, plus(("x-value", text + "a")))
    add(f"{what} behind a value", BAD, plus(("x-value", "a" + text)))

# Names.

for what, name in (
    ("an empty name", ""), ("a colon within a name", "x:y"), ("a colon behind a name", "x-name:"),
    ("a space before a name", " x-name"), ("a space behind a name", "x-name "),
    ("a space within a name", "x name"), ("a tab behind a name", "x-name\t"),
    ("an upper-case name", "X-Name"), ("an upper-case letter in a name", "x-nAme"),
    ("a parenthesis in a name", "x(y)"), ("a quote in a name", 'x"y'), ("a slash in a name", "x/y"),
    ("DEL in a name", "x\x7fy"), ("0x80 in a name", "x\x80y"), ("0x0b in a name", "x\x0by"),
    ("a whole field as a name", "transfer-encoding: chunked"),
):
    add(what, BAD, plus((name, "value")))

# Lengths.

for what, length in (
    ("a sign +", "+4"), ("a sign -", "-4"), ("hexadecimal digits", "0x4"), ("a letter", "4a"),
    ("nothing", ""), ("a fraction", "4.0"), ("two values", "4, 4"), ("two other values", "4, 5"),
    ("an exponent", "4e0"), ("an underscore", "4_0"), ("2^64+4", "18446744073709551620"),
    ("a space before", " 4"), ("a space behind", "4 "), ("other digits", b"\xd9\xa4"),
    ("a semicolon", "4;"), ("NUL behind", "4\0"), ("CR LF behind", "4\r\n"),
):
    add(f"content-length with {what}", BAD, plus(("content-length", length)), data=["body"])
add("content-length with a leading zero", EITHER, plus(("content-length", "04")), data=["body"])
add("content-length below the body", EITHER, plus(("content-length", "2")), data=["body"])
add("content-length below the bodies", EITHER, plus(("content-length", "4")), data=["body", "more"])
add("content-length 0 with a body", EITHER, plus(("content-length", "0")), data=[SMUGGLED])
add("content-length below a smuggled request", EITHER, plus(("content-length", "4")),
    data=[b"body" + SMUGGLED])
add("content-length above the body", BAD, plus(("content-length", "9")), data=["body"])
add("content-length without a body", BAD, plus(("content-length", "4")))
add("content-length above, then trailers", BAD, plus(("content-length", "9")), data=["body"],
    trailers=[("x-checksum", "abc")])
add("content-length twice, equal", EITHER, plus(("content-length", "4"), ("content-length", "4")),
    data=["body"])
add("content-length twice, different", BAD, plus(("content-length", "4"), ("content-length", "5")),
    data=["body"])
add("content-length twice, the other as well", BAD,
    plus(("content-length", "5"), ("content-length", "4")), data=["body"])

# Transfer codings, and fields that belong to one connection.

for what, field in (
    ("chunked", ("transfer-encoding", "chunked")), ("identity", ("transfer-encoding", "identity")),
    ("a list", ("transfer-encoding", "gzip, chunked")),
    ("xchunked", ("transfer-encoding", "xchunked")),
    ("a tab before", ("transfer-encoding", "\tchunked")),
    ("Chunked", ("transfer-encoding", "Chunked")),
    ("an upper-case name", ("Transfer-Encoding", "chunked")),
    ("a space in the name", ("transfer-encoding ", "chunked")),
    ("nothing", ("transfer-encoding", "")), ("0x0b before", ("transfer-encoding", "\x0bchunked")),
):
    add(f"transfer-encoding: {what}", BAD, plus(field), data=[CHUNKED])
add("transfer-encoding with content-length", BAD,
    plus(("transfer-encoding", "chunked"), ("content-length", str(len(CHUNKED)))), data=[CHUNKED])
add("transfer-encoding through a value", BAD, plus(("x", "y\r\ntransfer-encoding: chunked")),
    data=[CHUNKED])
add("transfer-encoding through a name", BAD, plus(("x: y\r\ntransfer-encoding", "chunked")),
    data=[CHUNKED])
add("transfer_encoding", EITHER, plus(("transfer_encoding", "chunked")), data=[CHUNKED])
for name, value in (
    ("connection", "close"), ("connection", "keep-alive"), ("connection", "x-forwarded-for"),
    ("connection", "host"), ("connection", "te, transfer-encoding"), ("keep-alive", "timeout=5"),
    ("proxy-connection", "keep-alive"), ("upgrade", "h2c"), ("upgrade", "websocket"),
    ("te", "gzip"), ("te", "trailers, gzip"), ("te", "trailers;q=0.5"),
):
    add(f"{name}: {value}", BAD, plus((name, value)))
add("connection with content-length", BAD,
    plus(("connection", "content-length"), ("content-length", "4")), data=["body"])
add("upgrade with connection and http2-settings", BAD,
    plus(("connection", "upgrade, http2-settings"), ("upgrade", "h2c"),
         ("http2-settings", "AAMAAABk")))

# Pseudo-headers.

for name, value in ((":method", "GET"), (":path", "/other"), (":scheme", "https"),
                    (":authority", "evil.test")):
    add(f"{name} twice", BAD, lambda fields, f=(name, value): fields + [f])
    add(f"{name} twice, the other one first", BAD, lambda fields, f=(name, value): [f] + fields)
    add(f"{name} after a regular field", BAD, lambda fields, n=raw(name): (
        [f for f in fields if f[0] != n] + [("x-regular", "1")] + [f for f in fields if f[0] == n]))
    if name != ":authority":
        add(f"without {name}", BAD, without(name))
    add(f"an empty {name}", BAD if name != ":authority" else EITHER, replaced(name, ""))
for name, value in ((":evil", "1"), (":status", "200"), (":", "x"), (":Method", "GET"),
                    (":protocol", "websocket"), (":path ", "/other")):
    add(f"the pseudo-header {name!r}", BAD, lambda fields, f=(name, value): fields + [f])
add("without :authority, with host", EITHER,
    lambda fields: without(":authority")(fields) + [("host", "exam.test")])
add("with neither :authority nor host", EITHER, without(":authority"))
add("a host that is the same", EITHER, plus(("host", "exam.test")))
add("a host that is another", EITHER, plus(("host", "evil.test")))
add("two hosts", BAD, plus(("host", "exam.test"), ("host", "evil.test")))
add("two hosts without :authority", BAD,
    lambda fields: without(":authority")(fields) + [("host", "a.test"), ("host", "b.test")])
for what, host in (
    ("a space", "exam.test evil"), ("a user", "user@exam.test"), ("a path", "exam.test/evil"),
    ("a query", "exam.test?evil"), ("a fragment", "exam.test#evil"), ("a list", "a.test,b.test"),
    ("a port that is none", "exam.test:http"), ("a bracket", "[::1"), ("a backslash", "exam\\test"),
):
    kind = EITHER if what == "a list" else BAD
    add(f":authority with {what}", kind, replaced(":authority", host))
for what, scheme in (("a URL", "http://evil.test/x?"), ("a space", "http evil"),
                     ("a colon", "http:")):
    add(f":scheme with {what}", BAD, replaced(":scheme", scheme))
add(":scheme that is another", EITHER, replaced(":scheme", "ftp"))
for what, path in (
    ("in absolute form", "http://evil.testPATH"), ("without a slash", "evilPATH"),
    ("that is *", "*"), ("with a space", "PATH /x"), ("with a version", "PATH HTTP/1.1"),
    ("with a tab", "PATH\tx"), ("with a fragment", "PATH#x"), ("that is a query", "?PATH"),
    ("that begins with @", "@evil.testPATH"), ("that begins with a space", " PATH"),
):
    add(f":path {what}", BAD, replaced(":path", path))
for what, path in (
    ("with a backslash", "PATH\\..\\x"), ("with two slashes", "/PATH"), ("with quotes", 'PATH"<>'),
    ("with bytes beyond ASCII", b"PATH\xc3\xa9"), ("with DEL", "PATH\x7f"),
    ("with dots", "PATH/../x"),
    ("with an escaped NUL", "PATH%00"), ("with escaped CR LF", "PATH%0d%0aX:%20y"),
    ("with braces", "PATH{|}^`"),
):
    add(f":path {what}", EITHER, replaced(":path", path))
for what, method in (
    ("a space", "GE T"), ("a tab", "GET\t"), ("a parenthesis", "G(T"), ("a colon", "GET:"),
    ("a target", "GET /evil"), ("a byte beyond ASCII", b"G\xc9T"), ("a slash", "GET/"),
):
    add(f":method with {what}", BAD, replaced(":method", method))
add(":method in lower case", EITHER, replaced(":method", "get"))
add("PRI", EITHER, replaced(":method", "PRI"))

# CONNECT.

for what, change in (
    ("with :scheme and :path", lambda fields: fields),
    ("without :authority", without(":scheme", ":path", ":authority")),
    ("to a path", lambda fields: replaced(":authority", "/evil")(
        without(":scheme", ":path")(fields))),
):
    add(f"CONNECT {what}", BAD, change, method="CONNECT")
add("CONNECT to a host", EITHER, lambda fields: replaced(":authority", "evil.test:25")(
    without(":scheme", ":path")(fields)), method="CONNECT")
add("CONNECT with a body", EITHER, lambda fields: replaced(":authority", "evil.test:25")(
    without(":scheme", ":path")(fields)), method="CONNECT", data=[SMUGGLED])
add("CONNECT for an unknown :protocol", BAD, lambda fields: fields[:1] + [(":protocol", "evil")]
    + fields[1:], method="CONNECT")

# Trailers, and what comes too late.

for what, field in (
    ("transfer-encoding", ("transfer-encoding", "chunked")), ("a pseudo-header", (":path", "/x")),
    ("connection", ("connection", "close")), ("an upper-case name", ("X-Upper", "x")),
    ("a space in a name", ("x name", "x")), ("CR LF in a value", ("x", "a\r\nx-smuggled: 1")),
    ("a request in a value", ("x", b"a\r\n\r\n" + SMUGGLED)), ("NUL in a value", ("x", "a\0")),
    ("CR LF in a name", ("x: y\r\nz", "a")), ("an empty name", ("", "a")),
):
    add(f"{what} among trailers", BAD, data=["body"], trailers=[field])
for name, value in (("content-length", "9"), ("host", "evil.test"), ("te", "trailers"),
                    ("trailer", "x"), ("authorization", "evil"), ("cookie", "a=b")):
    add(f"{name} among trailers", EITHER, data=["body"], trailers=[(name, value)])
add("trailers without END_STREAM", BAD, data=["body"], trailers=[("x-a", "b")], beyond="open")
add("DATA after END_STREAM", EITHER, data=["body"], beyond="data")
add("DATA after END_STREAM in HEADERS", EITHER, beyond="data")
add("HEADERS after END_STREAM", EITHER, data=["body"], beyond="headers")
add("a second request on the same stream", EITHER, beyond="request")
add("a stream that is reset within its body", EITHER, data=["body"], beyond="reset")
add("a body with a method that has none", EITHER, data=["body"], method="TRACE")
add("a body of GET that is a request", EITHER, data=[SMUGGLED], method="GET")
add("a body of HEAD", EITHER, data=["body"], method="HEAD")
