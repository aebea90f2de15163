"""PROXY protocol headers, right and wrong, as a table: name, bytes, and what must come of them.

An address means that the request is answered and the server is told this client; None that the
connection is closed; EITHER leaves it to the proxy.
"""

import socket
import struct

CASES = []
EITHER = "either"
# Whoever really connects: the exam itself.
SELF = "127.0.0.1"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PLAIN4, PLAIN6 = "192.0.2.7", "2001:db8::7"


def add(name, header, expect, cut=False):
    """`cut`: nothing follows the header, and the client has no more to say."""
    CASES.append((name, header, expect, cut))


# Version 1.


def v1(text, expect, name=None):
    header = text.encode("latin-1") + b"\r\n"
    add(f"v1: {name or repr(text)}", header, expect)


v1("PROXY TCP4 192.0.2.7 198.51.100.1 51234 443", PLAIN4)
v1("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535", "255.255.255.255")
v1("PROXY TCP4 192.0.2.7 198.51.100.1 1 0", EITHER)
v1("PROXY TCP6 2001:db8::7 2001:db8::1 51234 443", PLAIN6)
v1("PROXY TCP6 ::1 ::1 1024 80", "::1")
v1("PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0007 2001:db8::1 1024 80", PLAIN6)
v1("PROXY TCP6 ffff:f00f:ffff:ffff:ffff:ffff:ffff:ffff "
   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
   "ffff:f00f:ffff:ffff:ffff:ffff:ffff:ffff", "the longest TCP6")
v1("PROXY UNKNOWN", SELF)
v1("PROXY UNKNOWN ffff:f00f:ffff:ffff:ffff:ffff:ffff:ffff "
   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535", SELF, "the longest UNKNOWN, 107 bytes")
v1("PROXY UNKNOWN what a receiver must ignore", SELF)
for wrong in (
    "proxy TCP4 192.0.2.7 198.51.100.1 51234 443", "PROXY tcp4 192.0.2.7 198.51.100.1 51234 443",
    "PROXY  TCP4 192.0.2.7 198.51.100.1 51234 443", "PROXY TCP4  192.0.2.7 198.51.100.1 51234 443",
    "PROXY\tTCP4\t192.0.2.7\t198.51.100.1\t51234\t443",
    "PROXY TCP4 192.0.2.7 198.51.100.1 51234 443 ", "PROXY TCP4 192.0.2.7 198.51.100.1 51234 443 x",
    " PROXY TCP4 192.0.2.7 198.51.100.1 51234 443", "PROXY TCP5 192.0.2.7 198.51.100.1 51234 443",
    "PROXY TCP4 192.0.2.7 198.51.100.1 65536 443", "PROXY TCP4 192.0.2.7 198.51.100.1 51234 65536",
    "PROXY TCP4 192.0.2.7 198.51.100.1 -1 443", "PROXY TCP4 192.0.2.7 198.51.100.1 +1 443",
    "PROXY TCP4 192.0.2.7 198.51.100.1 0x50 443", "PROXY TCP4 192.0.2.7 198.51.100.1 51234",
    "PROXY TCP4 192.0.2.7 198.51.100.1", "PROXY TCP4 192.0.2.7", "PROXY TCP4", "PROXY",
    "PROXY TCP4 192.0.2.7 198.51.100.1 a 443", "PROXY TCP4 192.0.2.7 198.51.100.1  443",
    "PROXY TCP4 256.0.2.7 198.51.100.1 51234 443", "PROXY TCP4 192.0.2 198.51.100.1 51234 443",
    "PROXY TCP4 192.0.2.7.8 198.51.100.1 51234 443", "PROXY TCP4 192.0.2.7 198.51.100.x 51234 443",
    "PROXY TCP4 192.0.2.0x7 198.51.100.1 51234 443", "PROXY TCP4 3221225991 198.51.100.1 51234 443",
    "PROXY TCP4 2001:db8::7 2001:db8::1 51234 443", "PROXY TCP6 192.0.2.7 198.51.100.1 51234 443",
    "PROXY TCP6 2001:db8::7 198.51.100.1 51234 443", "PROXY TCP6 2001:db8:::7 ::1 51234 443",
    "PROXY TCP6 2001:db8::7::1 ::1 51234 443", "PROXY TCP6 12345::7 ::1 51234 443",
    "PROXY TCP6 [2001:db8::7] [::1] 51234 443", "PROXY TCP6 fe80::1%eth0 ::1 51234 443",
    "PROXY TCP4 192.0.2.7\0 198.51.100.1 51234 443", "PROXY TCP4 localhost localhost 51234 443",
):
    v1(wrong, None)
for doubtful in (
    "PROXY TCP4 192.0.2.07 198.51.100.1 51234 443", "PROXY TCP4 192.0.2.7 198.51.100.1 051234 443",
    "PROXY TCP6 ::ffff:192.0.2.7 ::1 51234 443", "PROXY UNKNOWN ",
):
    v1(doubtful, EITHER)
GOOD_V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n"
add("v1: only LF ends the line", GOOD_V1.replace(b"\r\n", b"\n"), None)
add("v1: only CR ends the line", GOOD_V1.replace(b"\r\n", b"\r"), None)
add("v1: a line of 108 bytes", b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", None)
add("v1: a line that does not end", b"PROXY UNKNOWN " + b"x" * 5000, None)
add("v1: two headers", GOOD_V1 * 2, None)
add("v1: cut within the word", b"PROX", None, cut=True)
add("v1: cut within the addresses", GOOD_V1[:25], None, cut=True)
add("v1: cut before the LF", GOOD_V1[:-1], None, cut=True)
add("no header", b"", None)
add("no header, and a line before the request", b"\r\n", None)
add("a TLS record", b"\x16\x03\x01\x00\x05hello", None)

# Version 2.


def crc32c(data):
    """CRC32C (Castagnoli), bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def addresses(family, source, target="198.51.100.1", ports=(51234, 443)):
    pack = lambda text: socket.inet_pton(family, text)
    return pack(source) + pack(target) + struct.pack(">HH", *ports)


TCP4 = addresses(socket.AF_INET, PLAIN4)
TCP6 = addresses(socket.AF_INET6, PLAIN6, "2001:db8::1")
UNIX = b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0")


def v2(name, expect, body=TCP4, family=0x11, command=0x21, length=None, cut=False, only=None):
    size = len(body) if length is None else length
    header = SIGNATURE + struct.pack(">BBH", command, family, size) + body
    add(f"v2: {name}", header[:only], expect, cut)


def with_checksum(extra=b"", change=0):
    """The header's body with a checksum of the whole header, which `change` spoils."""
    empty = TCP4 + extra + tlv(3, bytes(4))
    whole = SIGNATURE + struct.pack(">BBH", 0x21, 0x11, len(empty)) + empty
    return TCP4 + extra + tlv(3, struct.pack(">I", crc32c(whole) ^ change))


SSL = tlv(0x20, b"\x07\0\0\0\0" + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"client.test"))
v2("TCP over IPv4", PLAIN4)
v2("TCP over IPv6", PLAIN6, TCP6, 0x21)
v2("LOCAL", SELF, b"", 0x00, 0x20)
v2("LOCAL with addresses, to be ignored", SELF, TCP4, 0x11, 0x20)
v2("LOCAL with bytes, to be ignored", SELF, b"ignore this", 0x00, 0x20)
# The protocol leaves it to the receiver.
v2("PROXY of an unspecified family", EITHER, b"", 0x00)
v2("PROXY of an unspecified family, with bytes", EITHER, b"ignore this", 0x00)
v2("UNIX", EITHER, UNIX, 0x31)
v2("UDP over IPv4", EITHER, TCP4, 0x12)
v2("UDP over IPv6", EITHER, TCP6, 0x22)
v2("ALPN", PLAIN4, TCP4 + tlv(1, b"h2"))
v2("AUTHORITY", PLAIN4, TCP4 + tlv(2, b"shop.test"))
v2("a unique id", PLAIN4, TCP4 + tlv(5, b"id-0123456789"))
v2("a unique id that is too long", EITHER, TCP4 + tlv(5, b"i" * 129))
v2("NOOP", PLAIN4, TCP4 + tlv(4, bytes(20)))
v2("SSL with its parts", PLAIN4, TCP4 + SSL)
v2("SSL that is cut short", EITHER, TCP4 + tlv(0x20, b"\x07\0"))
v2("SSL whose part is too long", EITHER, TCP4 + tlv(0x20, b"\x07\0\0\0\0\x21\x00\xff1"))
v2("a network namespace", PLAIN4, TCP4 + tlv(0x30, b"blue"))
v2("a TLV for own use", PLAIN4, TCP4 + tlv(0xEA, b"\x01vpce-0123"))
v2("an unknown TLV", PLAIN4, TCP4 + tlv(0x77, b"?"))
v2("an empty TLV", PLAIN4, TCP4 + tlv(0xE0, b""))
v2("all of them", PLAIN4, TCP4 + tlv(1, b"h2") + tlv(2, b"shop.test") + SSL + tlv(0xE1, b"x"))
v2("IPv6 with TLVs", PLAIN6, TCP6 + tlv(1, b"h2") + SSL, 0x21)
v2("TLVs up to 500 bytes", PLAIN4, TCP4 + tlv(4, bytes(480)))
v2("TLVs up to 1,500 bytes", EITHER, TCP4 + tlv(4, bytes(1480)))
v2("TLVs up to 65,535 bytes", EITHER, TCP4 + tlv(4, bytes(65535 - 12 - 3)))
v2("CRC32C that is right", PLAIN4, with_checksum())
v2("CRC32C that is right, behind others", PLAIN4, with_checksum(tlv(1, b"h2") + SSL))
v2("CRC32C that is wrong", None, with_checksum(change=1))
v2("CRC32C that is wrong, behind others", None, with_checksum(tlv(1, b"h2"), 0x80000000))
v2("CRC32C of 0", None, TCP4 + tlv(3, bytes(4)))
v2("CRC32C of 3 bytes", None, TCP4 + tlv(3, bytes(3)))
v2("CRC32C of 5 bytes", None, TCP4 + tlv(3, bytes(5)))
v2("a TLV that is longer than the header", None, TCP4 + b"\x01\x00\x09h2")
v2("a TLV that is longer by one", None, TCP4 + b"\x01\x00\x03h2")
v2("a TLV of two bytes", None, TCP4 + b"\x04\x00")
v2("a TLV of one byte", None, TCP4 + b"\x04")
v2("IPv4 with 11 bytes", None, TCP4[:11])
v2("IPv4 without addresses", None, b"")
v2("IPv6 with 35 bytes", None, TCP6[:35], 0x21)
v2("IPv6 with the addresses of IPv4", None, TCP4, 0x21)
v2("UNIX with 215 bytes", None, UNIX[:215], 0x31)
v2("version 0", None, command=0x01)
v2("version 1", None, command=0x11)
v2("version 3", None, command=0x31)
v2("command 2", None, command=0x22)
v2("command 15", None, command=0x2F)
v2("family 4", None, family=0x41)
v2("family 15", None, family=0xF1)
v2("protocol 3", None, family=0x13)
v2("a length beyond what comes", None, length=400, cut=True)
v2("a length of 65,535 and little more", None, length=65535, cut=True)
v2("cut within the signature", None, only=7, cut=True)
v2("cut behind the signature", None, only=12, cut=True)
v2("cut within the addresses", None, only=20, cut=True)
for at in (0, 4, 6, 11):
    spoilt = bytearray(SIGNATURE)
    spoilt[at] ^= 0x01
    add(f"v2: byte {at} of the signature is wrong",
        bytes(spoilt) + struct.pack(">BBH", 0x21, 0x11, 12) + TCP4, None)
GOOD_V2 = SIGNATURE + struct.pack(">BBH", 0x21, 0x11, 12) + TCP4
add("v2: two headers", GOOD_V2 * 2, None)
add("v2: version 1 behind it", GOOD_V2 + GOOD_V1, None)
add("v1: version 2 behind it", GOOD_V1 + GOOD_V2, None)
