"""Remote enrichment fails in every way: nothing is lost or doubled by it, and no alert is held for ever."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.desk import Desk, run_desk
from tests.faults.lookups import TROUBLES, Trouble, push_alert
from tests.faults.report import Row
from tests.faults.site import WAIT_SECONDS, Site
from tests.faults.trial import conclude, inject

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def desk(site: Site, faults_folder: Path) -> Iterator[Desk]:
    """Run a stack that holds its alerts for a look-up."""
    with run_desk(site, faults_folder) as running:
        yield running


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_trouble_with_enrichment_loses_and_doubles_nothing(
    desk: Desk, note: Callable[[Row], None], times: int, trouble: Trouble
) -> None:
    """Under load, each acknowledged alert is stored and forwarded once, with an answer or marked as going without."""
    rows = conclude(desk.site, [inject(desk.site, trouble.at(desk), times)])
    desk.site.seconds_until(lambda: not desk.count_unsettled(), WAIT_SECONDS, "every look-up is settled")
    assert desk.count_forgotten() == 0
    alert_id = push_alert(desk)
    desk.site.seconds_until(lambda: desk.is_told_with_answer(alert_id), WAIT_SECONDS, "a new alert has its answer")
    for row in rows:
        note(row)
