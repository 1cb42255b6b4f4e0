"""The kills and restarts, once each, within three minutes: what `make test` runs of the fault suite."""

from collections.abc import Callable

from tests.faults import databases, journals
from tests.faults.brokers import EMPTIED, RESTARTED
from tests.faults.parts import PARTS
from tests.faults.report import Row
from tests.faults.site import Site
from tests.faults.trial import conclude, inject

SHORT = [*PARTS, EMPTIED, RESTARTED, journals.KILLED, databases.KILLED]


def test_kills_and_restarts_lose_and_double_nothing(site: Site, note: Callable[[Row], None]) -> None:
    """Whatever is killed or asked to end at its worst moment, each acknowledged alert is there, forwarded, once."""
    trials = [inject(site, fault, 1) for fault in SHORT]
    for row in conclude(site, trials):
        note(row)
