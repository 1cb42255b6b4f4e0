"""The kills and restarts, once each, within three minutes: what `make test` runs of the fault suite."""

from collections.abc import Callable

from tests.faults.brokers import empty_broker
from tests.faults.databases import kill_postgres
from tests.faults.journals import kill_journal
from tests.faults.parts import PARTS
from tests.faults.report import Row
from tests.faults.site import Site
from tests.faults.trial import Fault, conclude, inject

SHORT = [
    *PARTS,
    Fault("broker FLUSHDB", empty_broker, steady=True),
    Fault("journal kill -9", kill_journal),
    Fault("PostgreSQL kill -9", kill_postgres, steady=True),
]


def test_kills_and_restarts_lose_and_double_nothing(site: Site, note: Callable[[Row], None]) -> None:
    """Whatever is killed or asked to end at its worst moment, each acknowledged alert is there, forwarded, once."""
    trials = [inject(site, fault, 1) for fault in SHORT]
    for row in conclude(site, trials):
        note(row)
