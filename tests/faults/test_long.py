"""Each fault on its own, as often as TIMES says, with the books checked after each: `make faults`."""

from collections.abc import Callable

import pytest

from tests.faults.brokers import BROKER
from tests.faults.databases import POSTGRES
from tests.faults.journals import JOURNAL
from tests.faults.masters import MASTERS
from tests.faults.migrations import MIGRATIONS
from tests.faults.parts import PARTS
from tests.faults.report import Row
from tests.faults.site import Site
from tests.faults.trial import Fault, conclude, inject

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    "fault", [*PARTS, *MASTERS, *BROKER, *JOURNAL, *POSTGRES, *MIGRATIONS], ids=lambda fault: fault.name
)
def test_fault_loses_and_doubles_nothing(site: Site, note: Callable[[Row], None], times: int, fault: Fault) -> None:
    """Under load, each acknowledged alert is stored and forwarded once, and the books balance."""
    for row in conclude(site, [inject(site, fault, times)]):
        note(row)
