"""The check after a fault: what was promised is there once, everywhere. What is wrong is returned by name."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import requests

from tests.e2e.window import get
from tests.faults.load import Ledger
from tests.faults.site import Site

SETTLE_SECONDS = 300.0


@dataclass(slots=True)
class Verdict:
    """What is lost and what is there twice, one line each."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)


def settle(site: Site, seconds: float = SETTLE_SECONDS) -> float:
    """Wait until nothing waits in the journal and nothing is due to the receiver; return the seconds that took."""

    def nothing_waits() -> bool:
        try:
            waiting = get(site.run, "/v1/audit")["waiting"]
        except requests.RequestException:
            return False
        return waiting == 0 and site.query(COUNT_DUE) == [(0,)]

    return site.seconds_until(nothing_waits, seconds, "the books are settled")


def check_ledger(
    site: Site,
    ledger: Ledger,
    deliveries: Mapping[str, Mapping[str, Counter[str]]],
    subscription: str = "local-receiver",
) -> Verdict:
    """Compare what the door promised with receipts, endings, alerts and what the subscription's receiver got."""
    verdict = Verdict()
    promised = ledger.acknowledged | ledger.kept
    receipts: dict[str, int] = dict(site.query(COUNT_RECEIPTS, list(promised)))
    endings = {(request, item): found for request, item, found in site.query(SELECT_ENDINGS, list(promised))}
    for request, push in promised.items():
        sort_count(verdict, f"receipt of request {request}", receipts.get(request, 0))
        for item in range(push.items):
            sort_count(verdict, f"ending of item {item} of request {request}", len(endings.get((request, item), ())))
    for (request, item), found in endings.items():
        if item >= promised[request].items:
            verdict.doubled.append(f"item {item} of request {request}, which has fewer")
        if "rejected" in found and request in ledger.acknowledged and promised[request].alerts:
            verdict.lost.append(f"item {item} of request {request}: acknowledged, and rejected")
    for request in ledger.kept:
        if endings.get((request, 0), ["rejected"]) != ["rejected"]:
            verdict.lost.append(f"the rejection of request {request}")
    rows = site.query(
        "SELECT provider_alert_id, id::text FROM alerts WHERE provider_alert_id = ANY(%s)",
        [*ledger.alerts, *ledger.unsure],
    )
    stored = Counter(provider_alert_id for provider_alert_id, _ in rows)
    for alert in ledger.alerts:
        sort_count(verdict, f"alert {alert}", stored[alert])
    for alert in ledger.unsure.difference(ledger.alerts):
        if stored[alert] > 1:
            verdict.doubled.append(f"alert {alert}, which was not acknowledged: {stored[alert]} times")
    for _, own_id in rows:
        received = deliveries.get(own_id, {})
        sort_count(verdict, f"alert.created of alert {own_id} at the receiver", len(received.get("alert.created", ())))
    check_outbox(verdict, site, subscription, [own_id for _, own_id in rows], deliveries)
    return verdict


def check_outbox(
    verdict: Verdict,
    site: Site,
    subscription: str,
    own_ids: list[str],
    deliveries: Mapping[str, Mapping[str, Counter[str]]],
) -> None:
    """Hold what was due to the receiver against what it got, of every event: nothing is given up, nothing made up."""
    due: dict[str, set[str]] = defaultdict(set)
    for own_id, outbox_id, event, state in site.query(SELECT_OUTBOX, own_ids, subscription):
        due[own_id].add(outbox_id)
        if outbox_id not in deliveries.get(own_id, {}).get(event, ()):
            verdict.lost.append(f"{event} of alert {own_id}, webhook {outbox_id}, {state}")
        elif state != "delivered":
            verdict.lost.append(f"the delivery of webhook {outbox_id}, which the receiver got: it is {state}")
    for own_id in own_ids:
        got = {webhook_id for ids in deliveries.get(own_id, {}).values() for webhook_id in ids}
        verdict.doubled += [f"webhook {webhook_id} of alert {own_id}, never due" for webhook_id in got - due[own_id]]


def sort_count(verdict: Verdict, what: str, count: int) -> None:
    """Once is right; never is lost, oftener is doubled."""
    if count == 0:
        verdict.lost.append(what)
    elif count > 1:
        verdict.doubled.append(f"{what}: {count} times")


def read_deliveries(lines: Iterable[str]) -> dict[str, dict[str, Counter[str]]]:
    """Return what the local receiver's file holds: our alert id -> event -> webhook ids with how often each came."""
    found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for line in lines:
        delivery = json.loads(line)
        body = delivery["body"]
        found[body["payload"]["id"]][body["event"]][delivery["webhook_id"]] += 1
    return found


def deliveries_of(site: Site) -> dict[str, dict[str, Counter[str]]]:
    """Read what the stack's own receiver got, over all its lives."""
    with (site.stack.var / "received.jsonl").open(encoding="utf-8") as file:
        return read_deliveries(file)


COUNT_DUE = """
    SELECT count(*) FROM outbox o JOIN subscriptions s ON s.id = o.subscription_id
    WHERE o.state = 'due' AND s.state <> 'paused'
"""
COUNT_RECEIPTS = """
    SELECT replace(request_id::text, '-', ''), count(*) FROM receipts WHERE request_id = ANY(%s::uuid[]) GROUP BY 1
"""
SELECT_OUTBOX = """
    SELECT o.alert_id::text, o.id::text, e.type, o.state
    FROM outbox o JOIN events e ON e.id = o.event_id JOIN subscriptions s ON s.id = o.subscription_id
    WHERE o.alert_id = ANY(%s::uuid[]) AND s.name = %s
"""
SELECT_ENDINGS = """
    SELECT replace(request_id::text, '-', ''), item, array_agg(ending)
    FROM receipts JOIN endings USING (entered_at, sequence, incarnation)
    WHERE request_id = ANY(%s::uuid[]) GROUP BY 1, 2
"""
