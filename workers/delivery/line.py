"""Line: what a forwarder has to the database, and what it hears over it. The connection is kept from run to run."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from psycopg.types.json import set_json_loads

from workers.database.connections import Database
from workers.database.kept import Kept
from workers.intake.announce import CHANNEL


def read_json(text: bytes | str) -> Any:  # noqa: ANN401 - JSON is of any type
    """Read JSON, several times as fast as psycopg would. What is beyond orjson is left to Python's own parser.

    A whole number of more than 64 bits becomes one that is about as large: it could not be sent as it is.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


class Line:
    """The connection of one forwarder, which one thread at a time uses.

    announced  something has been announced since this was last set to False
    """

    def __init__(self, url: str) -> None:
        self.announced = False
        self.kept = Kept(url, "forward", self.make_ready)

    @contextmanager
    def listen(self) -> Iterator[Database]:
        """Lend the connection, which hears what is announced meanwhile. Raises what the database raises.

        Between runs it hears nothing, which nobody would take in.
        """
        with self.kept.lend() as database:
            database.execute(f"LISTEN {CHANNEL}")
            yield database
            database.execute(f"UNLISTEN {CHANNEL}")

    def make_ready(self, database: Database) -> None:
        """Let a new connection be as a forwarder needs it. Raises what the database raises."""
        database.add_notify_handler(self.note_announced)
        # What a crash of the server takes back is delivered again, under the same webhook-id, as it is when a
        # forwarder dies. So nobody waits for the disk here.
        database.execute("SET synchronous_commit = off")
        set_json_loads(read_json, database)
        # The plans go index by index, whatever the parameters: planning them again was half of what a lease cost.
        database.execute("SET plan_cache_mode = force_generic_plan")

    def open(self) -> Database:
        """Return the connection, opened if there is none. Raises what the database raises."""
        return self.kept.open()

    def fileno(self) -> int:
        """Return the descriptor that can be read when the database says something by itself."""
        return self.open().fileno()

    def take_in(self) -> None:
        """Take in what the database has said by itself, without asking it anything. Raises OperationalError."""
        pgconn = self.open().pgconn
        pgconn.consume_input()
        while pgconn.notifies() is not None:
            self.announced = True

    def note_announced(self, _notification: object) -> None:
        """Remember that something was announced. Called while a statement is executed."""
        self.announced = True

    def close(self) -> None:
        """Let go of the connection."""
        self.kept.close()
