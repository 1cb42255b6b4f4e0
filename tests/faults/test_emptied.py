"""The whole journal is deleted by somebody's hand: nothing can bring it back, but the books say what is missing."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.running import Account, Stack
from tests.e2e.window import get
from tests.faults.books import check_ledger, deliveries_of
from tests.faults.commands import audit, door_log
from tests.faults.databases import failing
from tests.faults.load import Load
from tests.faults.report import Row
from tests.faults.site import WAIT_SECONDS, Site
from tests.faults.trial import FLOW, follow_alert

pytestmark = pytest.mark.long

CARRIED_ON_SECONDS = 30.0


@contextmanager
def run_own(site: Site, folder: Path) -> Iterator[Site]:
    """Run a stack of the test's own, whose books may end out of balance. Its broker is a database of the suite's."""
    account = Account(environment={"BROKER_URL": site.broker.url.replace("/0", "/2")})
    with Stack(folder, folder.with_suffix(".output"), account).running() as stack:
        yield Site(stack, site.broker)


def test_emptied_journal_is_carried_on_from_and_its_losses_are_named(
    site: Site, note: Callable[[Row], None], times: int, faults_folder: Path
) -> None:
    """Workers carry on within seconds; the audit counts what is missing and names it from the door's log."""
    found = []
    for turn in range(times):
        with run_own(site, faults_folder / f"emptied{turn}") as own:
            found.append(empty_journal(own))
    pushes, acknowledged, refused, lost = (sum(counts) for counts in zip(*(counts for counts, _ in found), strict=True))
    seconds = max(seconds for _, seconds in found)
    note(Row("journal emptied by hand (all of it named)", times, pushes, acknowledged, refused, lost, 0, seconds))


def empty_journal(site: Site) -> tuple[tuple[int, int, int, int], float]:
    """Empty it under load; return pushes, acknowledged, refused and lost, and the seconds until all went on."""
    with Load(site.run) as load, site.journal() as journal:
        load.wait_for_acknowledgements(FLOW)
        with failing(site, "53100", "receipts"):  # entries pile up, and the drains see how many there are
            time.sleep(6)
            journal.flushall()
        seconds = follow_alert(site, load)
        load.wait_for_acknowledgements(FLOW)
    site.seconds_until(lambda: get(site.run, "/v1/audit")["waiting"] == 0, WAIT_SECONDS, "nothing waits")
    missing = check_missing(site, load)
    lost = missing & load.ledger.acknowledged.keys()
    assert lost
    status, books = audit(site, "--acks", str(door_log(site)))
    named = {one["request_id"] for one in books["unaccounted"] if "request_id" in one}
    counted = sum(one["entries"] for one in books["unaccounted"] if "entries" in one)
    assert (status, books["balanced"]) == (1, False)
    assert named == missing
    assert len(named) / 2 < counted <= len(named)  # up to the last look, of six seconds' entries
    assert seconds < CARRIED_ON_SECONDS
    ledger = load.ledger
    return (ledger.pushes, len(ledger.acknowledged), ledger.refused, len(lost)), seconds


def check_missing(site: Site, load: Load) -> set[str]:
    """Return the requests that were kept and have no receipt; nothing may be doubled."""
    verdict = check_ledger(site, load.ledger, deliveries_of(site))
    assert verdict.doubled == []
    receipt = "receipt of request "
    return {line.removeprefix(receipt) for line in verdict.lost if line.startswith(receipt)}
