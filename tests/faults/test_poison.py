"""An entry that breaks whoever works on it costs itself, and none of those beside it."""

import time
from collections.abc import Callable

import pytest

from tests.faults.books import check_ledger, deliveries_of, settle
from tests.faults.commands import audit
from tests.faults.poisons import GOOD, POISONS, Poison, push_poisoned, rejected
from tests.faults.report import Row
from tests.faults.site import DRAIN, WAIT_SECONDS, Site

pytestmark = pytest.mark.long


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.name)
def test_only_the_culprit_is_rejected(site: Site, note: Callable[[Row], None], times: int, poison: Poison) -> None:
    """Of 500 good alerts and a poisoned one in their midst, 500 are stored and forwarded and one is a rejection."""
    seconds = []
    for _ in range(times):
        drains = set(site.pids(DRAIN, leaves=True))
        with poison.at_work(site):
            ledger, alert_id = push_poisoned(site, poison)
            began = time.monotonic()
            assert (len(ledger.acknowledged), ledger.refused) == (GOOD + 1, 0)
            site.seconds_until(lambda ledger=ledger: rejected(site, ledger), WAIT_SECONDS, "it is rejected")
            settle(site)
        seconds.append(time.monotonic() - began)
        assert (drains <= set(site.pids(DRAIN, leaves=True))) != poison.kills, "drains are killed, if it is that"
        verdict = check_ledger(site, ledger, deliveries_of(site))
        assert (verdict.lost, verdict.doubled) == ([], [])
        assert rejected(site, ledger) == [poison.reason]
        assert site.query("SELECT FROM alerts WHERE provider_alert_id = %s", alert_id) == []
    status, books = audit(site)
    assert (status, books["balanced"]) == (0, True)
    note(Row(poison.name, times, times * (GOOD + 1), times * (GOOD + 1), 0, 0, 0, max(seconds)))
