"""A stack whose alerts are held for a look-up, the service that is asked, and the worker that asks it.

The local stack has no enrich workers. So one is run here by the documented command, and started again as whoever runs
such workers would. The drains learn from the configuration that alerts are held.
"""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.running import Account, Stack
from tests.faults.beside import make_databases
from tests.faults.parts import restart_part
from tests.faults.site import DRAIN, Site
from tests.faults.workers import end_worker, start_worker
from tests.integration.orders import Orders, run_orders

ENRICH = "-Q enrich"
TABLES = """
[enrichment.remote]
give_up_after = 10.0
trip_seconds = 2.0

[[enrichment.lookups]]
name = "orders"
url = "{url}"
timeout = 1.0
cache_seconds = 0.0
allow_http = true
"""


@dataclass(slots=True)
class Desk:
    """All of it, and what can be done to it."""

    site: Site
    orders: Orders
    folder: Path
    worker: subprocess.Popen[bytes] | None = None
    lives: int = 0

    def start(self) -> None:
        """Start the worker."""
        self.lives += 1
        self.worker = start_worker(self.site, ENRICH, "threads", self.folder / f"enrich{self.lives}.log")

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the worker, if one runs."""
        if self.worker is not None:
            end_worker(self.worker, how)
            self.worker = None

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Let the service read what it is asked and answer nothing, for the time of the block."""
        self.orders.open.clear()
        try:
            yield
        finally:
            self.orders.open.set()

    def count_unsettled(self) -> int:
        """Return for how many alerts it is still open what came of the look-up."""
        return int(self.site.query(COUNT_UNSETTLED)[0][0])

    def count_forgotten(self) -> int:
        """Return how many alerts have neither an answer of the look-up nor the mark that they go without."""
        return int(self.site.query(COUNT_FORGOTTEN)[0][0])

    def is_told_with_answer(self, alert_id: str) -> bool:
        """Tell whether an alert was delivered with the answer of the look-up."""
        return bool(self.site.query(TOLD_WITH_ANSWER, alert_id))


@contextlib.contextmanager
def run_desk(site: Site, folder: Path) -> Iterator[Desk]:
    """Run it as a second stack on databases of its own in the servers of the first."""
    account = Account(environment=make_databases(site, "with_lookups", 3))
    stack = Stack(folder / "lookups", folder / "lookups.output", account)
    with run_orders() as orders, stack.running():
        desk = Desk(Site(stack, site.broker), orders, folder)
        with (stack.var / "config.toml").open("a", encoding="utf-8") as configuration:
            configuration.write(TABLES.format(url=orders.url))
        restart_part(desk.site, DRAIN)  # it reads its configuration once
        desk.start()
        try:
            yield desk
        finally:
            desk.end()


COUNT_UNSETTLED = """
    SELECT (SELECT count(*) FROM enrichments) + (SELECT count(*) FROM alerts WHERE enrichment ? 'pending')
"""
COUNT_FORGOTTEN = """
    SELECT count(*) FROM alerts
    WHERE NOT enrichment ? 'orders' AND NOT coalesce(enrichment->'failed' ? 'orders', false)
"""
TOLD_WITH_ANSWER = """
    SELECT FROM alerts a JOIN outbox o ON o.alert_id = a.id JOIN events e ON e.id = o.event_id
    WHERE a.provider_alert_id = %s AND o.state = 'delivered' AND e.alert->'enrichment' ? 'orders'
"""
