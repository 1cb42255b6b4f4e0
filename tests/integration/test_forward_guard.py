"""Where deliveries go, over what, and what of them and of their answers is kept."""

import os
import resource
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pytest
from structlog.testing import capture_logs

from schemas.downstream.subscription import Credentials
from schemas.settings.forwarding import Forwarding
from tests.conftest import CertificateFiles
from tests.gunicorn import wait_for
from tests.integration.conftest import Query
from tests.integration.downstream import QUICK, SECRET, Receiver, announce, deliver, run_receiver, subscribe, tuned
from workers.delivery.forward import Forwarder
from workers.settings import Workshop

STRICT = Forwarding(schedule=(60,), allow_http=True)
PAUSE = 0.2  # seconds between the pieces of an answer
PUBLIC = "203.0.113.7"  # of a documentation network: nobody is there, and it is not public either


def resolve_to(*addresses: str) -> Any:  # noqa: ANN401 - a resolver
    """Return a resolver that answers everything with these addresses, a call after the other when there are several."""
    calls: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[tuple[Any, ...]]:
        address = addresses[min(len(calls), len(addresses) - 1)]
        calls.append((host, port))
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port, 0, 0) if ":" in address else (address, port))]

    resolve.calls = calls  # type: ignore[attr-defined]  # for the test to look at
    return resolve


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"])  # noqa: S104, E501 # fmt: skip
def test_no_way_of_writing_leads_to_loopback(workshop: Workshop, receiver: Receiver, query: Query, host: str) -> None:
    """By the system's own resolver: whatever a URL calls this machine, nothing arrives."""
    strict = tuned(workshop, STRICT)
    subscribe(strict, receiver.url.replace("127.0.0.1", host))
    announce(strict, "alert.created")
    assert deliver(strict, 1) == {"again": 1}
    assert receiver.received == []
    assert "public" in query("SELECT error FROM attempts")[0]["error"]


def test_a_name_that_resolves_to_loopback_gets_no_connection(
    workshop: Workshop, receiver: Receiver, query: Query
) -> None:
    """The address decides, not the name, and no connection is even begun."""
    strict = tuned(workshop, STRICT)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        subscribe(strict, f"http://shop.example:{listening.getsockname()[1]}/")
        announce(strict, "alert.created")
        assert deliver(strict, 1, resolve_to("127.0.0.1")) == {"again": 1}
        with pytest.raises(TimeoutError):
            listening.accept()
    assert "public" in query("SELECT error FROM attempts")[0]["error"]


def test_rebinding_gains_nothing(workshop: Workshop, receiver: Receiver, query: Query) -> None:
    """A name is asked for once a connection, and the address that was checked is the one connected to."""
    strict = tuned(workshop, msgspec.structs.replace(STRICT, timeout=0.3, allow_networks=("203.0.113.0/24",)))
    subscribe(strict, receiver.url.replace("127.0.0.1", "shop.example"))
    announce(strict, "alert.created")
    resolve = resolve_to(PUBLIC, "127.0.0.1")
    assert deliver(strict, 1, resolve) == {"again": 1}
    assert [host for host, _port in resolve.calls] == ["shop.example"]
    assert receiver.received == []


def test_allowed_network_is_delivered_to(workshop: Workshop, receiver: Receiver) -> None:
    """A network of the configuration is reached without opening every other."""
    inside = tuned(workshop, msgspec.structs.replace(STRICT, allow_networks=("127.0.0.0/8",)))
    subscribe(inside, receiver.url.replace("127.0.0.1", "shop.example"))
    announce(inside, "alert.created")
    assert deliver(inside, 1, resolve_to("127.0.0.1")) == {"done": 1}
    ((headers, _body),) = receiver.received
    assert headers["host"].startswith("shop.example:")


def test_only_addresses_that_may_be_are_used_of_several(workshop: Workshop, receiver: Receiver) -> None:
    """Of a name with several addresses those that are refused are passed over, those that are dead too."""
    inside = tuned(workshop, msgspec.structs.replace(STRICT, allow_networks=("127.0.0.1/32", "127.0.0.2/32")))
    subscribe(inside, receiver.url.replace("127.0.0.1", "shop.example"))
    announce(inside, "alert.created")

    def resolve(_host: str, port: int) -> list[tuple[Any, ...]]:
        addresses = ("10.0.0.1", "127.0.0.2", "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    assert deliver(inside, 1, resolve) == {"done": 1}


def test_environment_names_no_proxy(
    workshop: Workshop, receiver: Receiver, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY and its like are for others: deliveries go straight to their receiver."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:1")
    quick = tuned(workshop, QUICK)
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"done": 1}


@pytest.fixture
def encrypted(certificates: CertificateFiles) -> Iterator[Receiver]:
    """Run a receiver over TLS, with a certificate of an authority that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    with run_receiver(context) as target:
        yield target


def test_unknown_authority_gets_nothing(workshop: Workshop, encrypted: Receiver, query: Query) -> None:
    """A certificate that cannot be verified ends the connection before anything is sent."""
    quick = tuned(workshop, msgspec.structs.replace(QUICK, schedule=(60,)))
    subscribe(quick, encrypted.url)
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"again": 1}
    assert encrypted.received == []
    assert "SSL" in query("SELECT error FROM attempts")[0]["error"]


@pytest.mark.parametrize(("host", "verdict"), [("localhost", "done"), ("shop.example", "again")])
def test_authority_of_ones_own_is_trusted_for_its_own_names(
    workshop: Workshop, encrypted: Receiver, certificates: CertificateFiles, host: str, verdict: str
) -> None:
    """`service_ca` admits a private authority; the certificate still has to be that of the host."""
    own = tuned(workshop, msgspec.structs.replace(QUICK, schedule=(60,), service_ca=str(certificates.ca)))
    subscribe(own, encrypted.url.replace("127.0.0.1", host))
    announce(own, "alert.created")
    assert deliver(own, 1, resolve_to("127.0.0.1")) == {verdict: 1}
    assert len(encrypted.received) == (verdict == "done")


def test_redirect_to_inside_is_not_followed(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """Where a receiver points to is nobody's concern; that it did stands in the log."""
    receiver.statuses = [307]
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"final": 1}
    assert len(receiver.received) == 1
    assert query("SELECT status FROM attempts") == [{"status": 307}]


def test_beginning_of_the_answer_is_kept_without_what_must_not_be(
    quick: Workshop, receiver: Receiver, query: Query
) -> None:
    """500 characters, printable, card numbers masked, and nothing of the credentials that a receiver repeats."""
    receiver.statuses = [422]
    receiver.body = b"no\0such card 4111 1111 1111 1111; key was hidden-key, basic dXNlcjpoaWRkZW4=\xff" + b"x" * 5000
    credentials = Credentials(secret=SECRET, basic=("user", "hidden"), headers={"X-API-Key": "hidden-key"})
    subscribe(quick, receiver.url + "?token=hidden-too", credentials=credentials)
    announce(quick, "alert.created")
    with capture_logs() as logs:
        assert deliver(quick, 1) == {"final": 1}
    (attempt,) = query("SELECT answer FROM attempts")
    assert attempt["answer"].startswith("no such card 4111 11** **** 1111; key was [hidden], basic [hidden]")
    assert len(attempt["answer"]) == 500
    assert "hidden" not in str(logs).replace("[hidden]", "")


def test_credentials_that_an_answer_repeats_as_json_are_not_kept(
    quick: Workshop, receiver: Receiver, query: Query
) -> None:
    """A receiver that answers with the headers it got does not write its key into the delivery log."""
    receiver.statuses, receiver.body = [401], rb'{"X-API-Key": "k\"ey\\1"}'
    subscribe(quick, receiver.url, credentials=Credentials(secret=SECRET, headers={"X-API-Key": 'k"ey\\1'}))
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"final": 1}
    assert query("SELECT answer FROM attempts") == [{"answer": '{"X-API-Key": "[hidden]"}'}]


@pytest.mark.parametrize("status", [200, 204])
def test_a_large_answer_is_not_read_to_its_end(quick: Workshop, receiver: Receiver, status: int) -> None:
    """Only its beginning is taken, of one that must have no body nothing, and the next has a connection of its own."""
    receiver.statuses = [status]
    receiver.body = b"x" * 20_000_000
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    announce(quick, "alert.created")
    assert deliver(quick, 2) == {"done": 2}


@contextmanager
def answering(*answers: Sequence[bytes]) -> Iterator[tuple[str, list[int]]]:
    """Answer one request after the other, piece by piece; tell the URL, and how many requests each connection had."""
    left, heard = deque(answers), list[int]()

    def serve(listening: socket.socket) -> None:
        while left:
            connection, _ = listening.accept()
            connection.settimeout(5)
            heard.append(0)
            with connection, connection.makefile("rb") as stream, suppress(ConnectionError):
                while left and (head := parse_head(stream)):
                    stream.read(int(head["content-length"]))
                    heard[-1] += 1
                    for number, piece in enumerate(left.popleft()):
                        time.sleep(PAUSE if number else 0)
                        connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as threads:
        listening.settimeout(10)
        served = threads.submit(serve, listening)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", heard
        served.result(20)


def parse_head(stream: BinaryIO) -> dict[str, str]:
    """Read the head of a request: nothing at the end of the connection."""
    lines = iter(lambda: stream.readline().decode().strip(), "")
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_connections_are_kept_between_deliveries(quick: Workshop, query: Query) -> None:
    """One connection serves one delivery after the other."""
    with answering(*[[b"HTTP/1.1 204 No Content\r\n\r\n"]] * 3) as (url, heard):
        subscribe(quick, url, concurrency=1)
        for _ in range(3):
            announce(quick, "alert.created")
        assert deliver(quick, 3) == {"done": 3}
    assert heard == [3]


def test_connection_that_was_idle_is_not_used_again(quick: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies between may have forgotten it without a word, so the next delivery has a connection of its own."""
    monkeypatch.setattr("workers.outgoing.pools.IDLE_SECONDS", PAUSE)
    with answering(*[[b"HTTP/1.1 204 No Content\r\n\r\n"]] * 2) as (url, heard):
        subscribe(quick, url)
        forwarder = Forwarder(quick)
        for _ in range(2):
            announce(quick, "alert.created")
            wait_for(lambda: forwarder.run(PAUSE)["done"])
            time.sleep(2 * PAUSE)
        forwarder.finish()
    assert heard == [1, 1]


@pytest.mark.parametrize("interim", [b"102 Processing", b"103 Early Hints", b"101 Switching Protocols"])
def test_interim_answer_is_no_answer_to_anything(quick: Workshop, query: Query, interim: bytes) -> None:
    """Its delivery comes again, and the final answer behind it is not taken for that to the next delivery."""
    final, refusal = (b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status for status in (b"200 OK", b"422 No"))
    with answering([b"HTTP/1.1 " + interim + b"\r\n\r\n", final], [refusal], [refusal]) as (url, heard):
        subscribe(quick, url, concurrency=1)
        announce(quick, "alert.created")
        announce(quick, "alert.created")
        assert deliver(quick, 3, seconds=5) == {"again": 1, "final": 2}
    assert heard == [1, 2]
    statuses = [row["status"] for row in query("SELECT status FROM attempts ORDER BY attempted_at")]
    assert statuses == [int(interim[:3]), 422, 422]


def test_body_of_an_answer_without_one_is_no_answer(quick: Workshop) -> None:
    """What follows a 204 that announces a body is not taken for the answer to the next delivery."""
    bodiless = [b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", b"xxxxx"]
    with answering(bodiless, [b"HTTP/1.1 204 No Content\r\n\r\n"]) as (url, heard):
        subscribe(quick, url, concurrency=1)
        announce(quick, "alert.created")
        announce(quick, "alert.created")
        assert deliver(quick, 2) == {"done": 2}
    assert heard == [1, 1]


def test_a_redirect_is_final_wherever_it_leads_and_however_much_it_says(
    quick: Workshop, query: Query, receiver: Receiver
) -> None:
    """A Location that is no URL is not looked at, and the body of a redirect is read no further than any other."""
    receiver.statuses = [302]
    receiver.headers = {"Location": "http://[nonsense"}
    receiver.body = b"x" * 20_000_000
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"final": 1}
    assert query("SELECT status, error, length(answer) AS kept FROM attempts") == [
        {"status": 302, "error": None, "kept": 500}
    ]


def test_cookies_are_not_kept(quick: Workshop, receiver: Receiver) -> None:
    """What a receiver wants to be told again is not told again, to it or to any other."""
    receiver.headers = {"Set-Cookie": "visit=1; Path=/"}
    subscribe(quick, receiver.url, concurrency=1)
    for _ in range(3):
        announce(quick, "alert.created")
    assert deliver(quick, 3) == {"done": 3}
    assert [headers.get("cookie") for headers, _body in receiver.received] == [None] * 3


def test_environment_holds_no_password_for_anybody(
    quick: Workshop, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .netrc of the user who runs the workers proves nothing to a receiver."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login shop password hidden\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"done": 1}
    assert "authorization" not in receiver.received[0][0]


def test_many_open_files_are_no_obstacle(quick: Workshop, receiver: Receiver) -> None:
    """Deliveries go out when every descriptor that is free lies above what select() knows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2000:
        pytest.skip(f"needs 2,000 open files, and `ulimit -Hn` allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held: list[int] = []
    try:
        held += (os.dup(0) for _ in range(1100))
        subscribe(quick, receiver.url)
        announce(quick, "alert.created")
        assert deliver(quick, 1) == {"done": 1}
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
