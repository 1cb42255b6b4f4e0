"""The stream of events as a client sees it: real gunicorn, real PostgreSQL, writers that commit in any order."""

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests
from uuid_utils.compat import uuid7

from console.feed.events import write_place
from console.feed.feed import STREAMS
from deploy.embedded.settings import Secrets
from schemas.alert.alert import Alert
from tests.gunicorn import wait_for
from tests.integration.console_server import Client, run_console

INSERT = "INSERT INTO events (id, type, alert_id, revision, alert) VALUES (%s, %s, %s, 1, %s)"


@pytest.fixture
def console(environment: dict[str, str], intake_secrets: Secrets, tmp_path: Path) -> Iterator[Client]:
    """Run a console on an empty database."""
    with run_console(environment, intake_secrets.console_token, tmp_path) as client:
        yield client


def insert(connection: psycopg.Connection[tuple[object, ...]], name: str, kind: str = "alert.created") -> None:
    """Insert an event of an alert with that network's id, as a drain does."""
    alert = Alert(str(uuid7()), "ethoca", name, "ethoca", "other", "open", "2026-11-20T17:11:05.000Z")
    connection.execute(INSERT, [uuid4(), kind, alert.id, json.dumps(alert.to_row())])


@dataclass
class Listener:
    """A client that reads a stream, by the rules of server-sent events, in a thread of its own."""

    client: Client
    query: dict[str, str] = field(default_factory=dict)
    last_event_id: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    comments: int = 0
    opened: threading.Event = field(default_factory=threading.Event)

    def names(self) -> list[str]:
        """Return the networks' ids of the alerts told of, in order."""
        return [event["alert"]["provider_alert_id"] for event in self.events]

    def connect(self) -> requests.Response:
        """Open the stream where it was left."""
        headers = {"Authorization": f"Bearer {self.client.token}"}
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        return requests.get(self.client.url + "/v1/events", params=self.query, headers=headers, stream=True, timeout=30)

    def listen(self, answer: requests.Response, enough: Callable[[], bool] = lambda: False) -> None:
        """Read until the stream ends or is closed, or until after an event it is enough."""
        kind, lines = "", list[str]()
        for line in answer.iter_lines(chunk_size=1):
            name, _, value = line.decode().partition(": ")
            if not line:
                if lines:
                    self.events.append(json.loads("\n".join(lines)) | {"event": kind})
                    if enough():
                        return
                kind, lines = "", []
            elif name == "id":
                self.last_event_id = value
                self.opened.set()
            elif name == "event":
                kind = value
            elif name == "data":
                lines.append(value)
            elif name == "":
                self.comments += 1


@contextmanager
def listening(client: Client, last_event_id: str | None = None, **query: str) -> Iterator[Listener]:
    """Listen in the background until the block ends."""
    listener = Listener(client, query, last_event_id)
    answer = listener.connect()
    assert answer.status_code == 200, answer.text

    def read() -> None:
        with suppress(requests.RequestException, AttributeError, ValueError):  # cut under its hands
            listener.listen(answer)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        assert listener.opened.wait(10)
        yield listener
    finally:
        shut(answer)
        thread.join()
        answer.close()


def has_enough(client: Listener, until: int) -> bool:
    """Say whether a client has so many events, or the last."""
    return len(client.events) >= until or client.names()[-1:] == ["the last"]


def shut(answer: requests.Response) -> None:
    """Cut the connection of an answer, whoever is reading from it."""
    connection: Any = answer.raw.connection
    connection.sock.shutdown(socket.SHUT_RDWR)


def test_event_is_told_within_a_moment(console: Client, database_url: str) -> None:
    """What is committed while somebody listens reaches them at once, with type, id and the alert as it is shown."""
    took = []
    with psycopg.connect(database_url) as writer, listening(console) as listener:
        for number in range(1, 6):
            insert(writer, f"A{number}")
            began = time.monotonic()
            writer.commit()
            wait_for(partial(has_enough, listener, number))
            took.append(time.monotonic() - began)
    # By the notification: looking alone, each behind the one before it would take a second.
    assert sorted(took[1:])[1] < 0.5
    event = listener.events[0]
    assert (event["event"], event["type"]) == ("alert.created", "alert.created")
    assert event["alert"]["provider_alert_id"] == "A1"
    assert set(event) == {"event", "id", "type", "occurred_at", "alert"}


def test_stream_begins_now_or_with_the_oldest(console: Client, database_url: str) -> None:
    """By default a stream tells what is new; on request it begins with the oldest event that is kept."""
    with psycopg.connect(database_url, autocommit=True) as writer:
        insert(writer, "A1")
        with listening(console) as later, listening(console, start="oldest") as all_of_them:
            insert(writer, "A2")
            wait_for(lambda: len(all_of_them.events) == 2 and later.events)
    assert (all_of_them.names(), later.names()) == (["A1", "A2"], ["A2"])


def test_types_are_selected_by_wildcards(console: Client, database_url: str) -> None:
    """`types` lists names and patterns; an event of another type only moves the place."""
    with psycopg.connect(database_url, autocommit=True) as writer, listening(console, types="alert.re*") as listener:
        insert(writer, "A1", "alert.created")
        insert(writer, "A2", "alert.resolved")
        wait_for(lambda: listener.events)
    assert listener.names() == ["A2"]


def test_event_of_a_slow_transaction_is_not_skipped(console: Client, database_url: str) -> None:
    """An event that was numbered earlier and is committed later is told first; the other waits for it."""
    with (
        psycopg.connect(database_url) as early,
        psycopg.connect(database_url) as late,
        psycopg.connect(database_url) as third,
        listening(console, types="alert.created") as listener,
        listening(console) as witness,
    ):
        insert(third, "A0")
        insert(early, "A1")
        insert(late, "A2")
        late.commit()
        third.commit()
        wait_for(lambda: witness.events and listener.events)  # notified after `late`: what can be told of it has been
        assert (listener.names(), witness.names()) == (["A0"], ["A0"])
        early.commit()
        wait_for(lambda: len(listener.events) == 3 and len(witness.events) == 3)
    assert listener.names() == witness.names() == ["A0", "A1", "A2"]


def test_reconnecting_clients_get_every_event_once_while_writers_commit_in_any_order(
    console: Client, database_url: str
) -> None:
    """Clients that are cut off again and again, anywhere, come back by Last-Event-ID and miss and repeat nothing."""
    written: list[str] = []

    def keep_writing(seed: int) -> None:
        chance = random.Random(seed)
        with psycopg.connect(database_url) as connection:
            for batch in range(60):
                own = [f"{seed}-{batch}-{number}" for number in range(chance.randint(1, 4))]
                for name in own:
                    insert(connection, name)
                    time.sleep(chance.random() * 0.004)
                if chance.random() < 0.2:
                    connection.rollback()
                else:
                    connection.commit()
                    written.extend(own)

    with listening(console) as first:
        pass
    clients = [Listener(console, last_event_id=first.last_event_id) for _ in range(3)]

    def keep_reading(client: Listener, seed: int) -> None:
        chance = random.Random(seed)
        while "the last" not in client.names():
            with closing(client.connect()) as answer:
                assert answer.status_code == 200
                until = len(client.events) + chance.randint(1, 15)
                client.listen(answer, partial(has_enough, client, until))

    with ThreadPoolExecutor(8) as threads:
        readers = [threads.submit(keep_reading, client, 100 + seed) for seed, client in enumerate(clients)]
        for writer in [threads.submit(keep_writing, seed) for seed in range(4)]:
            writer.result(60)
        with psycopg.connect(database_url, autocommit=True) as connection:
            insert(connection, "the last")
            written.append("the last")
        for reader in readers:
            reader.result(60)
    for client in clients:
        assert len(client.names()) == len(set(client.names()))
        assert sorted(client.names()) == sorted(written)
    assert clients[0].names() == clients[1].names() == clients[2].names()


def test_client_far_behind_catches_up_from_the_database(console: Client, database_url: str) -> None:
    """More events than one page are read in order by a client that comes back after them."""
    with psycopg.connect(database_url) as writer, listening(console) as listener:
        place = listener.last_event_id
        for number in range(450):
            insert(writer, f"A{number}")
        writer.commit()
        wait_for(lambda: len(listener.events) == 450)
        with listening(console, place) as behind:
            wait_for(lambda: len(behind.events) == 450)
    with listening(console, place) as again:  # after everybody left: nothing is in the buffer
        wait_for(lambda: len(again.events) == 450)
    assert listener.names() == behind.names() == again.names() == [f"A{number}" for number in range(450)]


def test_a_hundred_idle_streams_leave_the_api_its_threads(console: Client, database_url: str) -> None:
    """With every place for streams taken the API answers quickly, one more stream is refused, and all are told."""
    with psycopg.connect(database_url, autocommit=True) as writer, ThreadPoolExecutor(STREAMS) as threads:
        listeners = [Listener(console) for _ in range(STREAMS)]
        answers = list(threads.map(lambda listener: listener.connect(), listeners))
        try:
            assert {answer.status_code for answer in answers} == {200}
            assert console.problem("/v1/events")["status"] == 503
            for _ in range(5):
                began = time.monotonic()
                console.get("/v1/alerts")
                assert time.monotonic() - began < 1
            insert(writer, "A1")
            told = [
                threads.submit(one.listen, answer, lambda: True) for one, answer in zip(listeners, answers, strict=True)
            ]
            for one in told:
                one.result(20)
            assert {tuple(listener.names()) for listener in listeners} == {("A1",)}
        finally:
            for answer in answers:
                answer.close()
        # Whoever has gone frees a place, without having been written to.
        wait_for(lambda: console_admits(console))


def console_admits(client: Client) -> bool:
    """Say whether another stream is admitted."""
    with closing(Listener(client).connect()) as answer:
        return answer.status_code == 200


def test_stream_survives_its_database_connection(console: Client, database_url: str) -> None:
    """When the database cuts every connection, open streams go on and tell what was committed meanwhile."""
    with psycopg.connect(database_url, autocommit=True) as writer, listening(console) as listener:
        insert(writer, "A1")
        wait_for(lambda: listener.events)
        cut = writer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
        assert cut
        insert(writer, "A2")
        wait_for(lambda: len(listener.events) == 2)
    assert listener.names() == ["A1", "A2"]


def test_stopping_console_ends_its_streams(console: Client, database_url: str) -> None:
    """Asked to stop, the server ends within a few seconds with streams open, and they end whole."""
    answer = Listener(console).connect()
    lines = answer.iter_lines(chunk_size=1)
    assert next(lines).startswith(b"retry:")
    began = time.monotonic()
    console.process.popen.terminate()
    assert all(b"data" not in line for line in lines)  # it ends with the last chunk, or this raises
    assert console.process.popen.wait(10) == 0
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("query", "header", "why"),
    [
        ({"types": "alert.imagined"}, None, "types"),
        ({"start": "yesterday"}, None, "start"),
        ({}, "12", "cursor"),
        ({}, write_place(10**6), "beyond the end"),
        ({"last_event_id": write_place(10**6)}, None, "beyond the end"),
    ],
)
def test_what_cannot_be_streamed_is_refused(
    console: Client, query: dict[str, str], header: str | None, why: str
) -> None:
    """An unknown type or start, and a place that is none or of another database, are answered with 400."""
    answer = Listener(console, query, header).connect()
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert why in answer.json()["detail"]


def test_stream_demands_the_token(console: Client) -> None:
    """Without the token there is no stream."""
    assert requests.get(console.url + "/v1/events", timeout=10).status_code == 401
