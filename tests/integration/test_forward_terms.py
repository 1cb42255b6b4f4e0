"""What a subscription agreed to: filters, what is left out, personal data, and secrets while they are replaced."""

import json
import time

from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from schemas.downstream.subscription import Credentials, Retiring, generate_secret, rotate_secret
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.integration.conftest import Query
from tests.integration.downstream import SECRET, Receiver, announce, deliver, subscribe
from workers.intake.drain import drain
from workers.settings import Workshop


def push(workshop: Workshop, payload: dict[str, object]) -> None:
    """Push one message as a reseller does, and drain it."""
    body = {"event": "alert.created", "timestamp": "2026-11-20T12:00:00Z", "payload": payload}
    with connect_journal(workshop.journal_url, 5.0) as client:
        envelope = Envelope("reseller", json.dumps(body).encode())
        append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))
        while client.xlen(workshop.configuration.journal.stream):
            drain(workshop, "drain@test/0", 0.3)


def verifies(secret: str, delivery: tuple[dict[str, str], bytes]) -> bool:
    """Say whether the public verifier of Standard Webhooks accepts a delivery with this secret."""
    headers, body = delivery
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def test_only_alerts_that_fit_are_due(quick: Workshop, receiver: Receiver) -> None:
    """The filters of a subscription decide event by event."""
    subscribe(quick, receiver.url, filters='{"merchants": ["M1"], "min_amount": "10"}')
    wanted = announce(quick, "alert.created", merchant_id="M1", amount="10.00", currency="USD")
    announce(quick, "alert.created", merchant_id="M2", amount="10.00", currency="USD")
    announce(quick, "alert.created", merchant_id="M1", amount="9.99", currency="USD")
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"done": 1}
    assert receiver.alerts() == [wanted]


def test_what_is_left_out_does_not_arrive(quick: Workshop, receiver: Receiver) -> None:
    """A subscription without the amount and our additions gets all 46 keys, and neither."""
    subscribe(quick, receiver.url, leave_out=["amount", "enrichment"])
    announce(quick, "alert.created", amount="10.00", currency="USD")
    assert deliver(quick, 1) == {"done": 1}
    ((_headers, body),) = receiver.received
    document = json.loads(body)
    assert (document["payload"]["amount"], document["payload"]["currency"]) == (None, "USD")
    assert document["enrichment"] == {}
    assert len(document["payload"]) == 46


def test_personal_data_goes_only_to_who_gets_it(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """The contact is opened from the sealed body, for a subscription that asked for it, and kept nowhere."""
    for personal_data in (False, True):
        subscribe(quick, f"{receiver.url}/{personal_data}", personal_data=personal_data)
    push(quick, {"providerId": "A1", "provider": "ETHOCA", "descriptorContact": "+1 555 0100"})
    assert deliver(quick, 2) == {"done": 2}
    contacts = [json.loads(body)["payload"]["descriptorContact"] for _headers, body in receiver.received]
    assert sorted(contacts, key=str) == ["+1 555 0100", None]
    assert query("SELECT 1 FROM events WHERE alert::text LIKE '%%555 0100%%'") == []


def test_personal_data_that_a_receiver_repeats_is_not_kept(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """The contact does not come into the delivery log by the answer of whom it was sent to."""
    receiver.statuses, receiver.body = [422], rb'{"descriptorContact": "Jos\u00e9 +1 555 0100", "why": "unknown"}'
    subscribe(quick, receiver.url, personal_data=True)
    push(quick, {"providerId": "A1", "provider": "ETHOCA", "descriptorContact": "José +1 555 0100"})
    assert deliver(quick, 1) == {"final": 1}
    assert query("SELECT answer FROM attempts") == [{"answer": '{"descriptorContact": "[hidden]", "why": "unknown"}'}]


def test_personal_data_is_gone_with_the_body(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """Once retention has removed the sealed body, the contact is null and the delivery goes out."""
    subscribe(quick, receiver.url, personal_data=True)
    push(quick, {"providerId": "A1", "provider": "ETHOCA", "descriptorContact": "+1 555 0100"})
    query("DELETE FROM raw_bodies RETURNING 1")
    assert deliver(quick, 1) == {"done": 1}
    assert json.loads(receiver.received[0][1])["payload"]["descriptorContact"] is None


def test_contact_that_cannot_be_written_goes_out_repaired(quick: Workshop, receiver: Receiver) -> None:
    """Half of a surrogate pair in the contact, which no UTF-8 can say, holds back no delivery."""
    subscribe(quick, receiver.url, personal_data=True)
    push(quick, {"providerId": "A1", "provider": "ETHOCA", "descriptorContact": "Ann \ud83d"})
    assert deliver(quick, 1) == {"done": 1}
    assert json.loads(receiver.received[0][1])["payload"]["descriptorContact"] == "Ann \ufffd"


def test_two_signatures_while_a_secret_is_replaced(quick: Workshop, receiver: Receiver) -> None:
    """Consumers with the old and with the new secret both accept, until the overlap ends."""
    first, second, third = SECRET, generate_secret(), generate_secret()
    ended = Retiring(third, time.time() - 1)
    rotated = rotate_secret(Credentials(secret=first, retiring=(ended,)), second, 3600, time.time())
    subscribe(quick, receiver.url, credentials=rotated)
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"done": 1}
    (delivery,) = receiver.received
    assert len(delivery[0]["webhook-signature"].split(" ")) == 2
    assert [verifies(secret, delivery) for secret in (first, second, third)] == [True, True, False]
