"""The whole way of an alert, from outside: pushed over mutual TLS, found at the console, received downstream."""

import random
from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.bodies import AS_DOCUMENTED, WITH_QUOTES, dispute, fresh_id, legacy_fraud, webhook, with_id
from tests.e2e.processes import descendants, kill_process
from tests.e2e.sender import Sender, push_all
from tests.e2e.window import find_alert, get, list_alerts, received, settled, wait_for

Environment = Mapping[str, str]


def stored(environment: Environment, alert_id: str) -> dict[str, Any]:
    """Wait until the alert is there and return it, with nothing left waiting."""
    found = wait_for(lambda: find_alert(environment, alert_id), bool)
    assert found is not None
    settled(environment)
    return find_alert(environment, alert_id) or found


@pytest.mark.parametrize("bodies", [(AS_DOCUMENTED, WITH_QUOTES), (WITH_QUOTES, AS_DOCUMENTED)])
def test_documented_sample_is_one_alert(run: Environment, reseller: Sender, bodies: tuple[bytes, bytes]) -> None:
    """The reseller's sample, exactly as documented and with quotes, in either order, is one repaired alert."""
    alert_id = fresh_id()
    for body in bodies:
        assert reseller.push(with_id(body, alert_id)).json() == {"alertId": alert_id, "status": "success"}
    alert = stored(run, alert_id)
    assert alert["repaired"] is True
    assert alert["details"]["company_id"] == "d2599442-95fa-49bf-a0a2-086362ef2283"
    assert (alert["duplicates"], alert["amount"], alert["merchant"]["id"]) == (1, "352.99", "456789")


def test_alert_is_acknowledged_stored_and_forwarded(run: Environment, ethoca: Sender) -> None:
    """One push is answered with success, becomes the alert of the read API, and reaches the receiver signed."""
    alert_id = fresh_id()
    answer = ethoca.push(dispute(alert_id))
    assert (answer.status, answer.json()) == (200, {"alertId": alert_id, "status": "success"})
    assert answer.headers["x-request-id"]
    alert = stored(run, alert_id)
    assert (alert["kind"], alert["status"], alert["amount"], alert["currency"]) == (
        "customer_dispute", "open", "125.40", "USD",
    )  # fmt: skip
    assert alert["card"] == {"bin": "555555", "last4": "4444", "network": "mastercard"}
    assert alert["transaction"]["at"] == "2026-11-19T14:30:00.000Z"
    assert alert["respond_by"] == "2026-11-21T17:11:05.000Z"

    def deliveries() -> list[dict[str, Any]]:
        return [found["body"] for found in received(run) if found["body"]["payload"]["providerId"] == alert_id]

    (body,) = wait_for(deliveries, bool)
    assert body["event"] == "alert.created"
    assert (body["payload"]["id"], body["payload"]["provider"], body["payload"]["amount"]) == (
        alert["id"], "ETHOCA", "125.40",
    )  # fmt: skip


@pytest.mark.parametrize("wrap", ["single", "list", "alerts"])
def test_one_or_many_per_push(run: Environment, ethoca: Sender, wrap: str) -> None:
    """Both Ethoca samples are taken one by one, as a list, and as an object that holds a list."""
    ids = [fresh_id(), fresh_id()]
    alerts = [dispute(ids[0]), legacy_fraud(ids[1])]
    wrapped: dict[str, list[Any]] = {"single": alerts, "list": [alerts], "alerts": [{"alerts": alerts}]}
    answers = [ethoca.push(body).json() for body in wrapped[wrap]]
    each = [{"alertId": alert_id, "status": "success"} for alert_id in ids]
    assert answers == (each if wrap == "single" else [{"status": "success", "alerts": each}])
    assert stored(run, ids[0])["kind"] == "customer_dispute"
    fraud = stored(run, ids[1])
    assert (fraud["kind"], fraud["card"]["bin"], fraud["card"]["last4"]) == ("confirmed_fraud", "411111", "1111")


def test_items_of_a_list_are_answered_each_for_itself(run: Environment, ethoca: Sender) -> None:
    """In a list, an item without an id fails alone, and is kept as a rejection."""
    alert_id = fresh_id()
    answer = ethoca.push([dispute(alert_id), {"issuer": "no id"}])
    assert answer.status == 200
    assert [item["status"] for item in answer.json()["alerts"]] == ["success", "failed"]
    stored(run, alert_id)


def test_both_doors_make_one_alert(run: Environment, ethoca: Sender, reseller: Sender) -> None:
    """The same Ethoca alert through Ethoca's door and the reseller's is one alert with what both know."""
    alert_id = fresh_id()
    ethoca.push(dispute(alert_id))
    reseller.push(webhook(alert_id, "alert.resolved", "2026-11-20T18:00:00Z"))
    alert = wait_for(lambda: find_alert(run, alert_id), lambda found: found and found["status"] == "resolved")
    assert alert is not None
    assert (alert["amount"], alert["merchant"]["id"], alert["kind"]) == ("125.40", "456789", "customer_dispute")


@pytest.mark.parametrize("order", [("created", "resolved"), ("resolved", "created")])
def test_resolution_before_or_after_creation(run: Environment, reseller: Sender, order: tuple[str, str]) -> None:
    """In whichever order they come, the alert ends resolved and both events reach the receiver."""
    alert_id = fresh_id()
    times = {"created": "2026-11-20T10:00:00Z", "resolved": "2026-11-20T12:00:00Z"}
    for event in order:
        reseller.push(webhook(alert_id, f"alert.{event}", times[event]))
        settled(run)
    assert stored(run, alert_id)["status"] == "resolved"

    def events() -> set[str]:
        return {d["body"]["event"] for d in received(run) if d["body"]["payload"]["providerId"] == alert_id}

    wait_for(events, lambda seen: {"alert.created", "alert.resolved"} <= seen)


def test_repeated_and_late_messages_never_reopen(run: Environment, reseller: Sender) -> None:
    """A, B, A again, and a late older message: the alert stays resolved, gaps are filled, nothing is overridden."""
    alert_id = fresh_id()
    created = webhook(alert_id, "alert.created", "2026-11-20T10:00:00Z")
    older = webhook(alert_id, "alert.created", "2026-11-19T10:00:00Z", amount="1.00", mcc="5732")
    for body in (created, webhook(alert_id, "alert.resolved", "2026-11-20T12:00:00Z"), created, older):
        assert reseller.push(body).acknowledged
        settled(run)
    alert = stored(run, alert_id)
    assert (alert["status"], alert["amount"], alert["duplicates"]) == ("resolved", "352.99", 1)
    assert alert["merchant"]["mcc"] == "5732"


@pytest.mark.parametrize("kills", [0, 5])
def test_many_pushes_over_many_connections(run: Environment, kills: int) -> None:
    """1,000 pushes of 600 alerts: 1,000 acknowledgements, 600 alerts, 400 duplicates, 600 deliveries, books in balance.

    Also while two drain processes are killed (kill -9) five times in between.
    """
    marker = fresh_id()
    ids = [f"{marker[:19]}{number:05d}" for number in range(600)]
    bodies = [dispute(alert_id, issuer=marker) for alert_id in ids + random.sample(ids, 400)]
    random.shuffle(bodies)
    before = len(received(run))
    acknowledged = 0
    for start in range(0, 1000, 200):
        answers = push_all(run, bodies[start : start + 200], connections=16)
        acknowledged += sum(answer is not None for answer in answers)
        if start // 200 < kills:
            for process in descendants(int(run["RUN_PID"]), "-Q drain", leaves=True)[:2]:
                kill_process(process)
    assert acknowledged == 1000
    books = settled(run)
    mine = [alert for alert in list_alerts(run) if alert["issuer"] == marker]
    assert len(mine) == 600
    assert {alert["provider_alert_id"] for alert in mine} == set(ids)
    assert sum(alert["duplicates"] for alert in mine) == 400
    assert books["balanced"] is True
    assert books["added"] == books["settled"]

    def delivered() -> set[str]:
        found = received(run)[before:]
        return {d["webhook_id"] for d in found if d["body"]["payload"]["issuer"] == marker}

    assert len(wait_for(delivered, lambda seen: len(seen) >= 600, 60)) == 600
    assert get(run, "/v1/audit")["balanced"] is True
