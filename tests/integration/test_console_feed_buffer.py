"""The feed inside: its one bounded buffer, heartbeats that move the place, an end when nobody listens."""

from collections.abc import Iterator

import psycopg
import pytest

import console.feed.feed
from console.feed.events import read_place
from console.feed.feed import Feed, TooManyStreams
from console.feed.stream import stream_events
from tests.integration.door import wait_for
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
    monkeypatch.setattr(console.feed.feed, "KEPT_EVENTS", 10)
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


def test_there_are_so_many_streams_and_no_more(feed: Feed) -> None:
    """Who leaves makes room."""
    feed.enter()
    with pytest.raises(TooManyStreams):
        feed.enter()
    feed.leave()
    feed.enter()
    feed.leave()
