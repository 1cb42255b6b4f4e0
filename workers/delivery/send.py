"""Send: one signed POST to one downstream service. It never raises: whatever happens is an Answer."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from schemas.alert.alert import Alert
from schemas.alert.times import iso_time
from schemas.downstream.forwarded import forward_body
from schemas.downstream.notices import notice_body
from schemas.downstream.subscription import Credentials
from schemas.keyring import Keyring, Tampered, UnknownKey
from schemas.settings.forwarding import Forwarding
from workers.delivery.answer import show_answer
from workers.delivery.clock import SharedClock
from workers.delivery.lease import Item
from workers.delivery.policy import Answer, seconds_asked
from workers.delivery.sign import open_credentials, signed_headers
from workers.outgoing.guard import AddressRefused
from workers.outgoing.limit import limit_attempt
from workers.outgoing.transport import GuardedAdapter

NO_TRACE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sender:
    """What every delivery needs: the connections, the keys, the settings and the time. All threads share it."""

    adapter: GuardedAdapter
    keyring: Keyring
    settings: Forwarding
    clock: SharedClock

    def deliver(self, item: Item, trace: Mapping[str, str] = NO_TRACE) -> Answer:
        """Make one attempt to deliver an item. `trace`: the headers that tell the receiver of its trace."""
        began = time.perf_counter()
        if not item.url.lower().startswith("https://") and not self.settings.allow_http:
            return Answer(None, 0.0, "plain http is not allowed; use https or set forwarding.allow_http")
        try:
            credentials = open_credentials(self.keyring, item.sealed, item.subscription_id)
        except (UnknownKey, Tampered) as error:
            return Answer(None, milliseconds_since(began), f"the subscription's credentials cannot be opened: {error}")
        try:
            body = compose_body(item, self.clock.now())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is an answer
            return Answer(None, milliseconds_since(began), f"the body cannot be made: {name_error(error)}")
        try:
            with limit_attempt(item.timeout or self.settings.timeout):
                return self.post(item, body, credentials, began, trace)
        except AddressRefused as error:
            return Answer(None, milliseconds_since(began), str(error))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Answer(None, milliseconds_since(began), name_error(error))

    def post(self, item: Item, body: bytes, credentials: Credentials, began: float, trace: Mapping[str, str]) -> Answer:
        """Send one request. Its answer has been read when it comes back, as far as it is read at all.

        The request is prepared by hand: its URL and headers were checked when the subscription was made, and requests
        would take them apart again for each delivery.
        """
        request = requests.PreparedRequest()
        request.method, request.url, request.body = "POST", item.url, body
        request.headers = CaseInsensitiveDict(
            {**signed_headers(item.outbox_id, self.clock.now(), body, credentials), **trace}
        )
        response = self.adapter.send(request, timeout=item.timeout or self.settings.timeout)
        return Answer(
            response.status_code,
            milliseconds_since(began),
            asked=seconds_asked(response.headers.get("Retry-After"), self.clock.now()),
            text=show_answer(response.content, credentials),
        )


def compose_body(item: Item, now: datetime) -> bytes:
    """Return the body of a delivery at this moment: of an alert as it stood, or of a notice, which is about none."""
    occurred_at = iso_time(item.occurred_at)
    if item.alert_id is None:
        return notice_body(item.event, occurred_at, item.alert)
    return forward_body(Alert.from_row(item.alert), item.event, occurred_at, now, item.leave_out, item.contact)


def name_error(error: BaseException) -> str:
    """Name an error by its kinds alone: its text quotes the URL, which may hold a token."""
    if isinstance(error, requests.RequestException) and error.args and isinstance(error.args[0], BaseException):
        return name_error(error.args[0])
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        return "Timeout"
    cause = error.__cause__
    return type(error).__name__ if cause is None else f"{type(error).__name__} ({type(cause).__name__})"


def milliseconds_since(began: float) -> float:
    """Return the milliseconds since `began`, a reading of `time.perf_counter`."""
    return (time.perf_counter() - began) * 1000
