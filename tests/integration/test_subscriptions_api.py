"""Subscriptions and deliveries over the API, and many deliveries by command: real gunicorn, real servers."""

import json
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
import requests
from uuid_utils.compat import uuid7

from console.connections import Database, prepare_session
from console.downstream.deliveries import Sought
from console.downstream.health import BOUND
from console.downstream.retries import bound_sought, retry_matching
from console.downstream.subscriptions import change_subscription, rotate_signing_secret
from console.downstream.turns import remove_subscription, set_state
from console.paging import write_cursor
from deploy.embedded.settings import Secrets
from schemas.downstream.subscription import check_secret, unseal_credentials
from tests.integration.conftest import Query
from tests.integration.console_server import Client, run_console
from tests.integration.downstream import Receiver, announce, announce_together, deliver, make_alert, subscribe, tuned
from tests.integration.explaining import Explaining, list_scans
from workers.intake.outcomes import Event
from workers.settings import Workshop

WHOLE: dict[str, Any] = {
    "name": "orders", "url": "https://orders.example/hook", "events": ["alert.*"], "description": "the shop",
    "filters": {"merchants": ["M1"], "min_amount": "10.00"}, "format": "reseller",
    "leave_out": ["acquirerReferenceNumber"], "personal_data": True, "rate_limit": 5.5, "concurrency": 3,
    "timeout": 7.5,
}  # fmt: skip
PROOF = {"basic": {"user": "shop", "password": "hidden-password"}, "headers": {"X-API-Key": "hidden-key"}}


@pytest.fixture
def console(
    environment: dict[str, str], workshop: Workshop, intake_secrets: Secrets, tmp_path: Path
) -> Iterator[Client]:
    """Run a console on empty servers."""
    with run_console(environment, intake_secrets.console_token, tmp_path) as client:
        yield client


@pytest.fixture
def writer(workshop: Workshop) -> Iterator[Database]:
    """Return a connection as the command has it."""
    with psycopg.connect(workshop.database_url, row_factory=psycopg.rows.dict_row) as database:
        prepare_session(database, writable=True)
        yield database


def send(console: Client, method: str, path: str, document: object = None) -> requests.Response:
    """Send a request with the token and a JSON body."""
    headers = {"Authorization": f"Bearer {console.token}"}
    return requests.request(method, console.url + path, json=document, headers=headers, timeout=20)


def test_a_subscription_lives_from_post_to_delete(console: Client, workshop: Workshop, query: Query) -> None:
    """Added, shown, changed, paused, its secret replaced, removed; its secrets are in no later answer."""
    added = send(console, "POST", "/v1/subscriptions", WHOLE | PROOF)
    assert added.status_code == 201
    secret = added.json()["secret"]
    check_secret(secret)
    place = added.headers["Location"]
    shown = console.get(place)
    assert {name: shown[name] for name in WHOLE} == WHOLE
    assert (shown["state"], shown["due"], shown["given_up"]) == ("active", 0, 0)
    assert shown["credentials"] == {
        "basic_user": "shop", "headers": ["X-API-Key"], "former_secrets": 0, "sealed_because": None,
    }  # fmt: skip
    changed = send(console, "PATCH", place, {"state": "paused", "rate_limit": None, "headers": {}, "filters": {}})
    assert changed.status_code == 200
    assert (changed.json()["state"], changed.json()["rate_limit"], changed.json()["filters"]) == ("paused", None, {})
    assert changed.json()["credentials"]["headers"] == []
    assert changed.json()["credentials"]["basic_user"] == "shop"
    rotated = send(console, "POST", f"{place}/rotate-secret", {"overlap": "1h"})
    assert rotated.json()["former_secrets"] == 1
    (row,) = query("SELECT id::text, sealed FROM subscriptions")
    credentials = unseal_credentials(row["sealed"], row["id"], workshop.keyring)
    assert [credentials.secret, credentials.retiring[0].secret] == [rotated.json()["secret"], secret]
    assert credentials.basic == ("shop", "hidden-password")
    later = console.get(place)
    actions = [operation["action"] for operation in later["operations"]]
    assert actions == ["add subscription", "pause subscription", "change subscription", "rotate secret"]
    everything = json.dumps([shown, changed.json(), later, console.get("/v1/subscriptions")])
    assert not any(word in everything for word in ("hidden", "whsec_"))
    assert send(console, "DELETE", place).status_code == 204
    assert console.problem(place)["status"] == 404
    log = console.process.errors.read_text()
    assert not any(word in log for word in ("hidden", "whsec_"))


def test_overlap_ends_by_the_clock_of_the_database(
    quick: Workshop, writer: Database, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the console's own clock is wrong a replaced secret signs for as long as was asked all the same."""
    name = subscribe(quick, "https://orders.example/hook")
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() - 7200)
    rotate_signing_secret(writer, quick.keyring, name, 3600, "test")
    writer.commit()
    monkeypatch.undo()
    (row,) = query("SELECT sealed, extract(epoch FROM now())::float8 AS now FROM subscriptions")
    (former,) = unseal_credentials(row["sealed"], name, quick.keyring).retiring
    assert abs(former.until - row["now"] - 3600) < 60


def test_a_subscription_is_found_by_name(console: Client) -> None:
    """Its name serves as well as its id, and the least that is needed has the defaults."""
    assert send(console, "POST", "/v1/subscriptions", {"name": "a", "url": "https://a.example/"}).status_code == 201
    shown = console.get("/v1/subscriptions/a")
    assert shown["events"] == ["alert.created", "alert.resolved"]
    assert (shown["personal_data"], shown["leave_out"], shown["filters"], shown["rate_limit"]) == (False, [], {}, None)
    assert send(console, "PATCH", "/v1/subscriptions/a", {"name": "b"}).json()["name"] == "b"


def test_a_backlog_is_counted_up_to_a_bound(console: Client, quick: Workshop, query: Query) -> None:
    """Shown or changed, a subscription says of many deliveries that they are many: nobody waits for the whole count."""
    own_id = subscribe(quick, "https://service.example/")
    announce(quick, "alert.created")
    query("INSERT INTO outbox (id, event_id, subscription_id, alert_id) SELECT gen_random_uuid(), event_id,"
          " subscription_id, alert_id FROM outbox, generate_series(1, %s) RETURNING 1", BOUND + 1)  # fmt: skip
    assert console.get(f"/v1/subscriptions/{own_id}")["due"] == BOUND
    assert send(console, "PATCH", f"/v1/subscriptions/{own_id}", {"rate_limit": 1}).json()["due"] == BOUND
    with Explaining.connect(quick.database_url, row_factory=psycopg.rows.dict_row) as database:
        database.plans = []
        change_subscription(database, quick.keyring, own_id, {"rate_limit": 2}, {}, "somebody", allow_http=True)
        # What is read while the row is held, so that forwarders pass it over.
        assert {relation for plan in database.plans for _scan, relation in list_scans(plan)} == {"subscriptions"}


REFUSED: list[tuple[object, int, str]] = [
    ({"name": "a"}, 422, "url"),
    ({"name": "a", "url": "https://a.example/", "filter": {}}, 422, "filter"),
    ({"name": "a", "url": "http://a.example:0/"}, 422, "url"),
    ({"name": "a", "url": "https://a.example/", "events": ["alert.craeted"]}, 422, "craeted"),
    ({"name": "a", "url": "https://a.example/", "filters": {"merchant": ["M1"]}}, 422, "merchant"),
    ({"name": "a", "url": "https://a.example/", "filters": {"kinds": ["fraud"]}}, 422, "customer_dispute"),
    ({"name": "a", "url": "https://a.example/", "leave_out": ["id"]}, 422, "leave out"),
    ({"name": "a", "url": "https://a.example/", "rate_limit": 0}, 422, "rate_limit"),
    ({"name": "a", "url": "https://a.example/", "rate_limit": 1e-14}, 422, "one a day"),
    ({"name": "a", "url": "https://a.example/", "timeout": 1000}, 422, "timeout"),
    ({"name": "a", "url": "https://a.example/", "format": "xml"}, 422, "format"),
    ({"name": "a", "url": "https://a.example/", "headers": {"Host": "hidden"}}, 422, "host"),
    ({"name": "a", "url": "https://a.example/", "basic": {"user": "a:b", "password": "hidden"}}, 422, "basic"),
    ({"name": str(uuid4()), "url": "https://a.example/"}, 422, "name"),
    ({"name": "taken", "url": "https://a.example/"}, 409, "already"),
    (["a"], 400, "object"),
]


def test_a_subscription_that_cannot_work_is_refused(console: Client, query: Query) -> None:
    """A mistake is told when it is made, in one sentence that quotes no secret, and nothing is changed."""
    send(console, "POST", "/v1/subscriptions", {"name": "taken", "url": "https://taken.example/"})
    for document, status, told in REFUSED:
        answered = send(console, "POST", "/v1/subscriptions", document)
        assert answered.status_code == status, answered.text
        assert answered.headers["Content-Type"] == "application/problem+json"
        assert told in answered.json()["detail"].casefold()
        assert "hidden" not in answered.text
        if status == 422 and isinstance(document, dict) and len(document) > 1:
            assert send(console, "PATCH", "/v1/subscriptions/taken", document).status_code == 422
    (left,) = query("SELECT name, url FROM subscriptions")
    assert left["url"] == "https://taken.example/"


def test_nobody_writes_without_the_token(console: Client, query: Query) -> None:
    """Every route that writes demands the token."""
    for method, path in (
        ("POST", "/v1/subscriptions"),
        ("PATCH", "/v1/subscriptions/a"),
        ("DELETE", "/v1/subscriptions/a"),
        ("POST", "/v1/subscriptions/a/rotate-secret"),
        ("POST", f"/v1/deliveries/{uuid4()}/retry"),
        ("POST", "/v1/deliveries/retry"),
    ):
        assert requests.request(method, console.url + path, json=WHOLE, timeout=20).status_code == 401
    assert query("SELECT 1 FROM subscriptions") == []


def test_deliveries_are_filtered_by_what_they_were_and_how_they_went(
    console: Client, quick: Workshop, receiver: Receiver
) -> None:
    """By alert, event, last status and last error, which are looked for since a time or of one alert."""
    receiver.statuses = [422, 200]
    subscribe(quick, receiver.url, concurrency=1)
    refused = announce(quick, "alert.created")
    deliver(quick, 1)
    accepted = announce(quick, "alert.updated")
    deliver(quick, 1)
    strict = tuned(quick, msgspec.structs.replace(quick.configuration.forwarding, allow_private_addresses=False))
    nowhere = announce(strict, "alert.resolved")
    deliver(strict, 1)
    day = {"since": "2026-01-01"}
    for asked, expected in (
        ({"alert_id": refused}, [refused]), ({"alert_id": refused, "event": "alert.resolved"}, []),
        (day | {"event": "alert.updated"}, [accepted]), (day | {"last_status": "422"}, [refused]),
        (day | {"last_error": "NOT A PUBLIC"}, [nowhere]), (day | {"last_error": "%"}, []),
        (day | {"last_status": "422", "event": "alert.updated"}, []),
    ):  # fmt: skip
        assert [row["alert_id"] for row in console.get("/v1/deliveries", **asked)["data"]] == expected, asked
    for unusable in ({"alert_id": "A1"}, {"last_status": "5xx"}, {"event": "alert.created"}, {"last_error": "x"}):
        assert console.problem("/v1/deliveries", **unusable)["status"] == 400


def test_what_was_given_up_is_retried_together(console: Client, quick: Workshop, query: Query) -> None:
    """For one subscription, since a time, and what was given up alone; it is noted, and a mistake retries nothing."""
    own_id, other = (subscribe(quick, f"https://{name}.example/", name=name) for name in ("orders", "other"))
    for _ in range(3):
        announce(quick, "alert.created")
    query("UPDATE outbox SET state = 'given_up', attempts = 13, ended_at = now() RETURNING 1")
    query("UPDATE outbox SET state = 'delivered' WHERE id = (SELECT min(id::text)::uuid FROM outbox"
          " WHERE subscription_id = %s) RETURNING 1", own_id)  # fmt: skip
    since = query("SELECT max(created_at) - interval '1 hour' AS since FROM outbox")[0]["since"].isoformat()
    for document in ({"subscription": "orders"}, {"since": since}, {"subscription": "orders", "since": since, "a": 1},
                     {"subscription": "orders", "since": "soon"}, {"subscription": 1, "since": since}):  # fmt: skip
        assert send(console, "POST", "/v1/deliveries/retry", document).status_code == 400, document
    nobody = {"subscription": "nobody", "since": since}
    assert send(console, "POST", "/v1/deliveries/retry", nobody).status_code == 404
    assert query("SELECT FROM operations") == []
    whole = {"subscription": "orders", "since": since}
    retried = send(console, "POST", "/v1/deliveries/retry", whole)
    assert (retried.status_code, retried.json()) == (200, {"subscription": "orders", "retried": 2, "more": False})
    assert send(console, "POST", "/v1/deliveries/retry", whole).json()["retried"] == 0
    states = query("SELECT subscription_id::text AS of, state, count(*) AS n FROM outbox GROUP BY 1, 2 ORDER BY 3, 2")
    assert [(row["of"], row["state"], row["n"]) for row in states] == [
        (own_id, "delivered", 1), (own_id, "due", 2), (other, "given_up", 3),
    ]  # fmt: skip
    (noted,) = query("SELECT action, note FROM operations")
    assert noted["action"] == "retry deliveries"
    assert noted["note"].startswith("2 to orders, ")


def test_a_delivery_is_shown_with_its_attempts_and_retried(
    console: Client, quick: Workshop, receiver: Receiver
) -> None:
    """Each attempt has status, milliseconds, the answer and when the next was due; a retry delivers."""
    receiver.statuses, receiver.body = [503, 422, 200], b"not now"
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    deliver(quick, 2)
    (row,) = console.get("/v1/deliveries", state="given_up")["data"]
    shown = console.get(f"/v1/deliveries/{row['id']}")
    first, second = shown["log"]
    assert (first["status"], first["answer"], second["status"]) == (503, "not now", 422)
    assert first["milliseconds"] > 0
    assert (first["next_at"] is None, second["next_at"] is None) == (False, True)
    retried = send(console, "POST", f"/v1/deliveries/{row['id']}/retry")
    assert (retried.status_code, retried.json()["state"]) == (200, "due")
    assert deliver(quick, 1) == {"done": 1}
    again = send(console, "POST", f"/v1/deliveries/{row['id']}/retry")
    assert (again.status_code, "delivered already" in again.json()["detail"]) == (409, True)
    assert send(console, "POST", f"/v1/deliveries/{uuid4()}/retry").status_code == 404
    assert console.get("/v1/deliveries", since="2099-01-01")["data"] == []


def test_a_retried_delivery_has_its_whole_schedule_again(
    console: Client, quick: Workshop, receiver: Receiver, query: Query
) -> None:
    """One that was given up and fails again after a retry comes again by the schedule."""
    receiver.statuses = [503]
    subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    assert deliver(quick, 3) == {"again": 3}
    (row,) = query("SELECT id, state FROM outbox")
    assert row["state"] == "given_up"
    assert send(console, "POST", f"/v1/deliveries/{row['id']}/retry").status_code == 200
    assert deliver(quick, 3) == {"again": 3}


def test_many_deliveries_are_retried_batch_by_batch(
    workshop: Workshop, quick: Workshop, receiver: Receiver, writer: Database, query: Query
) -> None:
    """All that were given up since a moment are due again, in the order in which they came up, and noted."""
    subscription_id = subscribe(quick, receiver.url, concurrency=1)
    other = subscribe(quick, "https://other.example/")
    announced = [str(uuid7()) for _ in range(2500)]
    announce_together(quick, [Event("alert.created", make_alert(alert_id)) for alert_id in announced])
    query("UPDATE outbox SET state = 'given_up', attempts = 13, ended_at = now() RETURNING 1")
    query("UPDATE outbox SET created_at = created_at - interval '1 day' WHERE alert_id = %s RETURNING 1", announced[0])
    (named,) = query(
        "SELECT name, now() - interval '1 hour' AS since FROM subscriptions WHERE id = %s", subscription_id
    )
    bounded, total = bound_sought(writer, Sought("given_up", named["name"], named["since"]))
    assert total == 2499
    assert list(retry_matching(writer, bounded, "test")) == [1000, 1000, 499]
    assert list(retry_matching(writer, bounded, "test")) == []
    states = query("SELECT subscription_id::text AS s, state, count(*) AS n FROM outbox GROUP BY 1, 2")
    assert {(row["s"], row["state"]): row["n"] for row in states} == {
        (subscription_id, "due"): 2499, (subscription_id, "given_up"): 1, (other, "given_up"): 2500,
    }  # fmt: skip
    assert len(query("SELECT 1 FROM operations WHERE action = 'retry deliveries'")) == 3
    deliver(quick, 5)
    assert receiver.alerts()
    assert receiver.alerts() == announced[1 : 1 + len(receiver.received)]


def test_what_is_held_for_its_enrichment_is_not_retried(
    console: Client, quick: Workshop, receiver: Receiver, writer: Database, query: Query
) -> None:
    """Neither with many nor alone: an alert does not go out without its order because somebody is impatient."""
    subscription_id = subscribe(quick, receiver.url)
    held, waiting, overdue = (announce(quick, "alert.created") for _ in range(3))
    query("UPDATE outbox SET due_at = now() + interval '1 hour', held = alert_id = %s, attempts = (alert_id <> %s)::int"
          " RETURNING 1", held, held)  # fmt: skip
    query("UPDATE outbox SET due_at = now(), held = true, attempts = 0 WHERE alert_id = %s RETURNING 1", overdue)
    (named,) = query(
        "SELECT name, now() - interval '1 hour' AS since FROM subscriptions WHERE id = %s", subscription_id
    )
    bounded, total = bound_sought(writer, Sought("due", named["name"], named["since"]))
    assert total == 1
    assert list(retry_matching(writer, bounded, "test")) == [1]
    (due,) = query("SELECT alert_id::text FROM outbox WHERE due_at <= now() AND NOT held")
    assert due["alert_id"] == waiting
    ids = {row["alert_id"]: row["id"] for row in query("SELECT alert_id::text, id FROM outbox")}
    refused = send(console, "POST", f"/v1/deliveries/{ids[held]}/retry")
    assert (refused.status_code, "remote enrichers" in refused.json()["detail"]) == (409, True)
    assert query("SELECT due_at > now() AS later FROM outbox WHERE alert_id = %s", held) == [{"later": True}]
    assert send(console, "POST", f"/v1/deliveries/{ids[overdue]}/retry").status_code == 200


def test_removing_takes_a_large_backlog_in_parts(
    quick: Workshop, writer: Database, query: Query, receiver: Receiver
) -> None:
    """A subscription goes with all its deliveries; those of others stay."""
    removed = subscribe(quick, "https://gone.example/")
    kept = subscribe(quick, receiver.url)
    announce(quick, "alert.created")
    query("INSERT INTO outbox (id, event_id, subscription_id, alert_id) SELECT gen_random_uuid(), e.id, %s, e.alert_id"
          " FROM events e, generate_series(1, 25000) RETURNING 1", removed)  # fmt: skip
    remove_subscription(writer, removed, "test")
    assert query("SELECT id::text FROM subscriptions") == [{"id": kept}]
    assert query("SELECT subscription_id::text FROM outbox") == [{"subscription_id": kept}]


def test_removal_that_was_cut_short_is_noted_all_the_same(quick: Workshop, writer: Database, query: Query) -> None:
    """Whatever ends it between two batches: who began is noted with the first, and begun again it comes to its end."""
    removed = subscribe(quick, "https://gone.example/")
    announce(quick, "alert.created")
    query("INSERT INTO outbox (id, event_id, subscription_id, alert_id) SELECT gen_random_uuid(), e.id, %s, e.alert_id"
          " FROM events e, generate_series(1, 25000) RETURNING 1", removed)  # fmt: skip
    query("""
        SELECT 1; CREATE FUNCTION cut_short() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF (SELECT count(*) FROM outbox) < 20000 THEN RAISE EXCEPTION 'cut short'; END IF; RETURN NULL;
        END $$; CREATE TRIGGER cut_short BEFORE DELETE ON outbox EXECUTE FUNCTION cut_short();
    """)
    with pytest.raises(psycopg.errors.RaiseException):
        remove_subscription(writer, removed, "somebody")
    assert query("SELECT count(*) AS left FROM outbox") == [{"left": 15001}]
    assert query("SELECT state FROM subscriptions") == [{"state": "paused"}]
    (named,) = query("SELECT name FROM subscriptions")
    begun = {"actor": "somebody", "action": "begin to remove subscription", "subject": removed, "note": named["name"]}
    noted = "SELECT actor, action, subject, note FROM operations ORDER BY id"
    assert query(noted) == [begun]
    query("SELECT 1; DROP TRIGGER cut_short ON outbox")
    remove_subscription(writer, removed, "somebody")
    assert query("SELECT id FROM outbox UNION ALL SELECT id FROM subscriptions") == []
    assert query(noted) == [begun, begun, begun | {"action": "remove subscription"}]


def test_what_a_turn_to_the_same_state_changes_is_noted(quick: Workshop, writer: Database, query: Query) -> None:
    """Resumed while it is active it forgets failures and hurries what was postponed: noted, if it has an effect."""
    own_id = subscribe(quick, "https://service.example/", name="service")
    announce(quick, "alert.created")
    noted = "SELECT actor, action, subject, note FROM operations ORDER BY id"
    with writer.transaction():
        set_state(writer, own_id, "active", "somebody")
    assert query(noted) == []
    postpone = "UPDATE outbox SET attempts = 3, due_at = now() + interval '1 hour' RETURNING 1"
    fail = "UPDATE subscriptions SET failures = 4, failing_since = now() RETURNING 1"
    done = {"actor": "somebody", "action": "resume subscription", "subject": own_id}
    for change, note in (
        ((postpone,), "was active; postponed deliveries due at once: 1"),
        ((fail,), "was active; failures forgotten: 4"),
        ((fail, postpone), "was active; failures forgotten: 4; postponed deliveries due at once: 1"),
        (("UPDATE subscriptions SET asked_until = now() + interval '1 hour' RETURNING 1",),
         "was active; what its receiver asked for forgotten"),
    ):  # fmt: skip
        for statement in change:
            query(statement)
        for _ in range(2):  # the second changes nothing
            with writer.transaction():
                set_state(writer, own_id, "active", "somebody")
        assert query(noted)[-1] == done | {"note": note}
    assert len(query(noted)) == 4
    assert query("SELECT FROM subscription_log") == []
    query(fail)
    with writer.transaction():
        set_state(writer, own_id, "paused", "somebody")
    assert query(noted)[-1] == done | {"action": "pause subscription", "note": "was active"}


NAMED = (
    ("GET", "", None), ("PATCH", "", {"state": "paused"}), ("PATCH", "", {"rate_limit": 1}),
    ("POST", "/rotate-secret", None), ("DELETE", "", None),
)  # fmt: skip


def test_no_subscription_has_a_name_with_control_characters(console: Client) -> None:
    """Whatever is asked of one it is a 404, as with any name that is none, and a 401 without the token."""
    for name, (method, path, document) in product(("%00", "a%00b", "%07", "%C2%85"), NAMED):
        place = f"/v1/subscriptions/{name}{path}"
        answered = send(console, method, place, document)
        assert (answered.status_code, answered.headers["Content-Type"]) == (404, "application/problem+json"), method
        assert "there is no subscription" in answered.json()["detail"].casefold()
        assert console.problem(f"/subscriptions/{name}")["status"] == 404
        assert requests.request(method, console.url + place, json=document, timeout=20).status_code == 401


def test_a_cursor_with_control_characters_is_none(console: Client) -> None:
    """Nobody was given one, whatever list it claims to be of: 400."""
    for path, cursor in (
        ("subscriptions", write_cursor("subscriptions", "\0")),
        ("subscriptions", write_cursor("subscriptions", "a\x07")),
        ("subscriptions", write_cursor("subscriptions", "a\x85")),
        ("deliveries", write_cursor("deliveries", f"{uuid4()}\0")),
        ("rejections", write_cursor("rejections", "2026-11-20T12:00:00+00:00", f"{uuid4()}\0")),
        ("rejections", write_cursor("rejections", "2026-11-20T12:00:00+00:00\0", str(uuid4()))),
        ("rejections", write_cursor("rejections", "0001-01-01T00:00:00+14:00", str(uuid4()))),
        ("deliveries", write_cursor("deliveries", f"urn:uuid:{uuid4()}")),
    ):
        assert console.problem(f"/v1/{path}", cursor=cursor)["status"] == 400, cursor
    urn = write_cursor("rejections", "2026-11-20T12:00:00+00:00", f"urn:uuid:{uuid4()}")
    assert console.get("/v1/rejections", cursor=urn)["data"] == []


def test_a_value_that_the_database_cannot_hold_is_no_fault(console: Client, query: Query) -> None:
    """What is looked at nowhere before is answered with 400 when PostgreSQL refuses it, and quoted in no log."""
    send(console, "POST", "/v1/subscriptions", {"name": "a", "url": "https://a.example/"})
    answered = send(console, "PATCH", "/v1/subscriptions/a", {"filters": {"merchants": ["hidden\0"]}})
    assert (answered.status_code, answered.headers["Content-Type"]) == (400, "application/problem+json")
    assert answered.json()["detail"] == "The request holds a value that cannot be stored or looked for."
    assert query("SELECT filters FROM subscriptions") == [{"filters": {}}]
    headers = {"Authorization": f"Bearer {console.token}"}
    assert requests.post(f"{console.url}/subscriptions/%00/pause", headers=headers, timeout=20).status_code == 400
    log = console.process.errors.read_text()
    assert '"event": "data_refused"' in log
    assert "hidden" not in log
    assert "Traceback" not in log
