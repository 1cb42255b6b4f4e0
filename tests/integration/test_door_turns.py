"""No connection holds a door process for itself, however small the pieces in which it sends what it has to say."""

import contextlib
import threading
import time
from dataclasses import replace

import pytest

from tests.gunicorn import Process
from tests.integration.door import Equipment, Sender, basic
from tests.integration.raw import connected, head

WITHIN = 1.0  # seconds, for somebody else's push on a new connection
AFTERWARDS = 2.0
CHUNK = b"1\r\nx\r\n"


def send_pieces(sender: Sender, start: bytes, piece: bytes, pieces: int) -> None:
    """Send a start at once, and then pieces, each in a TLS record of its own, as fast as they are taken."""
    with (
        contextlib.suppress(OSError),
        connected(sender) as connection,
    ):
        connection.sendall(start)
        for _ in range(pieces):
            connection.send(piece)
        time.sleep(AFTERWARDS)  # the door has yet to read it


def slowest_push(sender: Sender, attack: threading.Thread) -> float:
    """Push on new connections while an attack goes on; return the seconds that the slowest one took."""
    slowest = 0.0
    attack.start()
    while attack.is_alive():
        began = time.monotonic()
        assert sender.push().status == 200
        slowest = max(slowest, time.monotonic() - began)
    attack.join()
    return slowest


@pytest.mark.parametrize(("already", "records"), [(480_000, 2_000), (60_000, 5_000)])
def test_head_in_records_of_one_byte(equipment: Equipment, door: Process, already: int, records: int) -> None:
    """A head that does not end, byte by byte, keeps nobody waiting, large or small."""
    sender = equipment.ethoca(door)
    start = head(sender, b"X-Long: ".ljust(already, b"x")).rstrip()
    assert slowest_push(sender, threading.Thread(target=send_pieces, args=[sender, start, b"x", records])) < WITHIN


def test_requests_behind_each_other(equipment: Equipment, door: Process) -> None:
    """Whoever sends thousands of requests at once keeps nobody waiting either."""
    sender = equipment.ethoca(door)
    attack = threading.Thread(target=send_pieces, args=[sender, b"", b"GET / HTTP/1.1\r\n\r\n" * 400, 100])
    assert slowest_push(sender, attack) < WITHIN


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_body_in_chunks_of_one_byte(equipment: Equipment, door: Process, password: str) -> None:
    """A body of 300,000 chunks keeps nobody waiting, whoever sends it."""
    sender = equipment.ethoca(door)
    hog = sender if password == "right" else replace(sender, headers=basic("ethoca", "wrong"))
    start = head(hog, b"Transfer-Encoding: chunked")
    attack = threading.Thread(target=send_pieces, args=[hog, start, CHUNK * 1000, 300])
    assert slowest_push(sender, attack) < WITHIN
