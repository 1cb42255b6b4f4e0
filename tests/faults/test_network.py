"""The lines between the parts fail in every way a network knows."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.networks import DISTURBANCES, Disturbance, Lines, run_behind_proxies
from tests.faults.report import Row
from tests.faults.site import Site
from tests.faults.trial import conclude, inject

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def behind(site: Site, faults_folder: Path) -> Iterator[tuple[Site, Lines]]:
    """Run a stack whose servers are behind proxies."""
    with run_behind_proxies(site, faults_folder) as running:
        yield running


@pytest.mark.parametrize("disturbance", DISTURBANCES, ids=lambda disturbance: disturbance.name)
def test_broken_line_loses_and_doubles_nothing(
    behind: tuple[Site, Lines], note: Callable[[Row], None], times: int, disturbance: Disturbance
) -> None:
    """Under load, each acknowledged alert is stored and forwarded once, and the books balance."""
    site, lines = behind
    for row in conclude(site, [inject(site, disturbance.on(lines), times)]):
        note(row)
