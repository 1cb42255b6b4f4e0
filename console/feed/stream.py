"""One stream of server-sent events (WHATWG HTML, 9.2): frames, heartbeats, and the end when nobody listens any more."""

import select
import socket
import time
from collections.abc import Callable, Collection, Iterator

import psycopg_pool
import structlog

from console.feed.buffer import Stretch
from console.feed.events import write_place
from console.feed.feed import Feed
from console.unreachable import Unreachable
from schemas.downstream.events import wants_event

HEARTBEAT_SECONDS = 15.0
LOOK_SECONDS = 1.0
RECONNECT_MILLISECONDS = 1000
SEND_SECONDS = 30.0

log = structlog.get_logger()


def stream_events(
    feed: Feed,
    place: int,
    types: Collection[str],
    gone: Callable[[], bool],
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> Iterator[bytes]:
    """Yield the frames of the wanted types after a place, until the client is gone or the server stops.

    A frame of nothing but an `id` tells no event and moves the client's Last-Event-ID: the first thing that is sent, so
    that a client that is cut off before its first event comes back to the right place, and with every heartbeat, so
    that one whose filter lets nothing pass need not walk through all of it again.
    """
    yield f"retry: {RECONNECT_MILLISECONDS}\n".encode() + frame_place(place)
    beat = time.monotonic() + heartbeat_seconds
    while feed.alive and not gone():
        stretch = read_patiently(feed, place)
        place = stretch.place
        frames = [event.frame for event in stretch.events if wants_event(types, event.type)]
        if not frames and time.monotonic() >= beat:
            frames = [b": heartbeat\n" + frame_place(place)]
        if frames:
            yield b"".join(frames)
            beat = time.monotonic() + heartbeat_seconds
        if not stretch.events:
            feed.wait_beyond(place, max(0.0, min(LOOK_SECONDS, beat - time.monotonic())))


def read_patiently(feed: Feed, place: int) -> Stretch:
    """Read on; while the database does not answer the stream stays, and goes on from its place."""
    try:
        return feed.read_after(place)
    except (Unreachable, psycopg_pool.PoolTimeout) as error:
        log.warning("stream_waits", error=type(error).__name__)
        time.sleep(LOOK_SECONDS)
        return Stretch([], place)


def frame_place(place: int) -> bytes:
    """Return a frame that tells no event and only moves Last-Event-ID."""
    return f"id: {write_place(place)}\n\n".encode()


def watch_client(client: object) -> Callable[[], bool]:
    """Return a function that tells whether the client at this socket has gone; without a socket it never has.

    Sending gets a deadline as well: a client that stops reading would hold its thread for ever.
    """
    if not isinstance(client, socket.socket):
        return lambda: False
    client.settimeout(SEND_SECONDS)
    ready = select.poll()
    ready.register(client, select.POLLIN)

    def gone() -> bool:
        try:
            return bool(ready.poll(0)) and client.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    return gone
