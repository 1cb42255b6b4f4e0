"""`GET /metrics`: what the stores hold. As everything at the console it wants a token, one with the role `read`."""

import os
from collections.abc import Callable, Iterator

import psycopg
import redis
import structlog
from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from psycopg_pool import PoolTimeout

from console.metrics.books import Books
from console.metrics.database import measure_database
from console.metrics.gauges import gauges
from console.metrics.journal import measure_broker, measure_journal
from console.pool import ReadPool
from console.unreachable import Unreachable
from console.web.admission import admit_program
from schemas.journal.append import JournalUnavailable, connect_journal
from schemas.journal.redis_address import require_redis
from schemas.settings.journal import Journal
from schemas.telemetry.counting import BuildInfo, show_counts

ANSWER_SECONDS = 1.0  # of a Redis, five of PostgreSQL: Prometheus waits for ten in all
FAILURES = (JournalUnavailable, Unreachable, PoolTimeout, psycopg.Error, redis.RedisError, OSError)

log = structlog.get_logger()


def create_metrics(settings: Journal, pool: ReadPool) -> Blueprint:
    """Return the page. Connects to nothing yet. Without BROKER_URL nothing is said of the broker."""
    page = Blueprint("metrics", __name__)
    journal = connect_journal(require_redis("JOURNAL_URL"), ANSWER_SECONDS)
    broker = connect_journal(require_redis("BROKER_URL"), ANSWER_SECONDS) if os.environ.get("BROKER_URL") else None
    stores = Stores(settings, journal, broker, pool)

    @page.get("/metrics")
    def metrics() -> Response:
        admit_program(request, "read")
        return Response(show_counts(None, stores, BuildInfo("console")), content_type=CONTENT_TYPE_LATEST)

    return page


class Stores(Collector):
    """Asks every store. One that does not answer is told of as such, and the others are told of all the same."""

    def __init__(self, settings: Journal, journal: redis.Redis, broker: redis.Redis | None, pool: ReadPool) -> None:
        self._pool = pool
        self._books = Books(journal, pool, settings.stream)
        self._stores: dict[str, Callable[[], Iterator[Metric]]] = {
            "journal": lambda: measure_journal(journal, settings),
            "postgres": self._measure_database,
        }
        if broker is not None:
            self._stores["broker"] = lambda: measure_broker(broker)

    def collect(self) -> Iterator[Metric]:
        """Measure all of it."""
        up: dict[tuple[str, ...], float] = {}
        for name, measure in self._stores.items():
            found = attempt(name, measure)
            up[name,] = float(found is not None)
            yield from found or ()
        if up["journal",] and up["postgres",]:
            yield from attempt("books", self._books.measure) or ()
        yield self._books.tell_when()
        yield gauges("store_up", "1 while the store answers the console", ("store",), up)

    def _measure_database(self) -> Iterator[Metric]:
        with self._pool.connection() as database:
            yield from measure_database(database)


def attempt(name: str, measure: Callable[[], Iterator[Metric]]) -> list[Metric] | None:
    """Return what was measured, None when the store failed."""
    try:
        return list(measure())
    except FAILURES as error:
        log.warning("not_measured", what=name, why=type(error).__name__)
        return None
