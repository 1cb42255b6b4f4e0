"""Line: a forwarder's connection to the database, kept from run to run.

To open one, and to plan the statements anew on it, costs both ends as much as a dozen deliveries. It is opened anew now
and then all the same: whoever moves the database to another server may leave the old one running.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from psycopg.types.json import set_json_loads

from workers.database.connections import Database, connect_database
from workers.intake.announce import CHANNEL

KEPT = 60.0  # seconds


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
        self.url = url
        self.announced = False
        self.database: Database | None = None
        self.opened = 0.0

    @contextmanager
    def listen(self) -> Iterator[Database]:
        """Lend the connection, which hears what is announced meanwhile. Raises what the database raises.

        One on which anything failed is not used again. Between runs it hears nothing, which nobody would take in.
        """
        if time.monotonic() - self.opened > KEPT:
            self.close()
        try:
            database = self.open()
            database.execute(f"LISTEN {CHANNEL}")
            yield database
            database.execute(f"UNLISTEN {CHANNEL}")
        except BaseException:
            self.close()
            raise

    def open(self) -> Database:
        """Return the connection, opened if there is none. Raises what the database raises."""
        if self.database is None:
            self.database = connect_database(self.url, "forward")
            self.opened = time.monotonic()
            self.database.add_notify_handler(self.note_announced)
            # What a crash of the server takes back is delivered again, under the same webhook-id, as it is when a
            # forwarder dies. So nobody waits for the disk here.
            self.database.execute("SET synchronous_commit = off")
            set_json_loads(read_json, self.database)
            # The plans go index by index, whatever the parameters: planning them again was half of what a lease cost.
            self.database.execute("SET plan_cache_mode = force_generic_plan")
        return self.database

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
        if self.database is not None:
            self.database.close()
            self.database = None
