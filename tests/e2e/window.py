"""Look at the stack as a downstream service and an operator would: the read API, the receiver, waiting for a state."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

import requests

State = TypeVar("State")


def get(environment: Mapping[str, str], path: str, **query: object) -> Any:  # noqa: ANN401 - any JSON
    """Ask the console for JSON."""
    headers = {"Authorization": f"Bearer {environment['CONSOLE_TOKEN']}"}
    answer = requests.get(environment["CONSOLE_URL"] + path, headers=headers, params=cast("Any", query), timeout=30)
    answer.raise_for_status()
    return answer.json()


def list_alerts(environment: Mapping[str, str], **filters: object) -> Iterator[dict[str, Any]]:
    """Walk all pages of alerts."""
    cursor: dict[str, object] = {}
    while True:
        page = get(environment, "/v1/alerts", limit=500, **filters, **cursor)
        yield from page["data"]
        if not page["next_cursor"]:
            return
        cursor = {"cursor": page["next_cursor"]}


def find_alert(environment: Mapping[str, str], provider_alert_id: str) -> dict[str, Any] | None:
    """Return the one alert with that id of the network's, or None. More than one is an error."""
    found = list(list_alerts(environment, provider_alert_id=provider_alert_id))
    assert len(found) <= 1, f"{provider_alert_id} is there {len(found)} times"
    return found[0] if found else None


def received(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what the local receiver has got."""
    return list(requests.get(environment["RECEIVER_URL"] + "/deliveries", timeout=30).json())


def wait_for(look: Callable[[], State], wanted: Callable[[State], object], seconds: float = 30) -> State:
    """Look until what is seen is what is wanted; fail with what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        state = look()
        if wanted(state):
            return state
        assert time.monotonic() < deadline, f"not reached within {seconds} s; last seen: {state!r}"
        time.sleep(0.05)


def settled(environment: Mapping[str, str], seconds: float = 60) -> dict[str, Any]:
    """Wait until nothing waits in the journal; return the books."""
    return wait_for(lambda: get(environment, "/v1/audit"), lambda books: books["waiting"] == 0, seconds)
