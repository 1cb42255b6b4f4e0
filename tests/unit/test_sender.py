"""One attempt to deliver: whatever there is to send, it ends with an answer. The adapter is the test's."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
import requests

from schemas.alert.times import iso_time
from schemas.downstream.subscription import Credentials, generate_secret, seal_credentials
from schemas.settings.forwarding import Forwarding
from tests.unit.messages import KEYRING, alert_of, read_ethoca
from workers.delivery.clock import SharedClock
from workers.delivery.lease import Item
from workers.delivery.line import read_json
from workers.delivery.send import Sender

OWN = str(uuid4())
ITEM = Item(
    outbox_id=str(uuid4()),
    lease=str(uuid4()),
    attempts=1,
    spared=0,
    alert_id=str(uuid4()),
    event="alert.created",
    occurred_at=datetime(2026, 11, 20, 18, tzinfo=UTC),
    alert=alert_of(read_ethoca({})).to_row(),
    subscription_id=OWN,
    subscription="orders",
    url="https://orders.example.com/",
    sealed=seal_credentials(Credentials(secret=generate_secret()), OWN, KEYRING),
)


class NoAdapter:
    """An adapter that nothing may be sent by."""

    def send(self, *_args: object, **_options: object) -> None:
        """Refuse."""
        pytest.fail("something was sent")


@dataclass
class Refusing:
    """An adapter whose receiver wants to be asked again at a date, and what was sent by it."""

    retry_after: str
    sent: list[requests.PreparedRequest] = field(default_factory=list)

    def send(self, request: requests.PreparedRequest, **_options: object) -> requests.Response:
        """Take a request and answer it."""
        self.sent.append(request)
        response = requests.Response()
        response.status_code, response.raw = 503, BytesIO(b"")
        response.headers["Retry-After"] = self.retry_after
        return response


def sender(adapter: Any) -> Sender:  # noqa: ANN401 - what stands in for one
    """Return a sender with this adapter."""
    return Sender(adapter, KEYRING, Forwarding(), SharedClock())


@pytest.mark.parametrize("broken", [{"contact": "Ann \ud83d"}, {"alert": {"id": "A1"}}], ids=["text", "row"])
def test_what_cannot_be_written_is_an_answer(broken: dict[str, Any]) -> None:
    """A body that cannot be made is a failure like any other, told by its kind alone: it would quote the alert."""
    answer = sender(NoAdapter()).deliver(replace(ITEM, **broken))
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("the body cannot be made: ")
    assert "A1" not in answer.error


def test_every_time_is_that_which_all_workers_share() -> None:
    """A worker whose own clock is days off signs, counts the hours left and reckons a date by the database's."""
    adapter = Refusing("")
    sending = sender(adapter)
    sending.clock.offset = -10 * 86_400.0
    now = sending.clock.now()
    adapter.retry_after = format_datetime(now + timedelta(seconds=600), usegmt=True)
    alert = alert_of(read_ethoca({}), respond_by=iso_time(now + timedelta(hours=5, minutes=30)))
    answer = sending.deliver(replace(ITEM, alert=alert.to_row()))
    assert 590 < answer.asked <= 600
    (request,) = adapter.sent
    assert json.loads(request.body or "")["payload"]["hoursLeft"] == 5
    assert abs(int(request.headers["webhook-timestamp"]) - now.timestamp()) < 5


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (b'{"a": [1.5, "\\u00fc"]}', {"a": [1.5, "ü"]}),
        (b"1e400", float("inf")),
        (b"99999999999999999999", 1e20),
    ],
)
def test_whatever_the_database_holds_is_read(text: bytes, read: object) -> None:
    """An alert with numbers beyond any bounds is read, too."""
    assert read_json(text) == read
