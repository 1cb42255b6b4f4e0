"""Rotating the sealing keys: by command, on real servers, with content in every place that is sealed."""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from console.connections import Database, open_database
from console.keys.reseal import BATCH, reseal_everything
from console.keys.uses import count_uses
from console.rejections.queries import read_rejection
from schemas.downstream.subscription import Credentials, generate_secret, seal_credentials, unseal_credentials
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, binding, seal_envelope
from schemas.keyring import key_id, load_keyring
from tests.integration.conftest import Query
from tests.integration.test_command_alert_intake import Run, run_command
from workers.intake.drain import drain
from workers.settings import Workshop

STREAM = "alert-intake:journal"


@pytest.fixture
def journal(workshop: Workshop) -> Iterator[redis.Redis]:
    """Return a client of the journal."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        yield client


@pytest.fixture
def database(workshop: Workshop) -> Iterator[Database]:
    """Return a writable connection of the console's."""
    with open_database(writable=True) as database:
        yield database


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Return a function that runs the command on the same servers."""
    return lambda *arguments, given=None, **changed: run_command(
        *arguments, folder=tmp_path, given=given, **environment | changed
    )


@pytest.fixture
def key_file(workshop: Workshop) -> Path:
    """Return the file with the sealing keys."""
    return Path(str(workshop.configuration.sealing.keys.file))


def add_key(key_file: Path) -> str:
    """Put a new key in front, as docs/keys.md says; return its id."""
    key = os.urandom(32)
    key_file.write_text(base64.urlsafe_b64encode(key).decode() + "," + key_file.read_text())
    return key_id(key).hex()


def remove_last_key(key_file: Path) -> None:
    """Remove the oldest key."""
    key_file.write_text(key_file.read_text().rpartition(",")[0])


def reloaded(workshop: Workshop) -> Workshop:
    """Return the workshop after a restart."""
    return replace(workshop, keyring=load_keyring(workshop.configuration.sealing))


def push(journal: redis.Redis, workshop: Workshop, *bodies: bytes, drained: bool = True) -> None:
    """Append bodies as the door does, and drain them unless they are to wait."""
    for body in bodies:
        envelope = Envelope("ethoca", body)
        append_entry(journal, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))
    while drained and journal.xlen(STREAM):
        drain(workshop, "drain@test/0", 0.3)


def subscribe(database: Database, workshop: Workshop) -> Credentials:
    """Add a subscription; return its credentials."""
    credentials = Credentials(secret=generate_secret(), headers={"X-API-Key": "hidden"})
    subscription_id = str(uuid4())
    sealed = seal_credentials(credentials, subscription_id, workshop.keyring)
    with database.transaction():
        database.execute(
            "INSERT INTO subscriptions (id, name, url, sealed) VALUES (%s, 'all', 'https://downstream.example/', %s)",
            [subscription_id, sealed],
        )
    return credentials


def test_whole_rotation_leaves_nothing_that_needs_the_old_key(
    run: Run, workshop: Workshop, journal: redis.Redis, database: Database, query: Query, key_file: Path
) -> None:
    """Add a key, restart, rotate, drain, rotate again, remove the old: everything opens with the new key alone."""
    (old,) = workshop.keyring.key_ids
    credentials = subscribe(database, workshop)
    push(journal, workshop, b'{"alertId": "A1"}', b"{")
    push(journal, workshop, b'{"alertId": "A2"}', drained=False)
    new = add_key(key_file)
    listed = run("keys", "list", "--json").json["keys"]
    counts = {"subscriptions": 1, "rejections": 1, "raw_bodies": 2, "journal": 1}
    none = dict.fromkeys(counts, 0)
    assert listed == [{"key": new, "role": "seals"} | none, {"key": old, "role": "opens"} | counts]

    first = run("keys", "rotate", "--json")
    assert first.status == 1
    assert first.json["resealed"] == {"subscriptions": 1, "rejections": 1, "raw_bodies": 2}
    assert (first.json["removable"], first.json["done"]) == ([], False)
    assert first.json["keys"][1] == {"key": old, "role": "opens"} | none | {"journal": 1}
    assert "still sealed with another key" in run("keys", "rotate").out

    push(journal, reloaded(workshop), b'{"alertId": "A3"}')
    second = run("keys", "rotate", "--json")
    assert second.status == 0
    assert second.json["resealed"] == {"subscriptions": 0, "rejections": 0, "raw_bodies": 1}
    assert (second.json["removable"], second.json["done"]) == ([old], True)
    assert old in run("keys", "rotate").out
    noted = query("SELECT action, subject FROM operations ORDER BY id LIMIT 2")
    assert noted == [{"action": action, "subject": "sealing keys"} for action in ("begin to rotate", "rotate")]

    remove_last_key(key_file)
    keyring = reloaded(workshop).keyring
    assert keyring.key_ids == (new,)
    bodies = {
        keyring.unseal(row["sealed"], binding(row["source"], row["request_id"].hex))
        for row in query("SELECT * FROM raw_bodies")
    }
    assert bodies == {b'{"alertId": "A1"}', b"{", b'{"alertId": "A2"}', b'{"alertId": "A3"}'}
    (rejection,) = query("SELECT id::text FROM rejections")
    shown = read_rejection(database, rejection["id"], keyring)
    assert shown is not None
    assert shown["body"] == "{"
    (subscription,) = query("SELECT id::text, sealed FROM subscriptions")
    assert unseal_credentials(subscription["sealed"], subscription["id"], keyring) == credentials
    assert run("keys", "list").status == 0


def test_key_that_was_removed_too_early_is_named(
    run: Run, workshop: Workshop, journal: redis.Redis, key_file: Path
) -> None:
    """Content that no configured key opens is counted under the id of the missing key, and left as it is."""
    (old,) = workshop.keyring.key_ids
    push(journal, workshop, b"{")
    add_key(key_file)
    remove_last_key(key_file)
    listed = run("keys", "list", "--json")
    assert listed.status == 1
    assert [(row["key"], row["role"]) for row in listed.json["keys"]][1:] == [(old, "missing")]
    rotated = run("keys", "rotate", "--json")
    assert rotated.status == 1
    assert rotated.json["unopened"] == {"subscriptions": 0, "rejections": 1, "raw_bodies": 1}
    assert rotated.json["resealed"] == {"subscriptions": 0, "rejections": 0, "raw_bodies": 0}


def test_rotation_that_was_broken_off_goes_on(
    workshop: Workshop, journal: redis.Redis, database: Database, query: Query, key_file: Path
) -> None:
    """Rows in several pages: what was done before the interruption is not done again, the rest is."""
    push(journal, workshop, *(json.dumps({"alertId": f"A{number}"}).encode() for number in range(2 * BATCH + 10)))
    add_key(key_file)
    keyring = reloaded(workshop).keyring
    rotation = reseal_everything(database, keyring)
    while (page := next(rotation)).table != "raw_bodies":
        pass
    assert (page.read, page.resealed) == (BATCH, BATCH)
    rotation.close()
    assert sum(page.resealed for page in reseal_everything(database, keyring)) == BATCH + 10
    assert count_uses(database, journal, STREAM)["raw_bodies"] == {keyring.key_ids[0]: 2 * BATCH + 10}


def test_secret_that_changes_meanwhile_is_not_undone(
    workshop: Workshop, database: Database, query: Query, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subscription whose credentials are changed between reading and writing keeps the change."""
    subscribe(database, workshop)
    add_key(key_file)
    keyring = reloaded(workshop).keyring
    seal, changed = keyring.seal, b"changed by somebody else"

    def change_first(plain: bytes, bound_to: bytes) -> bytes:
        query("UPDATE subscriptions SET sealed = %s RETURNING 1", changed)
        return seal(plain, bound_to)

    monkeypatch.setattr(keyring, "seal", change_first)
    assert [page.resealed for page in reseal_everything(database, keyring)] == [0, 0, 0]
    assert query("SELECT sealed FROM subscriptions") == [{"sealed": changed}]


def test_content_that_is_not_sealed_is_told_apart(run: Run, workshop: Workshop, journal: redis.Redis) -> None:
    """An entry that is no envelope belongs to no key, and the listing says so."""
    journal.xadd(STREAM, {b"x": b"y"})
    listed = run("keys", "list", "--json")
    assert listed.status == 1
    assert listed.json["keys"][-1] == {
        "key": None, "role": "unsealed", "subscriptions": 0, "rejections": 0, "raw_bodies": 0, "journal": 1,
    }  # fmt: skip
