"""The attacks by requests, and all attacks by name. Imports nothing of ours."""

import contextlib
import gzip
import json
import resource
import sys
from collections.abc import Callable
from urllib.parse import quote

from tests.e2e import attacks, attacks_pieces
from tests.e2e.attacker import BODY, Attacker
from tests.e2e.flood import flood

BOMB = gzip.compress(b'{"alertId": "ABUSE", "fill": "' + b"x" * 20_000_000 + b'"}')


def guess_passwords(attacker: Attacker) -> None:
    """Guess passwords, with the right certificate, as fast as the door answers."""
    for _ in attacker.rounds():
        with contextlib.suppress(OSError), attacker.connect_tls(certificate=True) as connection:
            for number in range(200):
                if attacker.left <= 0:
                    break
                attacker.tries += 1
                connection.sendall(attacker.head(password=f"guess {number}") + BODY)
                attacker.let_in += b"HTTP/1.1 200" in connection.recv(65536)


def claim_certificates(attacker: Attacker) -> None:
    """Come without a certificate and claim one in the headers that proxies use."""
    with open(attacker.facts["CLIENT_CERT"], encoding="ascii") as file:  # noqa: PTH123 - a name from run.env
        pem = quote(file.read(), safe="")
    names = ("X-Client-Cert", "X_Client_Cert", "Client-Cert", "X-Amzn-Mtls-Clientcert-Leaf", "X-SSL-Client-Cert")
    for number in attacker.rounds(0.01):
        claim = f"{names[number % len(names)]}: {pem}"
        attacker.attempt(attacker.head(claim, "Connection: close", password=None) + BODY)


def send_large_heads(attacker: Attacker) -> None:
    """Send endless lines, a thousand headers, one huge header."""
    heads = (
        b"POST /" + b"x" * 200_000,
        attacker.head(*(f"X-{number}: y" for number in range(1000)), password=None),
        attacker.head("X-Large: " + "x" * 100_000, password=None),
        b"\r\n" * 10_000,
        attacker.head(password=None)[:-2] + b"X: y\r\n" * 100_000,
    )
    for number in attacker.rounds(0.02):
        attacker.attempt(heads[number % len(heads)], certificate=True)


def send_large_bodies(attacker: Attacker) -> None:
    """Send, with all that is right, bodies over the limit: declared, chunked, and without an end."""
    for number in attacker.rounds(0.02):
        declared, chunked, endless = number % 3 == 0, number % 3 == 1, number % 3 == 2
        lines = [] if declared else ["Transfer-Encoding: chunked"]
        head = attacker.head(*lines, password=None, length=10_000_000_000 if declared else None)
        piece = b"x" * 1_000_000
        framed = piece if declared else b"%x\r\n%s\r\n" % (len(piece), piece)
        end = b"0\r\n\r\n" if chunked else b""
        attacker.attempt(head + framed * (40 if endless else 3) + end, certificate=True)


def send_bombs(attacker: Attacker) -> None:
    """Send, with all that is right, bodies that unpack to a thousand times their size."""
    for coding in ("gzip", "x-gzip", "deflate", "br", "gzip, gzip", "GZIP") * 1000:
        if attacker.left <= 0:
            return
        head = attacker.head(f"Content-Encoding: {coding}", "Connection: close", password=None, length=len(BOMB))
        attacker.attempt(head + BOMB, certificate=True)


def hide_requests(attacker: Attacker) -> None:
    """Send, with the right certificate and a wrong password, requests that hide another one with the right password."""
    inner = attacker.head("Connection: close", password=None) + BODY
    chunks = b"0\r\n\r\n" + inner
    size = f"Content-Length: {len(chunks)}"
    both = ("Transfer-Encoding: chunked", size)
    tries = [
        attacker.head(*both, length=None) + chunks,
        attacker.head(*reversed(both), length=None) + chunks,
        attacker.head("Content-Length: 5", size, length=None) + chunks,
        attacker.head("Transfer-Encoding:\x0bchunked", size, length=None) + chunks,
        attacker.head("Transfer-Encoding : chunked", size, length=None) + chunks,
        attacker.head("Transfer-Encoding: chunked", "Transfer-Encoding: cow", length=None) + chunks,
        attacker.head("Transfer-Encoding: xchunked", size, length=None) + chunks,
        attacker.head("X: y\n" + size, length=None) + chunks,
        attacker.head("Transfer-Encoding:", " chunked", size, length=None) + chunks,
        attacker.head("X: y\r\n\tz", length=len(BODY)) + BODY,
        attacker.head("Content-Length: +5", length=None) + chunks,
        inner.replace(b"Authorization:", b"Authorization :"),
    ]
    for number in attacker.rounds(0.01):
        attacker.attempt(tries[number % len(tries)], certificate=True, patience=0.2)


def leave_out_returns(attacker: Attacker) -> None:
    """End lines, with all that is right, by a line feed alone: whoever stands in front may see other lines than we."""
    data = (attacker.head("Connection: close", password=None) + BODY).replace(b"\r\n", b"\n")
    for _ in attacker.rounds(0.01):
        attacker.attempt(data, certificate=True, patience=0.2)


ATTACKS: dict[str, Callable[[Attacker], None]] = {
    "stalled handshakes": attacks.stall_handshakes,
    "2,000 connections": attacks.open_many,
    "idle connections": attacks.stay_idle,
    "broken handshakes, noise": attacks.come_and_go,
    "foreign certificates": attacks.come_with_foreign_certificates,
    "claimed certificates": claim_certificates,
    "guessed passwords": guess_passwords,
    "slow heads": attacks.trickle_heads,
    "slow bodies": attacks.trickle_bodies,
    "endless small chunks": attacks.trickle_chunks,
    "heads in records of one byte": attacks_pieces.pour_records,
    "bodies in chunks of one byte": attacks_pieces.pour_chunks,
    "requests behind each other": attacks_pieces.pour_requests,
    "answers never taken": attacks_pieces.take_no_answers,
    "large heads": send_large_heads,
    "large and endless bodies": send_large_bodies,
    "gzip bombs": send_bombs,
    "hidden requests": hide_requests,
    "bare line feeds": leave_out_returns,
}
# Those that nginx has to stop, or to hand on in due time, where it stands in front. A bare line feed may end its lines.
THROUGH_NGINX = tuple(attack for attack in ATTACKS if attack != "bare line feeds")
FLOODS = {"a flood by another source": flood}


def main() -> None:
    """Run one attack for each line on standard input (run.env, the attack, its seconds); answer with its counts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for line in sys.stdin:
        facts, attack, seconds = json.loads(line)
        attacker = Attacker(facts, seconds)
        (ATTACKS | FLOODS)[attack](attacker)
        print(json.dumps([attacker.tries, attacker.let_in]), flush=True)


if __name__ == "__main__":
    main()
