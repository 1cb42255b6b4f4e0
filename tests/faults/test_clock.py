"""A worker's clock is wrong by an hour. Needs a C compiler, to set it so for one program only."""

from collections.abc import Callable

import pytest

from tests.faults.clocks import WORKERS, Worker, clock_library, work_by_another_clock
from tests.faults.report import Row
from tests.faults.site import Site
from tests.faults.trial import Fault, conclude, inject

pytestmark = pytest.mark.long


@pytest.mark.parametrize("offset", [3600, -3600], ids=["+1h", "-1h"])
@pytest.mark.parametrize("worker", WORKERS, ids=lambda worker: worker.name)
def test_wrong_clock_loses_and_doubles_nothing(
    site: Site, note: Callable[[Row], None], times: int, worker: Worker, offset: int
) -> None:
    """Under load, each acknowledged alert is stored and forwarded once, and the books balance."""
    clock_library(site)
    fault = Fault(
        f"a {worker.name} worker's clock {offset / 3600:+.0f} h",
        lambda site: work_by_another_clock(site, worker, offset),
        steady=True,
    )
    for row in conclude(site, [inject(site, fault, times)]):
        note(row)
