"""The contact of an alert, which has to be looked up before it is sent: what is read, and who waits for it."""

import json

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.gunicorn import wait_for
from tests.integration.conftest import Query
from tests.integration.downstream import Receiver, deliver, subscribe
from tests.integration.explaining import Explaining, list_read
from tests.integration.test_forward_terms import push
from workers.database.connections import connect_database
from workers.delivery.contact import find_contacts
from workers.delivery.forward import Forwarder
from workers.settings import Workshop

REPEATED = 3000
FEW = 100  # rows
ALERT: dict[str, object] = {"providerId": "A1", "provider": "ETHOCA"}
# The first entry again and again: as a later one that ended so, with a body that nobody can open.
REPEAT = """
    WITH first AS (SELECT * FROM endings ORDER BY entered_at LIMIT 1), again AS (
        INSERT INTO endings (entered_at, sequence, incarnation, item, ending, alert_id)
        SELECT now(), n, incarnation, item, %(ending)s, alert_id FROM first, generate_series(1, %(times)s) n
        RETURNING entered_at, sequence, incarnation
    )
    INSERT INTO raw_bodies (entered_at, sequence, incarnation, source, request_id, sealed)
    SELECT entered_at, sequence, incarnation, 'reseller', gen_random_uuid(), '' FROM again
"""


PERSONAL = """
    SELECT o.lease, o.attempts, o.due_at < now() + interval '15 seconds' AS soon
    FROM outbox o JOIN subscriptions s ON s.id = o.subscription_id WHERE s.personal_data
"""


def sent_contacts(receiver: Receiver) -> list[str | None]:
    """Return the contacts that a receiver was sent, in their order."""
    return [json.loads(body)["payload"]["descriptorContact"] for _headers, body in receiver.received]


def repeat(workshop: Workshop, ending: str, times: int) -> None:
    """Make as if the first message had come so many times more, each with this ending."""
    with psycopg.connect(workshop.database_url) as database:
        database.execute(REPEAT, {"ending": ending, "times": times})


@pytest.mark.parametrize("ending", ["duplicate", "updated"])
def test_contact_is_found_behind_thousands_of_messages(quick: Workshop, ending: str) -> None:
    """However often an alert was repeated or revised, a few of its bodies are read, the first among them."""
    push(quick, ALERT | {"descriptorContact": "+1 555 0100"})
    repeat(quick, ending, REPEATED)
    with Explaining.connect(quick.database_url, autocommit=True, row_factory=dict_row) as database:
        database.plans = []
        (alert,) = database.execute("SELECT id::text FROM alerts").fetchall()
        contacts = find_contacts(database, {alert["id"]}, quick.configuration, quick.keyring)
        assert contacts == {alert["id"]: "+1 555 0100"}
        assert sum(list_read(database.plans[-1])) + database.count_discarded() < FEW


def test_latest_contact_is_the_one_that_goes_out(quick: Workshop, receiver: Receiver) -> None:
    """A later message replaces the contact; one without any leaves it."""
    push(quick, ALERT | {"descriptorContact": "+1 555 0100"})
    for changes in ({"issuer": "B1", "descriptorContact": "+1 555 0200"}, *({"issuer": f"B{n}"} for n in range(2, 5))):
        push(quick, ALERT | changes)
    subscribe(quick, receiver.url, personal_data=True)
    push(quick, ALERT | {"issuer": "LAST"})
    assert deliver(quick, 1) == {"done": 1}
    assert sent_contacts(receiver) == ["+1 555 0200"]


def test_only_what_needs_the_contact_waits_for_it(quick: Workshop, receiver: Receiver, query: Query) -> None:
    """While bodies cannot be read the others go out at once, and those that need them are back with nothing counted."""
    for personal_data in (False, True):
        subscribe(quick, f"{receiver.url}/{personal_data}", personal_data=personal_data)
    push(quick, ALERT | {"descriptorContact": "+1 555 0100"})
    with connect_database(quick.database_url, "test") as database:
        database.execute("ALTER TABLE raw_bodies RENAME TO elsewhere")
        forwarder = Forwarder(quick)
        with pytest.raises(psycopg.errors.UndefinedTable):
            forwarder.run(5)
        wait_for(lambda: receiver.received)
        assert sent_contacts(receiver) == [None]
        assert query(PERSONAL) == [{"lease": None, "attempts": 0, "soon": True}]
        database.execute("ALTER TABLE elsewhere RENAME TO raw_bodies")
        database.execute("UPDATE outbox SET due_at = now() WHERE lease IS NULL")
    forwarder.finish()
    assert deliver(quick, 1) == {"done": 1}
    assert sent_contacts(receiver) == [None, "+1 555 0100"]
