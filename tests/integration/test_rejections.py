"""Rejections in the hands of operators: replayed through the real journal, or discarded, and each write noted."""

import getpass
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
import redis
import requests

from console.connections import open_database
from console.rejections.bulk import Left, Waiting, bound_sought, replay_matching
from console.rejections.envelope import BadCorrection, NotReplayable
from console.rejections.queries import Sought, read_rejection
from console.rejections.replay import Desk, NoSuchRejection, NotOpen, Replay, discard_rejection, replay_rejection
from deploy.embedded.settings import Secrets
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from schemas.journal.room import JournalFull
from schemas.settings.configuration import Configuration
from tests.integration.conftest import Query
from tests.integration.console_server import Client, run_console
from tests.integration.test_command_alert_intake import Run, run_command
from workers.intake.drain import drain
from workers.settings import Workshop

STREAM = "alert-intake:journal"
CARD = "4111111111111111"
ABSENT = "00000000-0000-0000-0000-000000000000"
LONG_AGO = 1_700_000_000_000


@pytest.fixture
def journal(workshop: Workshop) -> Iterator[redis.Redis]:
    """Return a client of the journal."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        yield client


@pytest.fixture
def desk(workshop: Workshop, journal: redis.Redis) -> Iterator[Desk]:
    """Return what an operator works with."""
    with open_database(writable=True) as database:
        yield Desk(database, journal, workshop.configuration, workshop.keyring, "somebody")


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Return a function that runs the command on the same servers."""
    return lambda *arguments, given=None, **changed: run_command(
        *arguments, folder=tmp_path, given=given, **environment | changed
    )


@pytest.fixture
def console(
    environment: dict[str, str], workshop: Workshop, intake_secrets: Secrets, tmp_path: Path
) -> Iterator[Client]:
    """Run a console on the same servers."""
    with run_console(environment, intake_secrets.console_token, tmp_path) as client:
        yield client


def push(workshop: Workshop, journal: redis.Redis, *bodies: object, received_at: int = LONG_AGO) -> dict[str, int]:
    """Append bodies as the door does, received long ago, and drain them; return the endings."""
    for body in bodies:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        envelope = Envelope("ethoca", raw, received_at=received_at)
        append_entry(journal, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))
    return drain_all(workshop, journal)


def drain_all(workshop: Workshop, journal: redis.Redis) -> dict[str, int]:
    """Drain until the journal is empty; return the endings."""
    endings: dict[str, int] = {}
    for _attempt in range(50):
        for ending, count in drain(workshop, "drain@test/0", 0.2).endings.items():
            endings[ending] = endings.get(ending, 0) + count
        if not journal.xlen(STREAM):
            return endings
    pytest.fail("the journal was not drained")


def only(query: Query) -> str:
    """Return the id of the one open rejection."""
    (row,) = query("SELECT id::text FROM rejections WHERE state = 'open'")
    return str(row["id"])


def limited(configuration: Configuration, entries: int) -> Configuration:
    """Return the configuration with a journal that is full at so many entries."""
    return msgspec.structs.replace(
        configuration, journal=msgspec.structs.replace(configuration.journal, max_entries=entries)
    )


def test_replayed_alert_is_stored_as_received_then(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query
) -> None:
    """Once the cause is mended, an unchanged replay is stored, under a new request id and the old time of receipt."""
    query("SELECT 1; ALTER TABLE alerts ADD CONSTRAINT refuse CHECK (provider_alert_id <> 'A1') NOT VALID")
    assert push(workshop, journal, {"alertId": "A1"}) == {"rejected": 1}
    query("SELECT 1; ALTER TABLE alerts DROP CONSTRAINT refuse")
    done = replay_rejection(desk, only(query))
    assert drain_all(workshop, journal) == {"stored": 1}
    (alert,) = query("SELECT received_at FROM alerts")
    assert alert["received_at"] == datetime.fromtimestamp(LONG_AGO / 1000, UTC)
    shown = read_rejection(desk.database, done.rejection_id, workshop.keyring)
    assert shown is not None
    assert (shown["state"], shown["replayed_as"]) == ("replayed", done.request_id)
    assert shown["request_id"] != done.request_id
    assert [ending["ending"] for ending in shown["became"]] == ["stored"]
    ((actor, action),) = [(one["actor"], one["action"]) for one in shown["operations"]]
    assert (actor, action) == ("somebody", "replay")


def test_replay_that_the_journal_lost_is_named_and_repeated(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query, run: Run
) -> None:
    """A replay that waits is accounted for; one whose entry is gone is named until it is replayed again."""
    push(workshop, journal, b'{"alertId": "A1"')
    done = replay_rejection(desk, only(query), b'{"alertId": "A1"}')
    assert run("audit", "--json").json["balanced"]
    journal.xdel(STREAM, done.entry_id)
    lost = run("audit", "--json")
    assert lost.status == 1
    named = {"request_id": done.request_id, "entry_id": done.entry_id, "rejection_id": done.rejection_id}
    assert named in lost.json["unaccounted"]
    assert f"rejections replay {done.rejection_id} --again" in run("audit").out
    again = replay_rejection(desk, done.rejection_id, b'{"alertId": "A1"}', even_closed=True)
    assert drain_all(workshop, journal) == {"stored": 1}
    assert not any("rejection_id" in one for one in run("audit", "--json").json["unaccounted"])
    assert again.entry_id != done.entry_id


def test_older_replay_does_not_undo_what_came_since(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query
) -> None:
    """A rejection that is older than what was stored meanwhile is superseded when it is replayed, not newer."""
    push(workshop, journal, b'{"alertId": "A1", "status": "OPEN"')
    push(workshop, journal, {"alertId": "A1", "status": "RESOLVED"}, received_at=LONG_AGO + 1000)
    replay_rejection(desk, only(query), b'{"alertId": "A1", "status": "OPEN"}')
    assert drain_all(workshop, journal) == {"superseded": 1}
    assert query("SELECT status FROM alerts")[0]["status"] == "resolved"


def test_item_of_a_list_is_replayed_alone(desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query) -> None:
    """Of a list only the rejected item is corrected and replayed; its neighbours are not touched again."""
    push(workshop, journal, {"alerts": [{"alertId": "A1"}, {"issuer": "B"}]})
    rejection = read_rejection(desk.database, only(query), workshop.keyring)
    assert rejection is not None
    assert json.loads(rejection["body"]) == {"issuer": "B"}
    desk.database.rollback()
    replay_rejection(desk, str(rejection["id"]), b'{"alertId": "A2", "issuer": "B"}')
    assert drain_all(workshop, journal) == {"stored": 1}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"issuer": "B"}', b'[{"alertId": "A1"}, {}]', b" " * 2_000_000])
def test_correction_that_would_be_rejected_again_is_refused(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query, body: bytes
) -> None:
    """A corrected body without a usable id never enters the journal; the rejection stays open."""
    push(workshop, journal, b"{")
    with pytest.raises(BadCorrection):
        replay_rejection(desk, only(query), body)
    assert journal.xlen(STREAM) == 0
    assert only(query)


def test_replay_that_broke_off_after_the_append_is_repeated_without_harm(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query
) -> None:
    """When the database fails behind the append, it stays open; replayed again, the second is a duplicate."""
    push(workshop, journal, b"{")
    query("SELECT 1; ALTER TABLE operations ADD CONSTRAINT refuse CHECK (actor = 'nobody') NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        replay_rejection(desk, only(query), b'{"alertId": "A1"}')
    assert journal.xlen(STREAM) == 1
    query("SELECT 1; ALTER TABLE operations DROP CONSTRAINT refuse")
    replay_rejection(desk, only(query), b'{"alertId": "A1"}')
    assert drain_all(workshop, journal) == {"stored": 1, "duplicate": 1}


def test_journal_that_does_not_answer_leaves_the_rejection_open(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query, run: Run
) -> None:
    """Without the journal nothing is closed, and the command says on one line that it may be tried again."""
    push(workshop, journal, b"{")
    line = run("rejections", "replay", only(query), JOURNAL_URL="redis://127.0.0.1:1/0").line
    assert "stays open" in line
    assert only(query)


def test_many_operators_at_once_replay_it_once(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query
) -> None:
    """Of eight who replay the same rejection at the same moment one succeeds, the others are told."""
    push(workshop, journal, b"{")
    rejection = only(query)

    def replay_alone(_number: int) -> bool:
        with open_database(writable=True) as database:
            try:
                replay_rejection(replace(desk, database=database), rejection, b'{"alertId": "A1"}')
            except NotOpen:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(replay_alone, range(8))) == 1
    assert drain_all(workshop, journal) == {"stored": 1}


def test_discarded_rejection_is_kept_with_its_note(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query
) -> None:
    """A discarded rejection is closed; it is replayed only on purpose. A card number in the note is masked."""
    push(workshop, journal, b"{")
    rejection = only(query)
    for note in ("", "  ", "a\0b", "x" * 1001):
        with pytest.raises(BadCorrection):
            discard_rejection(desk.database, rejection, note, "somebody")
    discard_rejection(desk.database, rejection, f"test push of {CARD}", "somebody")
    (row,) = query("SELECT r.state, r.note, o.note AS noted, o.actor FROM rejections r, operations o")
    masked = "test push of 411111******1111"
    assert row == {"state": "discarded", "note": masked, "noted": masked, "actor": "somebody"}
    with pytest.raises(NotOpen):
        discard_rejection(desk.database, rejection, "again", "somebody")
    with pytest.raises(NotOpen):
        replay_rejection(desk, rejection, b'{"alertId": "A1"}')
    replay_rejection(desk, rejection, b'{"alertId": "A1"}', even_closed=True)
    assert drain_all(workshop, journal) == {"stored": 1}


def test_what_has_no_body_or_no_source_is_not_replayed(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query
) -> None:
    """An entry that was no envelope names no source, one of an unknown source waits until that is configured."""
    journal.xadd(STREAM, {b"x": b"y"})
    drain_all(workshop, journal)
    with pytest.raises(NotReplayable, match="names none"):
        replay_rejection(desk, only(query), b'{"alertId": "A1"}')
    query("UPDATE rejections SET source = 'elsewhere' RETURNING 1")
    with pytest.raises(NotReplayable, match="'elsewhere' is not configured"):
        replay_rejection(desk, only(query), b'{"alertId": "A1"}')
    query("UPDATE rejections SET source = 'ethoca' RETURNING 1")
    with pytest.raises(NotReplayable, match="no body"):
        replay_rejection(desk, only(query))
    replay_rejection(desk, only(query), b'{"alertId": "A1"}')
    assert drain_all(workshop, journal) == {"stored": 1}
    with pytest.raises(NoSuchRejection):
        replay_rejection(desk, ABSENT)


def test_many_are_replayed_and_end_although_all_are_rejected_again(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query
) -> None:
    """A replay of many takes those of its beginning only: what is rejected again meanwhile is not among them."""
    push(workshop, journal, *(b"{" for _ in range(5)), {"issuer": "B"})
    sought, found = bound_sought(desk.database, Sought(reason="unreadable"))
    replayed: list[object] = []
    for step in replay_matching(desk, sought, 0, time.sleep):
        replayed.append(step)
        drain_all(workshop, journal)
    assert found == 5
    assert [type(step) for step in replayed] == [Replay] * 5
    assert [row["n"] for row in query("SELECT count(*) AS n FROM rejections GROUP BY state ORDER BY state")] == [6, 5]
    none = Sought("open", "unreadable", since=datetime.now(UTC) + timedelta(hours=1))
    assert bound_sought(desk.database, none)[1] == 0
    assert bound_sought(desk.database, Sought(source="reseller"))[1] == 0


def test_full_journal_makes_a_replay_of_many_wait(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query
) -> None:
    """While the journal is full the replay waits and says so; when drains have made room it goes on to the end."""
    push(workshop, journal, *(b"{" for _ in range(4)))
    full = replace(desk, configuration=limited(workshop.configuration, 2))
    sought, _ = bound_sought(desk.database, Sought(reason="unreadable"))
    with pytest.raises(JournalFull):
        list(replay_matching(full, sought, 0, time.sleep))
    assert journal.xlen(STREAM) == 2

    def make_room(_seconds: float) -> None:
        drain_all(workshop, journal)

    steps = list(replay_matching(full, sought, 60, make_room))
    assert sum(isinstance(step, Replay) for step in steps) == 2
    assert sum(isinstance(step, Waiting) for step in steps) == 1
    assert not any(isinstance(step, Left) for step in steps)


def test_replay_of_many_goes_past_what_cannot_be_replayed(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query, run: Run
) -> None:
    """One that cannot be replayed is named and left open, the others go on, and the exit status tells."""
    push(workshop, journal, b"{", b"[", b"}")
    query(
        "UPDATE rejections SET sealed = 'broken' WHERE id = (SELECT id FROM rejections ORDER BY rejected_at, id"
        " OFFSET 1 LIMIT 1) RETURNING 1"
    )
    given = ("--reason", "unreadable", "--since", "2020-01-01")
    result = run("rejections", "replay", *given, "--json")
    assert result.status == 1
    assert (result.json["found"], result.json["replayed"], len(result.json["left"])) == (3, 2, 1)
    assert result.json["left"][0]["id"] == only(query)
    again = run("rejections", "replay", *given)
    assert again.status == 1
    assert "replayed 0 of 1" in again.out
    assert "left open" in again.err


def test_commands_replay_correct_discard_and_show(
    run: Run, workshop: Workshop, journal: redis.Redis, query: Query
) -> None:
    """By command: a corrected replay from stdin, a discard, and what was done, by whom, and what became of it."""
    push(workshop, journal, b"{")
    rejection = only(query)
    assert "would be rejected again" in run("rejections", "replay", rejection, "--body", "-", given=b"{}").line
    done = run("rejections", "replay", rejection, "--body", "-", "--json", given=b'{"alertId": "A1"}').json
    assert drain_all(workshop, journal) == {"stored": 1}
    shown = run("rejections", "show", rejection, "--json").json
    assert (shown["state"], shown["replayed_as"]) == ("replayed", done["request_id"])
    assert [one["actor"] for one in shown["operations"]] == [getpass.getuser()]
    assert f"corrected, as request {done['request_id']}" in run("rejections", "show", rejection).out
    assert "is replayed already" in run("rejections", "replay", rejection).line
    push(workshop, journal, b"[")
    assert run("rejections", "discard", only(query)).status == 2
    assert run("rejections", "discard", only(query), "--note", "a test").out.startswith("discarded")
    assert run("rejections", "list", "--json").json["data"] == []
    assert len(run("rejections", "list", "--state", "discarded", "--reason", "unreadable", "--json").json["data"]) == 1
    for arguments in ((), (rejection, "--reason", "x"), ("--reason", "x"), ("--since", "2020-01-01")):
        assert "give an ID" in run("rejections", "replay", *arguments).line


def test_api_shows_replays_and_discards(
    console: Client, workshop: Workshop, journal: redis.Redis, query: Query
) -> None:
    """By the API: the masked body, a corrected replay, a discard, and a problem for what cannot be."""
    push(workshop, journal, f'{{"CardNumber": "{CARD}", '.encode())
    place = f"/v1/rejections/{only(query)}"
    assert console.get(place)["body"] == '{"CardNumber": "411111******1111", '
    assert send(console, f"{place}/replay", {"issuer": "B"}).status_code == 422
    assert send(console, f"{place}/discard", {"why": "x"}).status_code == 400
    replayed = send(console, f"{place}/replay", {"alertId": "A1"})
    assert replayed.status_code == 200, replayed.text
    assert drain_all(workshop, journal) == {"stored": 1}
    shown = console.get(place)
    assert (shown["state"], shown["replayed_as"]) == ("replayed", replayed.json()["request_id"])
    assert [one["actor"] for one in shown["operations"]] == ["console"]
    assert send(console, f"{place}/replay").status_code == 409
    push(workshop, journal, b"[")
    assert send(console, f"/v1/rejections/{only(query)}/replay").status_code == 200
    drain_all(workshop, journal)
    discarded = send(console, f"/v1/rejections/{only(query)}/discard", {"note": "a test"})
    assert (discarded.status_code, discarded.json()["state"]) == (200, "discarded")
    since = datetime.now(UTC) + timedelta(hours=1)
    assert console.get("/v1/rejections", since=since.isoformat())["data"] == []
    assert len(console.get("/v1/rejections", reason="unreadable", source="ethoca", state="replayed")["data"]) == 2
    assert send(console, f"/v1/rejections/{ABSENT}/replay").status_code == 404
    assert send(console, f"/v1/rejections/{ABSENT}/replay", "x" * 2_000_000).status_code == 413
    form = requests.post(
        console.url + f"{place}/replay",
        data={"alertId": "A1"},
        headers={"Authorization": f"Bearer {console.token}"},
        timeout=20,
    )
    assert form.status_code == 415


@pytest.mark.parametrize("authorization", [None, "Bearer wrong"])
@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_nobody_writes_without_the_token(console: Client, verb: str, authorization: str | None) -> None:
    """The routes that write are behind the token, as all are."""
    headers = {"Authorization": authorization} if authorization else {}
    answer = requests.post(f"{console.url}/v1/rejections/{ABSENT}/{verb}", headers=headers, timeout=20)
    assert answer.status_code == 401


def test_full_or_dead_journal_is_a_503(
    environment: dict[str, str],
    workshop: Workshop,
    journal: redis.Redis,
    intake_secrets: Secrets,
    tmp_path: Path,
    query: Query,
) -> None:
    """A replay that the journal does not take is a 503, and the rejection stays open."""
    push(workshop, journal, b"{")
    dead = environment | {"JOURNAL_URL": "redis://127.0.0.1:1/0"}
    with run_console(dead, intake_secrets.console_token, tmp_path) as console:
        answer = send(console, f"/v1/rejections/{only(query)}/replay")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "stays open" in answer.json()["detail"]
    assert only(query)


def send(console: Client, path: str, body: Any = None) -> requests.Response:  # noqa: ANN401 - any JSON
    """Post a JSON body, or none."""
    headers = {"Authorization": f"Bearer {console.token}"}
    return requests.post(console.url + path, json=body, headers=headers, timeout=20)


def test_tampered_entry_is_replayed_with_a_corrected_body(
    desk: Desk, workshop: Workshop, journal: redis.Redis, query: Query
) -> None:
    """What stands on an envelope that does not open is kept, so that a body from elsewhere takes its place and time."""
    envelope = Envelope("ethoca", b'{"alertId": "A1"}', received_at=LONG_AGO)
    fields = seal_envelope(envelope, workshop.keyring)
    append_entry(journal, workshop.configuration.journal, fields | {b"b": fields[b"b"] + b"?"})
    assert drain_all(workshop, journal) == {"rejected": 1}
    (row,) = query("SELECT reason, source, request_id, received_at FROM rejections")
    assert (row["reason"], row["source"], row["request_id"].hex) == ("unsealable", "ethoca", envelope.request_id)
    assert query("SELECT request_id FROM receipts") == [{"request_id": row["request_id"]}]
    assert query("SELECT count(*) AS n FROM raw_bodies") == [{"n": 0}]
    with pytest.raises(NotReplayable, match="corrected"):
        replay_rejection(desk, only(query))
    replay_rejection(desk, only(query), b'{"alertId": "A1", "issuer": "BANK"}')
    assert drain_all(workshop, journal) == {"stored": 1}
    (alert,) = query("SELECT issuer, received_at FROM alerts")
    assert (alert["issuer"], alert["received_at"]) == ("BANK", datetime.fromtimestamp(LONG_AGO / 1000, UTC))


@pytest.mark.parametrize(
    "altered", [{b"r": b"no request"}, {b"r": b"urn:uuid:" + b"1" * 32}, {b"s": b"\0"}, {b"s": b"x" * 300}]
)
def test_altered_envelope_that_makes_no_sense_is_a_rejection_all_the_same(
    workshop: Workshop, journal: redis.Redis, query: Query, altered: dict[bytes, bytes]
) -> None:
    """Who alters more than the body cannot keep the entry from ending: what no table could hold is left out."""
    fields = seal_envelope(Envelope("ethoca", b'{"alertId": "A1"}'), workshop.keyring)
    append_entry(journal, workshop.configuration.journal, fields | altered)
    assert drain_all(workshop, journal) == {"rejected": 1}
    assert query("SELECT reason, source FROM rejections") == [{"reason": "unsealable", "source": None}]
