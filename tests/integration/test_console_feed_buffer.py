"""The feed inside: its one bounded buffer, heartbeats that move the place, an end when nobody listens."""

import threading
from collections.abc import Iterator
from unittest.mock import Mock

import psycopg
import pytest
from structlog.testing import capture_logs

import console.feed.buffer
from console.connections import Database
from console.feed.events import Event, read_events, read_place
from console.feed.feed import Feed, TooManyStreams
from console.feed.stream import stream_events
from tests.gunicorn import wait_for
from tests.integration.test_console_feed import insert


@pytest.fixture
def feed(database_url: str) -> Iterator[Feed]:
    """Return a feed that one stream follows."""
    feed = Feed(database_url, streams=2)
    feed.enter()
    wait_for(lambda: feed.keeps() is not None)
    yield feed
    feed.leave()
    wait_for(lambda: not feed.runs(), 5)


def test_buffer_is_bounded_and_who_falls_out_of_it_misses_nothing(
    feed: Feed, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the latest events are kept; a reader from before them reads on from the database, page by page."""
    monkeypatch.setattr(console.feed.buffer, "KEPT_EVENTS", 10)
    with psycopg.connect(database_url) as writer:
        for number in range(60):
            insert(writer, f"A{number}")
        writer.commit()
    wait_for(lambda: feed.keeps() == 10)
    place, positions = 0, list[int]()
    while True:
        stretch = feed.read_after(place, 7)
        if not stretch.events:
            break
        place = stretch.place
        positions += [event.position for event in stretch.events]
    assert len(positions) == 60
    assert positions == sorted(positions)


def test_heartbeat_moves_the_place_of_who_wants_something_else(feed: Feed, database_url: str) -> None:
    """Whose filter lets nothing pass gets no event, and comes back behind what it has been spared."""
    stream = stream_events(feed, 0, ["alert.resolved"], lambda: False, heartbeat_seconds=0.3)
    first = next(stream).decode()
    assert first.startswith("retry: 1000\nid: ")
    with psycopg.connect(database_url, autocommit=True) as writer:
        insert(writer, "A1", "alert.created")
    frame = ""
    while not frame.startswith(": heartbeat") or read_place(frame.split("id: ")[1].strip(), 10) == 0:
        frame = next(stream).decode()
        assert "data:" not in frame
    assert read_place(frame.split("id: ")[1].strip(), 10) == 1
    stream.close()  # type: ignore[attr-defined]  # a generator


def test_whatever_breaks_the_feed_it_goes_on(feed: Feed, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is not of the database leaves no stream without events: it is logged by its kind, and passed."""
    failures = [KeyError("A1")]

    def fail_once(database: Database, place: int, horizon: int, limit: int) -> list[Event]:
        if failures:
            raise failures.pop()
        return read_events(database, place, horizon, limit)

    with capture_logs() as logs, psycopg.connect(database_url, autocommit=True) as writer:
        monkeypatch.setattr("console.feed.feed.read_events", fail_once)
        insert(writer, "A1")
        wait_for(lambda: feed.read_after(0).place == 1)
        insert(writer, "A2")
        wait_for(lambda: feed.read_after(0).place == 2, 5)
    assert [event.position for event in feed.read_after(0).events] == [1, 2]
    assert [line for line in logs if line["event"] == "feed_interrupted"] == [
        {"event": "feed_interrupted", "error": "KeyError", "log_level": "error"}
    ]


def test_follower_that_cannot_be_started_is_none(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread is to be had the stream is refused, takes no place, and the next one tries again."""
    feed = Feed(database_url, streams=1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        with pytest.raises(RuntimeError):
            feed.enter()
    assert not feed.runs()
    feed.enter()
    wait_for(lambda: feed.keeps() is not None)
    feed.leave()
    wait_for(lambda: not feed.runs(), 5)


def test_there_are_so_many_streams_and_no_more(feed: Feed) -> None:
    """Who leaves makes room."""
    feed.enter()
    with pytest.raises(TooManyStreams):
        feed.enter()
    feed.leave()
    feed.enter()
    feed.leave()
