"""Services that pull, from outside: the list resumed by its cursor, the stream of events, related alerts."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from tests.e2e.bodies import dispute, fresh_id, webhook
from tests.e2e.sender import Sender, push_all
from tests.e2e.window import find_alert, get, received, settled, wait_for

Environment = Mapping[str, str]


@contextmanager
def following(environment: Environment, last_event_id: str | None = None) -> Iterator[list[dict[str, Any]]]:
    """Follow the stream of events in the background; its list grows by {"id", "data"}."""
    headers = {"Authorization": f"Bearer {environment['CONSOLE_TOKEN']}"}
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    found: list[dict[str, Any]] = []
    opened, ended = threading.Event(), threading.Event()
    answer = requests.get(environment["CONSOLE_URL"] + "/v1/events", headers=headers, stream=True, timeout=40)
    answer.raise_for_status()

    def read() -> None:
        place = ""
        for line in answer.iter_lines(chunk_size=1):
            name, _, value = line.decode().partition(": ")
            if name == "id":
                place = value
                found.append({"id": place})
                opened.set()
            elif name == "data":
                found[-1]["data"] = json.loads(value)
            if ended.is_set():
                return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert opened.wait(20)
    try:
        yield found
    finally:
        ended.set()  # it ends with the next line, a heartbeat at the latest


def alone(alert_id: str) -> dict[str, Any]:
    """Return an alert of a transaction of its own."""
    return dispute(alert_id, arn=None, merchantDescriptor=alert_id)


def told(found: list[dict[str, Any]], alert_ids: list[str]) -> list[tuple[str, str]]:
    """Return (type, the network's id) of the events about these alerts, in their order."""
    events = [event["data"] for event in list(found) if "data" in event]
    return [
        (event["type"], event["alert"]["provider_alert_id"])
        for event in events
        if event["alert"]["provider_alert_id"] in alert_ids
    ]


def test_poller_gets_every_alert_once(run: Environment, ethoca: Sender) -> None:
    """A client that comes back with its cursor while alerts are pushed gets each exactly once, and stays at the end."""
    page = get(run, "/v1/alerts", limit=500)
    while page["next_cursor"]:
        page = get(run, "/v1/alerts", limit=500, cursor=page["next_cursor"])
    cursor = page["resume_cursor"]
    ids = [fresh_id() for _ in range(120)]
    pushing = threading.Thread(target=lambda: push_all(run, [alone(one) for one in ids], 4))
    pushing.start()
    seen: list[str] = []

    def poll() -> list[str]:
        nonlocal cursor
        page = get(run, "/v1/alerts", limit=7, cursor=cursor)
        cursor = page["next_cursor"] or page["resume_cursor"]
        seen.extend(alert["provider_alert_id"] for alert in page["data"])
        return [one for one in seen if one in ids]

    wait_for(poll, lambda own: len(own) >= len(ids), 60)
    pushing.join()
    settled(run)
    assert poll() == [one for one in seen if one in ids]
    assert len(seen) == len(set(seen))
    assert set(ids) <= set(seen)


def test_stream_is_taken_up_where_it_was_left(run: Environment, ethoca: Sender, reseller: Sender) -> None:
    """Events that happen while nobody listens are told to whoever comes back with the last id."""
    first, second = fresh_id(), fresh_id()
    with following(run) as found:
        ethoca.push(alone(first))
        wait_for(lambda: told(found, [first]), bool)
        place = next(event["id"] for event in found if told([event], [first]))
    ethoca.push(alone(second))
    settled(run)
    with following(run, place) as found:
        wait_for(lambda: told(found, [first, second]), bool)
        assert told(found, [first, second]) == [("alert.created", second)]


def test_alerts_of_one_transaction_name_each_other(run: Environment, ethoca: Sender, reseller: Sender) -> None:
    """Ethoca's alert and another network's with the same ARN are related, in the list and in what is delivered."""
    ours, theirs = fresh_id(), fresh_id()
    arn = "7" + str(int(ours[1:], 16))[:22].rjust(22, "1")
    ethoca.push(dispute(ours, arn=arn, merchantDescriptor=ours))
    settled(run)
    reseller.push(webhook(theirs, "alert.created", None, provider="VERIFI", acquirerReferenceNumber=arn))
    settled(run)
    older, newer = find_alert(run, ours), find_alert(run, theirs)
    assert older is not None
    assert newer is not None
    assert older["id"] in newer["related"]
    assert newer["id"] in older["related"]

    def deliveries() -> list[dict[str, Any]]:
        return [one["body"] for one in received(run) if one["body"]["payload"]["providerId"] == theirs]

    (body,) = wait_for(deliveries, bool)
    assert body["enrichment"]["related"] == [older["id"]]
