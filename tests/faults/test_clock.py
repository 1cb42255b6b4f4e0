"""A worker's clock is wrong by an hour. Needs a C compiler, to set it so for one program only."""

from collections.abc import Callable

import pytest

from tests.faults.clocks import drain_by_another_clock
from tests.faults.report import Row
from tests.faults.site import Site
from tests.faults.trial import Fault, conclude, inject

pytestmark = pytest.mark.long


@pytest.mark.parametrize("offset", [3600, -3600])
def test_wrong_clock_loses_and_doubles_nothing(
    site: Site, note: Callable[[Row], None], times: int, offset: int
) -> None:
    """Under load, each acknowledged alert is stored and forwarded once, and the books balance."""
    fault = Fault(
        f"a drain's clock {offset / 3600:+.0f} h", lambda site: drain_by_another_clock(site, offset), steady=True
    )
    for row in conclude(site, [inject(site, fault, times)]):
        note(row)
