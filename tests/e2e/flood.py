"""A source with every right to push that pushes far more than agreed. Imports nothing of ours."""

import contextlib
import json
import time

from tests.e2e.attacker import Attacker
from tests.e2e.bodies import fresh_id, webhook

WINDOW_SECONDS = 10  # a rate is an average over them, so that their whole worth may come at once
LEARNING_SECONDS = 1.2  # after the first push of each, the door's processes know what the others have counted


def flood(attacker: Attacker) -> None:
    """Push without a pause, with all that is right, as a source that has a rate.

    Counts as let in what is more than agreed, and as well what is refused without word of when to come again.
    """
    rate, accepted = int(attacker.facts["RESELLER_PUSHES_PER_SECOND"]), 0
    body = json.dumps(webhook(fresh_id(), "alert.created", None)).encode()
    start = f"POST /push/reseller HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {attacker.facts['RESELLER_API_KEY']}\r\n"
    data = f"{start}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(attacker.connect_tls()) for _ in range(8)]
        for _ in attacker.rounds():
            for connection in connections:
                connection.sendall(data)
            for connection in connections:
                answer = connection.recv(65536)
                attacker.tries += 1
                accepted += answer.startswith(b"HTTP/1.1 200")
                refused = answer.startswith(b"HTTP/1.1 429") and b"\r\nRetry-After: " in answer
                attacker.let_in += not (refused or answer.startswith(b"HTTP/1.1 200"))
            if attacker.tries == len(connections):
                time.sleep(LEARNING_SECONDS)
                attacker.began = time.monotonic()
    agreed = rate * (WINDOW_SECONDS + 1 + time.monotonic() - began)  # the window moves on by whole seconds
    attacker.let_in += max(0, accepted - int(agreed))
