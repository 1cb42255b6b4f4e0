"""Failovers of the journal and the broker under load: what was acknowledged and is not there, and how long it takes."""

import contextlib
import signal
import time
from collections.abc import Callable

import pytest

from tests.e2e.bodies import dispute, fresh_id
from tests.e2e.sender import Sender
from tests.faults.books import check_ledger, deliveries_of, settle
from tests.faults.commands import audit, door_log
from tests.faults.load import Load
from tests.faults.table import TIMES
from tests.faults.trial import follow_alert
from tests.sentinel.accidents import ACCIDENTS, Accident
from tests.sentinel.conftest import Place
from tests.sentinel.report import Row

pytestmark = pytest.mark.long

CONNECTIONS = 8
PUSHES_A_SECOND = 120.0
ALONE_SECONDS = 2.0  # how long the door may go on with a primary that is none any more
FLOW = 60  # acknowledgements before each accident


@pytest.mark.parametrize("accident", ACCIDENTS, ids=lambda accident: accident.name)
def test_failover_under_load(place: Place, accident: Accident, note: Callable[[Row], None]) -> None:
    """With a replica demanded nothing acknowledged is lost, without one what the replica lacked; nothing is doubled.

    Whatever is lost is named by `audit --acks` from the door's log.
    """
    cluster, site = place.cluster, place.site
    seconds = []
    with Load(site.run, CONNECTIONS, PUSHES_A_SECOND) as load:
        for _ in range(TIMES):
            load.wait_for_acknowledgements(FLOW)
            began = time.monotonic()
            accident.happen(cluster)
            if place.replicas and accident.service == "journal":  # of two servers both are needed
                cluster.wait_until_whole(accident.service)
            follow_alert(site, load)
            seconds.append(time.monotonic() - began)
            cluster.wait_until_whole(accident.service)
        load.wait_for_acknowledgements(FLOW)
    settle(site)
    verdict = check_ledger(site, load.ledger, deliveries_of(site))
    unaccounted = named_missing(place) & set(load.ledger.acknowledged)
    lost = {line.split()[-1] for line in verdict.lost if line.startswith("receipt of")} & set(load.ledger.acknowledged)
    note(
        Row(
            place.replicas,
            accident.name,
            TIMES,
            load.ledger.pushes,
            len(load.ledger.acknowledged),
            len(lost),
            len(verdict.doubled),
            max(seconds),
        )
    )
    assert verdict.doubled == []
    assert unaccounted == lost
    if place.replicas or accident.service == "broker":
        assert verdict.lost == []
    assert len(lost) <= TIMES * ALONE_SECONDS * PUSHES_A_SECOND


def named_missing(place: Place) -> set[str]:
    """Return the request ids that `audit --acks` names, once its books say that nothing was settled too often."""
    _, books = audit(place.site, "--acks", str(door_log(place.site)))
    assert books["orphaned"] == 0
    assert all(account["missing"] >= 0 for account in books["incarnations"]), books
    return {entry["request_id"] for entry in books["unaccounted"] if "request_id" in entry}


def test_silent_replica_is_a_refusal_only_where_it_is_demanded(place: Place) -> None:
    """With journal.replicas = 1 the door refuses while the replica does not answer, and goes on when it does."""
    replica = place.cluster.replica("journal")
    with contextlib.closing(Sender(place.site.run)) as sender:

        def acknowledged() -> bool:
            return sender.push(dispute(fresh_id())).acknowledged

        place.site.seconds_until(acknowledged, 20, "a push is acknowledged")
        replica.send(signal.SIGSTOP)
        try:
            assert acknowledged() is (place.replicas == 0)
        finally:
            replica.send(signal.SIGCONT)
        place.site.seconds_until(acknowledged, 20, "a push is acknowledged again")
