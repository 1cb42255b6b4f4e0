"""Send: one signed POST to one downstream service. It never raises: whatever happens is an Answer.

Signed by the Standard Webhooks specification: `webhook-id` (the outbox item's id, the same over all attempts),
`webhook-timestamp` and `webhook-signature` over "id.timestamp.body", one for each secret that signs at present.
"""

import base64
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlsplit

import urllib3
from standardwebhooks import Webhook

from schemas.alert import Alert
from schemas.cards import mask_cards
from schemas.configuration import Forwarding
from schemas.forwarded import forward_body
from schemas.keyring import Keyring, Tampered, UnknownKey
from schemas.subscription import Credentials, unseal_credentials
from schemas.times import iso_time
from workers.delivery.guard import AddressRefused, limit_attempt
from workers.delivery.lease import Item
from workers.delivery.policy import Answer

ANSWER_READ = 4096  # bytes of an answer that are read before the connection is given up
ANSWER_KEPT = 500  # characters of it that go on record
HIDDEN = "[hidden]"
MOST_TARGETS = 10_000


@dataclass(frozen=True)
class Sender:
    """What every delivery of a worker needs: its connections, the keys and the settings."""

    pools: urllib3.PoolManager
    keyring: Keyring
    settings: Forwarding
    # URL -> the connections to its host and what is asked of it: parsing URLs would be a tenth of a delivery's cost.
    targets: dict[str, tuple[urllib3.HTTPConnectionPool, str]] = field(default_factory=dict)

    def deliver(self, item: Item) -> Answer:
        """Make one attempt to deliver an item."""
        began = time.perf_counter()
        if item.url.startswith("http://") and not self.settings.allow_http:
            return Answer(None, 0.0, "plain http is not allowed; use https or set forwarding.allow_http")
        try:
            credentials = open_credentials(self.keyring, item.sealed, item.subscription_id)
        except (UnknownKey, Tampered) as error:
            return Answer(None, milliseconds_since(began), f"the subscription's credentials cannot be opened: {error}")
        body = forward_body(
            Alert.from_row(item.alert), item.event, iso_time(item.occurred_at), None, item.leave_out, item.contact
        )
        try:
            with limit_attempt(item.timeout or self.settings.timeout):
                return self.post(item, body, credentials, began)
        except AddressRefused as error:
            return Answer(None, milliseconds_since(began), str(error))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Answer(None, milliseconds_since(began), name_error(error))

    def post(self, item: Item, body: bytes, credentials: Credentials, began: float) -> Answer:
        """Send one request and read the beginning of its answer. Redirects are not followed."""
        if item.url not in self.targets:
            if len(self.targets) >= MOST_TARGETS:
                self.targets.clear()
            self.targets[item.url] = self.pools.connection_from_url(item.url), request_target(item.url)
        pool, target = self.targets[item.url]
        response = pool.urlopen(
            "POST",
            target,
            body=body,
            headers=signed_headers(item.outbox_id, body, credentials),
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=item.timeout or self.settings.timeout,
        )
        try:
            beginning = read_beginning(response)
            return Answer(
                response.status,
                milliseconds_since(began),
                retry_after=response.headers.get("Retry-After"),
                text=show_answer(beginning, credentials),
            )
        finally:
            response.release_conn()


def request_target(url: str) -> str:
    """Return what a URL asks of its host: the path and the query."""
    parts = urlsplit(url)
    return (parts.path or "/") + ("?" + parts.query if parts.query else "")


def read_beginning(response: urllib3.BaseHTTPResponse) -> bytes:
    """Read what of an answer's body is of use. Its status is known: a body that does not come does not matter.

    A connection on which more would follow is closed, as is one that broke.
    """
    content = b""
    try:
        while len(content) < ANSWER_READ:
            part = response.read1(ANSWER_READ - len(content))
            if not part:
                return content
            content += part
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        pass
    response.close()
    return content


def show_answer(content: bytes, credentials: Credentials) -> str:
    """Return the beginning of an answer for the record: printable, card numbers masked, nothing of the credentials."""
    text = "".join(
        character if character.isprintable() else " " for character in content.decode("utf-8", "replace")
    ).strip()
    secrets = sorted(filter(None, secrets_of(credentials)), key=len, reverse=True)
    if secrets:
        text = re.sub("|".join(map(re.escape, secrets)), HIDDEN, text)
    return mask_cards(text)[:ANSWER_KEPT]


def secrets_of(credentials: Credentials) -> Iterable[str]:
    """Return what a receiver could repeat of what it was sent, and must not be kept."""
    if credentials.basic is not None:
        yield encode_basic(*credentials.basic)
        yield credentials.basic[1]
    yield from credentials.headers.values()


def encode_basic(user: str, password: str) -> str:
    """Return the credentials of HTTP Basic (RFC 7617, in UTF-8)."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def signed_headers(webhook_id: str, body: bytes, credentials: Credentials) -> dict[str, str]:
    """Return the headers of a delivery: the subscription's own, and a signature for each secret that signs."""
    moment = datetime.now(UTC)
    text = body.decode()
    signatures = [
        read_secret(secret).sign(webhook_id, moment, text) for secret in credentials.signing_secrets(moment.timestamp())
    ]
    basic = {"Authorization": "Basic " + encode_basic(*credentials.basic)} if credentials.basic else {}
    return {
        **basic,
        **credentials.headers,
        "Content-Type": "application/json",
        "User-Agent": "alert-intake",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


@lru_cache(maxsize=1024)
def open_credentials(keyring: Keyring, sealed: bytes, subscription_id: str) -> Credentials:
    """Open the credentials of a subscription, once for as long as they stay the same."""
    return unseal_credentials(sealed, subscription_id, keyring)


@lru_cache(maxsize=1024)
def read_secret(secret: str) -> Webhook:
    """Return the signer of a secret."""
    return Webhook(secret)


def name_error(error: BaseException) -> str:
    """Name an error by its kinds alone: its text quotes the URL, which may hold a token."""
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        return "Timeout"
    cause = error.__cause__
    return type(error).__name__ if cause is None else f"{type(error).__name__} ({type(cause).__name__})"


def milliseconds_since(began: float) -> float:
    """Return the milliseconds since `began`, a reading of `time.perf_counter`."""
    return (time.perf_counter() - began) * 1000
