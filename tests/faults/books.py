"""The check after a fault: what was promised is there once, everywhere. What is wrong is returned by name."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.e2e.running import ROOT
from tests.e2e.window import get
from tests.faults.load import Ledger
from tests.faults.site import WAIT_SECONDS, Site
from tests.tether import tether

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


def check_ledger(site: Site, ledger: Ledger, deliveries: Mapping[str, Mapping[str, Counter[str]]]) -> Verdict:
    """Compare what the door promised with receipts, endings, alerts and deliveries (of `read_deliveries`)."""
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
    return verdict


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


def audit(site: Site, *options: str) -> tuple[int, dict[str, Any]]:
    """Run `alert-intake audit` as an operator would; return its exit status and what it says."""
    answer = command(site, "audit", "--json", *options)
    assert answer.stdout, answer.stderr
    return answer.returncode, json.loads(answer.stdout)


def command(site: Site, *arguments: str, release: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run `alert-intake` on the stack, that of another release if wanted; return how it ended and what it said."""
    process = start_command(site, *arguments, release=release)
    said, complained = process.communicate(timeout=WAIT_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def start_command(site: Site, *arguments: str, release: Path = ROOT) -> "subprocess.Popen[str]":
    """Start `alert-intake` on the stack, with nothing but its addresses in the environment."""
    environment = {"PATH": "/usr/bin:/bin", "ALERT_INTAKE_CONFIG": str(site.stack.var / "config.toml")}
    environment |= {name: site.run[name] for name in ("JOURNAL_URL", "BROKER_URL", "DATABASE_URL")}
    return subprocess.Popen(
        tether([sys.executable, "-m", "console.command", *arguments]),
        cwd=release,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def door_log(site: Site) -> Path:
    """Return the door's log."""
    return site.stack.var / "log" / "ingress.log"


COUNT_DUE = """
    SELECT count(*) FROM outbox o JOIN subscriptions s ON s.id = o.subscription_id
    WHERE o.state = 'due' AND s.state <> 'paused'
"""
COUNT_RECEIPTS = """
    SELECT replace(request_id::text, '-', ''), count(*) FROM receipts WHERE request_id = ANY(%s::uuid[]) GROUP BY 1
"""
SELECT_ENDINGS = """
    SELECT replace(request_id::text, '-', ''), item, array_agg(ending)
    FROM receipts JOIN endings USING (entered_at, sequence, incarnation)
    WHERE request_id = ANY(%s::uuid[]) GROUP BY 1, 2
"""
