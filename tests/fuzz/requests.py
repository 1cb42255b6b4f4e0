"""Requests that are nearly right, as bytes: of every part some that are wrong, and then spoilt once more."""

from hypothesis import strategies as st

BODY = b'{"alertId": "FUZZ", "alertType": "CUSTOMERDISPUTE"}'
NAMES = (
    b"Host", b"Content-Length", b"Transfer-Encoding", b"Content-Type", b"Content-Encoding", b"Connection", b"Expect",
    b"Upgrade", b"HTTP2-Settings", b"Authorization", b"X-API-Key", b"X-Client-Cert", b"X-Client-Address",
    b"Client-Cert",
    b"X-Forwarded-For", b"Trailer", b"TE", b"X_Client_Cert", b"Keep-Alive", b"Range", b"Cookie", b"Proxy-Connection",
)  # fmt: skip
VALUES = (
    b"", b"0", b"5", b"51", b"-1", b"+5", b"5, 5", b"99999999999999999999", b"0x5", b"chunked", b"gzip, chunked",
    b"chunked, x",
    b"identity", b"close", b"keep-alive", b"upgrade", b"h2c", b"100-continue", b"application/json", b"text/html",
    b"gzip",
    b"Basic", b"Basic ====", b"Basic " + b"A" * 3000, b"Bearer x", b"%00%ff", b"-----BEGIN%20CERTIFICATE-----%0AAA%0A",
    b"websocket", b"AAMAAABkAAQAoAAAAAIAAAAA", b"trailers", b"\xff\xfe", b"a\0b", b"x" * 9000, b"\xc3\xa9",
)  # fmt: skip
METHODS = st.sampled_from(
    [b"POST"] * 6 + [b"GET", b"PUT", b"OPTIONS", b"HEAD", b"PRI", b"CONNECT", b"post", b"\0", b"P" * 40]
)
TARGETS = st.sampled_from(
    [b"/push/ethoca"] * 6
    + [
        b"/push/reseller",
        b"/api/push/alerts",
        b"*",
        b"//push/ethoca",
        b"/push/%65thoca",
        b"https://x/push/ethoca",
        b"/%ff%00",
    ]
    + [b"/push/ethoca?%", b"/../push/ethoca", b"x:1", b"/" + b"x" * 5000, b"/\xff", b"http://[::1", b"/push/ethoca#x"]
)
VERSIONS = st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"", b"HTTP/1.1 x"])
ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n", b""])
COLONS = st.sampled_from([b": "] * 8 + [b":", b" : ", b"\t:", b""])


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Draw one header line."""
    name = draw(st.sampled_from(NAMES) | st.binary(min_size=1, max_size=8))
    value = draw(st.sampled_from(VALUES) | st.binary(max_size=20))
    return name + draw(COLONS) + value + draw(ENDS)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a body: plain, in chunks that are nearly right, or anything."""
    plain = draw(
        st.sampled_from([BODY, b"{}", b"[", b"null", b"\xff", b'{"alertId": 1e999}']) | st.binary(max_size=200)
    )
    if draw(st.booleans()):
        return plain
    size = draw(
        st.sampled_from([b"%x" % len(plain)] * 4 + [b"0", b"-1", b"ffffffffffffffffff", b"5;a=b", b"5;\n", b" 5", b""])
    )
    end = draw(
        st.sampled_from(
            [b"0\r\n\r\n"] * 4 + [b"0\r\nX: y\r\n\r\n", b"0\n\n", b"0\r\n", b"0\r\nContent-Length: 5\r\n\r\n"]
        )
    )
    return size + b"\r\n" + plain + b"\r\n" + end


@st.composite
def requests(draw: st.DrawFn, credentials: bytes) -> bytes:
    """Draw one request or several behind each other; mostly with the right credentials, so that it gets far."""
    whole = b""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(METHODS) + b" " + draw(TARGETS) + b" " + draw(VERSIONS) + draw(ENDS)
        body = draw(bodies())
        right = credentials + b"Host: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        head = b"".join(draw(st.lists(lines(), max_size=6)))
        whole += start + draw(st.sampled_from([right, right, credentials, b""])) + head + b"\r\n" + body
    if draw(st.booleans()):
        place = draw(st.integers(0, len(whole)))
        whole = whole[:place] + draw(st.binary(max_size=6)) + whole[place + draw(st.integers(0, 6)) :]
    return whole
