"""One fault under load: inject it a few times, see how long recovery takes each time, settle, check the books."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from tests.e2e.bodies import dispute, fresh_id
from tests.e2e.sender import PATIENCE, Sender
from tests.faults.books import Verdict, check_ledger, deliveries_of, settle
from tests.faults.commands import audit
from tests.faults.load import Ledger, Load, Push
from tests.faults.report import Row
from tests.faults.site import WAIT_SECONDS, Site
from tests.faults.stalls import Stall, watch_journal

FLOW = 20  # acknowledgements before, between and after the injections


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: its name in the table, and what does it and, where it does not heal by itself, undoes it.

    `steady`: no push may be refused by it, unless the machine holds the journal up. `patience`: seconds that the
    senders wait for an answer meanwhile. `prepare`: what is waited for before the load.
    """

    name: str
    inject: Callable[[Site], None]
    steady: bool = False
    patience: float = PATIENCE
    prepare: Callable[[Site], None] | None = None


@dataclass(slots=True)
class Trial:
    """What was done and promised; the books are still to be checked."""

    fault: Fault
    ledger: Ledger
    stall: Stall
    seconds: list[float] = field(default_factory=list)


def inject(site: Site, fault: Fault, times: int) -> Trial:
    """Inject a fault so many times under load; each time wait until an alert takes its whole way again."""
    if fault.prepare is not None:
        fault.prepare(site)
    with watch_journal(site) as stall, Load(site.run, patience=fault.patience) as load:
        trial = Trial(fault, load.ledger, stall)
        load.wait_for_acknowledgements(FLOW)
        for _ in range(times):
            fault.inject(site)
            trial.seconds.append(follow_alert(site, load))
            load.wait_for_acknowledgements(FLOW)
    return trial


def follow_alert(site: Site, load: Load) -> float:
    """Push a new alert until it is acknowledged, and return the seconds until it was stored and delivered."""
    push = Push(dispute(alert_id := fresh_id()), (alert_id,))
    with contextlib.closing(Sender(site.run)) as sender:
        seconds = site.seconds_until(lambda: load.push(sender, push), WAIT_SECONDS, "a push is acknowledged")
    return seconds + site.seconds_until(
        lambda: is_delivered(site, alert_id), WAIT_SECONDS, "an alert is stored and delivered"
    )


def is_delivered(site: Site, alert_id: str) -> bool:
    """Tell whether an alert has been delivered to the stack's own receiver."""
    return bool(site.query(DELIVERED, alert_id))


def conclude(site: Site, trials: Sequence[Trial]) -> list[Row]:
    """Let things settle and check the books of each trial. Fails when anything is lost or doubled."""
    settle(site)
    deliveries = deliveries_of(site)
    rows, wrong = [], []
    for trial in trials:
        verdict = check_ledger(site, trial.ledger, deliveries)
        rows.append(row_of(trial, verdict))
        wrong += [f"{trial.fault.name}: lost {what}" for what in verdict.lost]
        wrong += [f"{trial.fault.name}: doubled {what}" for what in verdict.doubled]
        if trial.fault.steady and trial.ledger.refused and not trial.stall.explains(trial.ledger):
            wrong.append(
                f"{trial.fault.name}: {trial.ledger.refused} pushes were refused twice: {trial.ledger.reasons}; "
                f"the journal took {trial.stall.seconds:.1f} s at most"
            )
    status, books = audit(site)
    if status or not books["balanced"]:
        wrong.append(f"the books do not balance: {books}")
    return rows if not wrong else pytest.fail("\n".join(wrong))


def row_of(trial: Trial, verdict: Verdict) -> Row:
    """Return the line of the table."""
    return Row(
        trial.fault.name,
        len(trial.seconds),
        trial.ledger.pushes,
        len(trial.ledger.acknowledged),
        trial.ledger.refused,
        len(verdict.lost),
        len(verdict.doubled),
        max(trial.seconds),
    )


DELIVERED = """
    SELECT FROM alerts a JOIN outbox o ON o.alert_id = a.id JOIN subscriptions s ON s.id = o.subscription_id
    WHERE a.provider_alert_id = %s AND o.state = 'delivered' AND s.name = 'local-receiver'
"""
