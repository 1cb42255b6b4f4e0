"""A receiver that answers badly gets everything in the end, once by its webhook ids, and keeps nobody else waiting."""

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from statistics import median

import pytest

from tests.e2e.bodies import dispute, fresh_id
from tests.e2e.sender import Sender
from tests.faults.books import check_ledger, deliveries_of, settle
from tests.faults.commands import audit, command
from tests.faults.load import Load
from tests.faults.receiver import Mood, Receiver, serve_receiver
from tests.faults.report import Row
from tests.faults.site import Site
from tests.faults.trial import is_delivered

pytestmark = pytest.mark.long

BAD_SECONDS = 10.0
PUSHES_A_SECOND = 4.0  # every bad delivery takes its ten seconds, and its place among them
TIMEOUT = 3.0  # seconds for a delivery to it
OTHERS_SECONDS = 30.0  # on a machine that is ever so busy
NAME = "moody"


@pytest.fixture(scope="module")
def moody(site: Site) -> Iterator[Receiver]:
    """Subscribe a receiver of the test's own to every alert of the stack."""
    with serve_receiver() as (receiver, address):
        added = command(site, "subscriptions", "add", NAME, address, "--timeout", str(TIMEOUT), "--event", "alert.*")
        assert added.returncode == 0, added.stderr
        try:
            yield receiver
        finally:
            command(site, "subscriptions", "remove", NAME, "--yes")


@pytest.mark.parametrize("mood", ["refusing", "hanging", "closing", "trickling"])
def test_bad_receiver_gets_everything_once(
    site: Site, note: Callable[[Row], None], times: int, moody: Receiver, mood: Mood
) -> None:
    """While it is bad the other receiver gets its alerts at once; when it is well again it gets all of them."""
    seconds = []
    began = datetime.now(UTC).isoformat()
    with Load(site.run, pushes_a_second=PUSHES_A_SECOND) as load, contextlib.closing(Sender(site.run)) as sender:
        for _ in range(times):
            with moody.in_mood(mood):
                ending = time.monotonic() + BAD_SECONDS
                while time.monotonic() < ending:
                    sender.push(dispute(alert_id := fresh_id()))
                    seconds.append(
                        site.seconds_until(
                            lambda alert_id=alert_id: is_delivered(site, alert_id),
                            OTHERS_SECONDS,
                            "the other receiver gets its alert",
                        )
                    )
                    time.sleep(0.5)
    # Whoever waited for it would wait for its timeout. One of them may be slow for other reasons, half of them not.
    assert median(seconds) < TIMEOUT / 2, seconds
    # Bad for minutes, the schedule's next attempt may be ten minutes off: an operator need not wait for it.
    hurried = command(site, "deliveries", "retry", "--subscription", NAME, "--state", "due", "--since", began)
    assert hurried.returncode == 0, hurried.stderr
    settle(site)
    local = check_ledger(site, load.ledger, deliveries_of(site))
    own = check_ledger(site, load.ledger, moody.received, NAME)
    assert (local.lost, local.doubled, own.lost, own.doubled) == ([], [], [], [])
    status, books = audit(site)
    assert (status, books["balanced"]) == (0, True)
    ledger = load.ledger
    counts = ledger.pushes, len(ledger.acknowledged), ledger.refused
    note(Row(f"receiver {mood} for 10 s", times, *counts, 0, 0, max(seconds)))
