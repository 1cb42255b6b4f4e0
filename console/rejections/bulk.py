"""Replay many rejections, the oldest first, each as if alone. Interrupted, it goes on when it is started again."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

from console.connections import Database
from console.rejections.queries import MATCHES, Sought
from console.rejections.replay import Desk, NoSuchRejection, NotOpen, Replay, replay_rejection
from console.unreachable import Refused
from schemas.journal.room import JournalFull

PAGE = 200
PAUSE = 1.0  # seconds between two looks at a full journal


@dataclass(frozen=True, slots=True)
class Left:
    """A rejection that was not replayed. `closed`: somebody else closed it meanwhile, so nothing is left to do."""

    rejection_id: str
    why: str
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """The journal is full: the replay waits until drains have made room."""

    why: str


Step = Replay | Left | Waiting


def bound_sought(database: Database, sought: Sought) -> tuple[Sought, int]:
    """Return what is sought among the open ones of this moment, and how many they are.

    Without the bound, what is rejected again would be replayed again, for ever.
    """
    with database.transaction():
        row = database.execute("SELECT now() AS now").fetchone() or {}
        bounded = replace(sought, state="open", until=min(sought.until or row["now"], row["now"]))
        counted = database.execute(COUNT_OPEN, asdict(bounded)).fetchone() or {}
    return bounded, int(counted["open"])


def replay_matching(desk: Desk, sought: Sought, patience: float, pause: Callable[[float], None]) -> Iterator[Step]:
    """Replay every open rejection that is sought, telling of each. Wait while the journal is full, with `pause`.

    Raises JournalFull when it stays full for `patience` seconds, and JournalUnavailable.
    """
    moment, last_id = None, None
    while True:
        place = {"moment": moment, "last_id": last_id, "limit": PAGE}
        with desk.database.transaction():
            rows = desk.database.execute(SELECT_OPEN, asdict(sought) | place).fetchall()
        for row in rows:
            yield from replay_patiently(desk, str(row["id"]), patience, pause)
        if len(rows) < PAGE:
            return
        moment, last_id = rows[-1]["rejected_at"], rows[-1]["id"]


def replay_patiently(desk: Desk, rejection_id: str, patience: float, pause: Callable[[float], None]) -> Iterator[Step]:
    """Replay one rejection as soon as the journal has room for it."""
    until = time.monotonic() + patience
    while True:
        try:
            yield replay_rejection(desk, rejection_id)
        except JournalFull as error:
            if time.monotonic() >= until:
                raise
            yield Waiting(str(error))
            pause(PAUSE)
            continue
        except (NotOpen, NoSuchRejection) as error:
            yield Left(rejection_id, str(error), closed=True)
        except Refused as error:
            yield Left(rejection_id, str(error))
        return


COUNT_OPEN = f"SELECT count(*) AS open FROM rejections WHERE {MATCHES}"  # noqa: S608 - of constants
SELECT_OPEN = f"""
    SELECT id, rejected_at FROM rejections
    WHERE {MATCHES} AND (%(moment)s::timestamptz IS NULL OR (rejected_at, id) > (%(moment)s, %(last_id)s::uuid))
    ORDER BY rejected_at, id LIMIT %(limit)s
"""  # noqa: S608 - of constants
