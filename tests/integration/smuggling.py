"""Requests that try to bring along somebody else's certificate, or a second request that nobody checks."""

from collections.abc import Iterator
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.integration.door import Sender
from tests.integration.raw import request
from tests.unit.test_door_handed import aws, field

# The headers of all proxies that anybody might have heard of.
ESCAPED = (
    "X-Client-Cert", "x-client-cert", "X_Client_Cert", "X-SSL-Client-Cert", "SSL-Client-Cert", "X-SSL-CERT",
    "X-Forwarded-Client-Cert", "X-ARR-ClientCert", "X-Client-Certificate", "X-Forwarded-Tls-Client-Cert",
    "X-Amzn-Mtls-Clientcert", "X-Amzn-Mtls-Clientcert-Leaf", "X_Amzn_Mtls_Clientcert_Leaf",
    "x-amzn-mtls-clientcert-leaf",
)  # fmt: skip
FIELDS = ("Client-Cert", "client-cert", "Client_Cert", "CLIENT-CERT")


def certificate_lines(certificate: x509.Certificate) -> Iterator[tuple[str, list[bytes]]]:
    """Yield header lines that claim the certificate, under a name for each attempt."""
    pem = certificate.public_bytes(Encoding.PEM)
    escaped, own = quote(pem, safe="").encode(), field(certificate).encode()
    for name in ESCAPED:
        yield name, [f"{name}: {aws(pem)}".encode()]
        yield f"{name}, all escaped", [name.encode() + b": " + escaped]
    for name in FIELDS:
        yield name, [name.encode() + b": " + own]
    for shown, value in (("X-Client-Cert", escaped), ("Client-Cert", own), ("X-Amzn-Mtls-Clientcert-Leaf", escaped)):
        header = shown.encode()
        yield f"{shown} twice", [header + b": " + value, header + b": " + value]
        yield f"{shown} empty, then full", [header + b":", header + b": " + value]
        yield f"{shown}, both spellings", [header + b": x", header.replace(b"-", b"_") + b": " + value]
        yield f"{shown}, a space before the colon", [header + b" : " + value]
        yield f"{shown}, a tab before the colon", [header + b"\t: " + value]
        yield f"{shown}, folded", [b"X-Other: a", b" " + header + b": " + value]
        yield f"{shown}, folded value", [header + b":", b"\t" + value]
        yield f"{shown} behind a bare LF", [b"X-Other: a\n" + header + b": " + value]
        yield f"{shown} behind a bare CR", [b"X-Other: a\r" + header + b": " + value]
        yield f"{shown} behind a NUL", [b"X-Other: a\0" + header + b": " + value]
        yield f"{shown} with a letter that grows", [header.replace(b"t", b"\xc5\xa3") + b": " + value]
        yield f"{shown} named in Connection", [header + b": " + value, b"Connection: " + header]
        yield f"{shown} in a trailer", [b"Trailer: " + header, b"TE: trailers", header + b": " + value]


def framings(sender: Sender, certificate: x509.Certificate) -> Iterator[tuple[str, bytes]]:
    """Yield requests whose length can be read in two ways, with a second request inside."""
    claim = b"X-Client-Cert: " + quote(certificate.public_bytes(Encoding.PEM), safe="").encode()
    inner = request(sender, claim)
    start = b"POST /push/ethoca HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunks = b"0\r\n\r\n" + inner
    size = b"%d" % len(chunks)
    for name, lines in {
        "CL and TE": [b"Content-Length: " + size, b"Transfer-Encoding: chunked"],
        "TE and CL": [b"Transfer-Encoding: chunked", b"Content-Length: " + size],
        "two lengths": [b"Content-Length: 5", b"Content-Length: " + size],
        "a list of lengths": [b"Content-Length: 5, " + size],
        "a signed length": [b"Content-Length: +" + size],
        "a hexadecimal length": [b"Content-Length: 0x5"],
        "a length with a space": [b"Content-Length : 5"],
        "an underscore": [b"Content_Length: 5"],
        "two codings": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        "chunked twice": [b"Transfer-Encoding: chunked, chunked"],
        "an unknown coding": [b"Transfer-Encoding: xchunked"],
        "a tab before chunked": [b"Transfer-Encoding:\tchunked", b"Content-Length: " + size],
        "a vertical tab": [b"Transfer-Encoding: \x0bchunked"],
        "a folded coding": [b"Transfer-Encoding:", b" chunked"],
        "a space before the colon": [b"Transfer-Encoding : chunked"],
        "chunked in HTTP/1.0": [b"X: y", b"Transfer-Encoding: chunked"],
        "quoted": [b'Transfer-Encoding: "chunked"'],
    }.items():
        head = start if "HTTP/1.0" not in name else start.replace(b"HTTP/1.1", b"HTTP/1.0")
        yield name, head + b"\r\n".join(lines) + b"\r\n\r\n" + chunks
    chunked = start + b"Transfer-Encoding: chunked\r\n\r\n"
    yield "a chunk size that overflows", chunked + b"10000000000000000\r\n" + inner
    yield "a negative chunk size", chunked + b"-1\r\n" + inner
    yield "a chunk ended by a bare LF", chunked + b"0\n\n" + inner
    yield "a chunk extension with a bare CR", chunked + b"0;a\rb\r\n\r\n" + inner
    yield "a bare LF everywhere", inner.replace(b"\r\n", b"\n")
    yield "an absolute target", inner.replace(b"POST /push", b"POST https://localhost/push")
    yield "a target with a space", inner.replace(b"/push/ethoca HTTP", b"/push/ethoca x HTTP")
