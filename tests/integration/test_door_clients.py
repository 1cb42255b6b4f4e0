"""Senders of every make: what each negotiates, whether it resumes, and that it sees a clean end of its connection."""

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from tests.conftest import CertificateFiles
from tests.gunicorn import Process
from tests.integration.door import ETHOCA_BODY, Equipment, Sender
from tests.integration.raw import connected, read_to_the_end, request
from tests.programs import require_program

STRICT_SENDER = Path(__file__).with_name("StrictSender.java")


@pytest.fixture
def sender(door: Process, equipment: Equipment) -> Sender:
    """Return the sender that the source `ethoca` expects."""
    return equipment.ethoca(door)


ENDINGS: dict[str, tuple[Callable[[bytes], bytes], bytes]] = {
    "acknowledged": (lambda data: data, b"200"),
    "no password": (lambda data: data.replace(b"Authorization", b"X-Other"), b"401"),
    "too large": (lambda data: data.replace(b"Content-Length: ", b"Content-Length: 99999999"), b"413"),
    "not JSON": (lambda data: data.replace(b"application/json", b"text/plain"), b"415"),
    "unreadable head": (lambda data: data.replace(b"Host:", b"Host :"), b"400"),
    "unreadable line": (lambda data: b"\0" + data, b"400"),
    "too long a line": (lambda data: data.replace(b"/push", b"/" + b"x" * 5000), b"414"),
    "too long a header": (lambda data: data.replace(b"Host:", b"X: " + b"x" * 33_000 + b"\r\nHost:"), b"431"),
    "unknown expectation": (lambda data: data.replace(b"Host:", b"Expect: miracles\r\nHost:"), b"417"),
    "unknown coding": (lambda data: data.replace(b"Host:", b"Transfer-Encoding: brotli\r\nHost:"), b"400"),
}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_python_sees_a_clean_end(sender: Sender, version: ssl.TLSVersion) -> None:
    """After an acknowledgement as after each refusal there is a whole answer, in the envelope, and a close_notify."""
    context = sender.context()
    context.minimum_version = context.maximum_version = version
    for name, (spoil, status) in ENDINGS.items():
        with connected(sender, context) as connection:
            connection.sendall(spoil(request(sender)))
            answer = read_to_the_end(connection)
            assert answer.startswith(b"HTTP/1.1 " + status), (name, answer)
            assert (b'{"Errors":{"Error":[' in answer) == (status != b"200"), (name, answer)
            assert b"X-Request-Id: " in answer, name
            assert b"miracles" not in answer
            connection.unwrap()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(sender: Sender, version: ssl.TLSVersion) -> None:
    """A sender that comes again resumes its session by its ticket, and is known by its certificate as before."""
    context = sender.context()
    context.minimum_version = context.maximum_version = version
    with connected(sender, context) as connection:
        connection.sendall(request(sender))
        assert read_to_the_end(connection).startswith(b"HTTP/1.1 200")
        session = connection.session
    with connected(sender, context, session) as connection:
        assert connection.session_reused
        connection.sendall(request(sender))
        assert read_to_the_end(connection).startswith(b"HTTP/1.1 200")


def s_client(sender: Sender, *options: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run OpenSSL's own client as this sender."""
    assert sender.pair is not None
    openssl = require_program("openssl", "openssl")
    command = [
        openssl, "s_client", "-connect", f"127.0.0.1:{sender.port}", "-servername", "localhost",
        "-CAfile", str(sender.ca), "-cert", str(sender.pair.certificate), "-key", str(sender.pair.key),
        "-verify_return_error", *options,
    ]  # fmt: skip
    return subprocess.run(command, input=data, capture_output=True, timeout=30, check=False)


def test_openssl_sees_a_clean_end(sender: Sender) -> None:
    """OpenSSL 3 reports a connection that ends without close_notify; ours do end with it."""
    for version in ("-tls1_2", "-tls1_3"):
        ended = s_client(sender, version, "-quiet", "-ign_eof", data=request(sender))
        assert ended.stdout.startswith(b"HTTP/1.1 200"), ended
        assert ended.returncode == 0, ended.stderr
        assert b"unexpected eof" not in ended.stderr


def test_openssl_resumes(sender: Sender, tmp_path: Path) -> None:
    """OpenSSL's client resumes with the ticket it was given."""
    file = str(tmp_path / "session")
    for version in ("-tls1_2", "-tls1_3"):
        s_client(sender, version, "-ign_eof", "-sess_out", file, data=request(sender))
        again = s_client(sender, version, "-ign_eof", "-sess_in", file, data=request(sender))
        assert b"\nReused, TLSv1" in again.stdout, again.stdout
        assert b"HTTP/1.1 200" in again.stdout


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_openssl_with_old_versions(sender: Sender, version: str) -> None:
    """TLS 1.0 and 1.1 are refused even to a client that would accept anything."""
    ended = s_client(sender, version, "-cipher", "ALL:@SECLEVEL=0")
    assert ended.returncode != 0
    assert b"alert protocol version" in ended.stderr, ended.stderr


@pytest.mark.parametrize("ciphers", ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "NULL", "DHE+AESGCM"])
def test_weak_ciphers_are_refused(sender: Sender, ciphers: str) -> None:
    """In TLS 1.2 there is no connection without forward secrecy and authenticated encryption."""
    ended = s_client(sender, "-tls1_2", "-cipher", f"{ciphers}:@SECLEVEL=0")
    assert ended.returncode != 0
    assert b"handshake failure" in ended.stderr, ended.stderr


def test_java_sees_a_clean_end(sender: Sender, certificates: CertificateFiles, tmp_path: Path) -> None:
    """Java's client, which takes an end without close_notify for an attack, pushes and reads to the end."""
    require_program("javac", "default-jdk-headless")
    java = require_program("java", "default-jdk-headless")
    certificate = x509.load_pem_x509_certificate(certificates.client.certificate.read_bytes())
    key = load_pem_private_key(certificates.client.key.read_bytes(), password=None)
    bundle = tmp_path / "client.p12"
    bundle.write_bytes(
        serialize_key_and_certificates(b"client", key, certificate, None, BestAvailableEncryption(b"made-up"))  # type: ignore[arg-type]  # a key that PKCS 12 can hold
    )
    command = [
        java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", str(STRICT_SENDER), str(sender.port), str(bundle), "made-up",
        str(sender.ca), sender.headers["Authorization"], ETHOCA_BODY.decode(),
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["HTTP/1.1 200 OK"] * 8
