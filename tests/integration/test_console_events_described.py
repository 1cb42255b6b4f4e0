"""Every event that the stream may tell is what the description of the API says of it."""

import json
from typing import Any, cast

import jsonschema_rs

from console.downstream.turns import set_state
from console.feed.events import read_events, read_horizon
from console.web.openapi.document import describe_api
from schemas.downstream.events import EVENTS, EXPIRING
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.integration.described import close_answers
from tests.integration.door import ETHOCA_BODY
from tests.integration.downstream import announce, subscribe
from tests.integration.test_notices import STREAM, store, tell
from workers.database.connections import connect_database
from workers.intake.drain import drain
from workers.notices.books import audit_books
from workers.settings import Workshop


def test_every_event_is_described(quick: Workshop) -> None:
    """Alerts and notices alike hold what the schema of an event names, each of it and nothing else."""
    own_id = subscribe(quick, "https://service.example/hook", events=("*", "intake.*"))
    alert_id = store(quick, 1)
    for event in ("alert.updated", "alert.resolved"):
        announce(quick, event, alert_id=alert_id)
    with connect_journal(quick.journal_url, 5.0) as journal, connect_database(quick.database_url, "test") as database:

        def push() -> None:
            sealed = seal_envelope(Envelope("ethoca", ETHOCA_BODY), quick.keyring)
            append_entry(journal, quick.configuration.journal, sealed)

        push()
        drain(quick, "drain@test/0", 0.3)
        push()
        ((lost, _fields),) = cast("list[tuple[bytes, Any]]", journal.xrange(STREAM))
        journal.xdel(STREAM, lost)
        assert audit_books(journal, database, STREAM, pause=0) == 1
        for state in ("paused", "active"):
            set_state(database, own_id, state, "test")
        tell(quick)
        place, _last = read_horizon(database)
        frames = [event.frame for event in read_events(database, 0, place, 100)]
    documents = [json.loads(frame.partition(b"data: ")[2]) for frame in frames]
    assert {document["type"] for document in documents} == set(EVENTS)
    assert EXPIRING in {document["type"] for document in documents if "alert" in document}
    described = close_answers(describe_api()) | {"$ref": "#/components/schemas/Event"}
    validator = jsonschema_rs.Draft202012Validator(described, validate_formats=True)
    for document in documents:
        assert [error.message for error in validator.iter_errors(document)] == [], document["type"]
