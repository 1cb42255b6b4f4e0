"""Secrets and personal data in every place of a request, through every ending it can have: they are nowhere after."""

import contextlib
import json
import os
import signal
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from tests.e2e.attacker import Attacker
from tests.e2e.attacks import make_certificate
from tests.e2e.bodies import fresh_id
from tests.e2e.canaries import ELSEWHERE, PAN, Canaries, basic, require_nowhere
from tests.e2e.processes import descendants
from tests.e2e.running import Stack
from tests.e2e.window import find_alert, settled, wait_for

if TYPE_CHECKING:
    import socket


def refuse_everywhere(canaries: Canaries) -> None:
    """Bring about every refusal that the door knows."""
    body = canaries.body(fresh_id())
    push, place = canaries.push, canaries.place
    assert push(body[:-5]) == 400
    assert push(json.dumps({"payload": {"cardNumber": PAN, "descriptorContact": canaries.contact}}).encode()) == 400
    assert push(body, f"X-Other : {place}") == 400
    assert push(body, f"Transfer-Encoding: {place}") == 400
    assert push(b"zz\r\n" + body, "Transfer-Encoding: chunked") == 400
    assert push(body, start=f"{place} /push/reseller") == 400
    assert push(body, key=canaries.api_key) == 401
    assert push(body, basic("reseller", canaries.password), key="x") == 401
    assert push(body, f"Authorization: Bearer {canaries.token}", key="x") == 401
    assert canaries.send(f"POST /push/ethoca HTTP/1.1\r\n{basic('ethoca', PAN)}\r\nX: {place}\r\n\r\n".encode(),
                         certificate=False) == 403  # fmt: skip
    assert push(body, start=f"POST /push/{PAN}?{place}") == 404
    assert push(body, start=f"{PAN} /push/elsewhere") == 404
    assert push(body, start=f"DELETE /push/reseller?password={canaries.password}") == 405
    assert push(body, start=f"{PAN} /push/reseller") == 405
    assert push(body + b" " * 2**20) == 413
    assert push(body, start=f"POST /{place}{'x' * 5000}") == 414
    assert push(body, f"Content-Type: text/{place}") == 415
    assert push(body, f"Content-Encoding: {place}") == 415
    assert push(body, f"Expect: {place}") == 417
    assert push(body, f"X-Long: {place * 1000}") == 431
    limited = [push(body, key=canaries.api_key) for _ in range(70)]
    assert limited[-1] == 429


def refuse_for_the_journal(canaries: Canaries) -> None:
    """Push while the journal does not answer."""
    with redis.Redis.from_url(canaries.facts["JOURNAL_URL"], protocol=2, socket_timeout=30) as journal:
        journal.client_pause(10_000)
        began = time.monotonic()
        assert canaries.push(canaries.body(fresh_id())) == 503
        assert time.monotonic() - began < 10, "the pause was over"
        journal.client_unpause()


def fail_handshakes(canaries: Canaries, folder: Path) -> None:
    """Fail to shake hands: no TLS at all, a strange name, a certificate that speaks for itself, one cut off."""
    attacker = Attacker(canaries.facts, 60)
    for data in (f"POST /{canaries.place} HTTP/1.1\r\n{basic('x', canaries.password)}\r\n\r\n", canaries.place * 50):
        with contextlib.suppress(OSError), attacker.connect(ELSEWHERE) as plain:
            plain.sendall(data.encode())
            plain.settimeout(5)
            canaries.answers.append(plain.recv(65536))
    context = attacker.context()
    context.load_cert_chain(make_certificate(folder, f"CN={canaries.place},O={PAN}"))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        contextlib.suppress(OSError),
        attacker.connect(ELSEWHERE) as plain,
        context.wrap_socket(plain, server_hostname=f"{canaries.place}.example") as connection,
    ):
        connection.sendall(b"POST / HTTP/1.1\r\n\r\n")
        canaries.answers.append(connection.recv(65536))


def crash_workers(canaries: Canaries) -> None:
    """Have the door's processes killed, and aborted as gunicorn aborts one that hangs, in the midst of a push."""
    attacker = Attacker(canaries.facts, 60)
    body = canaries.body(fresh_id())
    head = f"POST /push/reseller HTTP/1.1\r\nX-API-Key: {canaries.facts['RESELLER_API_KEY']}\r\n"
    head += f"X-Other: {canaries.place}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    for how in (signal.SIGABRT, signal.SIGKILL):
        before = descendants(int(canaries.facts["RUN_PID"]), "ingress.app", leaves=True)
        connections: list[socket.socket] = []
        for _ in range(4):
            plain = attacker.connect(ELSEWHERE)
            connections.append(attacker.context().wrap_socket(plain, server_hostname="localhost"))
            connections[-1].sendall(head.encode() + body[:-3])
        for worker in before:
            os.kill(worker, how)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.settimeout(20)
                canaries.answers.append(connection.recv(65536))
            connection.close()

        def replaced(before: list[int] = before) -> bool:
            now = descendants(int(canaries.facts["RUN_PID"]), "ingress.app", leaves=True)
            return len(now) >= len(before) and not set(now) & set(before)

        wait_for(replaced, bool)
    wait_for(lambda: canaries.push(canaries.body(fresh_id())), lambda status: status == 200)


@pytest.fixture
def canaries(run: Mapping[str, str]) -> Canaries:
    """Make values that nobody else has."""
    return Canaries(run)


def test_no_canary_is_found_anywhere(
    stack: Stack, run: Mapping[str, str], run_folders: list[Path], canaries: Canaries, tmp_path: Path
) -> None:
    """Card number, password, key, token, contact, what stood in line, path or header: in no log, file or answer.

    The run's own passwords, keys and tokens likewise, but for the files that keep them.
    """
    alert_id = fresh_id()
    assert canaries.push(canaries.body(alert_id), f"X-Other: {canaries.place}") == 200
    refuse_everywhere(canaries)
    refuse_for_the_journal(canaries)
    fail_handshakes(canaries, tmp_path)
    crash_workers(canaries)
    assert canaries.statuses >= {200, 400, 401, 403, 404, 405, 413, 414, 415, 417, 429, 431, 503}
    settled(run)
    wait_for(lambda: find_alert(run, alert_id), bool)
    require_nowhere(canaries, alert_id, stack, run_folders)
