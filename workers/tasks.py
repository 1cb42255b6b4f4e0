"""The tasks. Each opens what it needs, works for a few seconds, and ends, so that a warm shutdown ends in time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, TypeVar

from billiard import current_process

from workers.app import app
from workers.database.kept import Kept
from workers.delivery.forward import Forwarder
from workers.intake.drain import drain
from workers.intake.relink import relink_stored
from workers.lookups.asking import Remote
from workers.lookups.late import settle_forgotten
from workers.lookups.remote import open_remotes
from workers.lookups.station import Station
from workers.notices.tell import tell_notices, tell_of_books
from workers.settings import Workshop, load_workshop
from workers.upkeep.retention import maintain

FORWARD_SECONDS = 5.0
ENRICH_SECONDS = 5.0
RELINK_FOR_SECONDS = 4.0
SETTLE_FOR_SECONDS = 4.0
# Held by the one tick that forwards, and by the one that waits for its end, so that somebody always listens.
FORWARDING, NEXT = Lock(), Lock()
# Those that no tick has in hand, the one that has waited longest first: what stations have in flight is recorded soon.
DATABASES: SimpleQueue[Kept] = SimpleQueue()
STATIONS: SimpleQueue[Station] = SimpleQueue()

Spare = TypeVar("Spare")


@cache
def workshop() -> Workshop:
    """Read the settings once per process, after the fork."""
    return load_workshop()


@contextmanager
def in_hand(spares: SimpleQueue[Spare], make: Callable[[], Spare]) -> Iterator[Spare]:
    """Lend one that no other tick of this process has, made if there is none."""
    try:
        spare = spares.get_nowait()
    except Empty:
        spare = make()
    try:
        yield spare
    finally:
        spares.put(spare)


@app.task(name="workers.drain", bind=True)
def drain_tick(self: Any) -> None:  # noqa: ANN401 - a bound celery task
    """Carry entries from the journal to the database for a few seconds."""
    # The same name for whoever takes this process's place, so that it finds at once what was left behind.
    consumer = f"{self.request.hostname}/{getattr(current_process(), 'index', 0)}"
    with in_hand(DATABASES, lambda: Kept(workshop().database_url, "drain")) as kept:
        drain(workshop(), consumer, workshop().configuration.drain.seconds, kept)


@cache
def forwarder() -> Forwarder:
    """Make the one forwarder of this process: two would lease after each other what one delivers alone."""
    return Forwarder(workshop())


@app.task(name="workers.forward")
def forward_tick() -> None:
    """Deliver what is due for a few seconds. What a slow receiver still holds then is left to the next tick."""
    if not NEXT.acquire(blocking=False):
        return
    try:
        FORWARDING.acquire()
    finally:
        NEXT.release()
    try:
        forwarder().run(FORWARD_SECONDS)
    finally:
        FORWARDING.release()


@cache
def remotes() -> list[Remote]:
    """Open the remote enrichers once per process: all its ticks share their caches and circuits."""
    return open_remotes(workshop().configuration)


@app.task(name="workers.enrich")
def enrich_tick() -> None:
    """Ask the remote enrichers for a few seconds; without any there is nothing to do."""
    if not workshop().configuration.enrichment.remote_names:
        return
    with in_hand(STATIONS, lambda: Station(workshop(), remotes())) as station:
        station.run(ENRICH_SECONDS)


@app.task(name="workers.notify")
def notify_tick() -> None:
    """Tell of alerts that near their deadline, and of subscriptions that were paused or resumed."""
    tell_notices(workshop())


@app.task(name="workers.audit")
def audit_tick() -> None:
    """Audit the books, and tell of what does not balance."""
    tell_of_books(workshop())


@app.task(name="workers.relink")
def relink_tick() -> None:
    """Link alerts that were stored before there were links, for a few seconds; once all are there is nothing to do."""
    relink_stored(workshop(), RELINK_FOR_SECONDS)


@app.task(name="workers.settle")
def settle_tick() -> None:
    """Settle what no enricher was asked about and no enrich worker has settled, for a few seconds."""
    settle_forgotten(workshop(), SETTLE_FOR_SECONDS)


@app.task(name="workers.maintain")
def maintain_tick() -> None:
    """Make partitions, and remove what has been kept long enough."""
    maintain(workshop())
