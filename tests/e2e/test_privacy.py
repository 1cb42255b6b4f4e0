"""A card number sent in clear is nowhere afterwards: not in Redis, its files, PostgreSQL, its files, or a log."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from tests.e2e.bodies import dispute, fresh_id, legacy_fraud
from tests.e2e.sender import Sender
from tests.e2e.window import find_alert, get, settled, wait_for

# Luhn-valid, of a Visa range, and used by no other test.
CANARY = "4929123456781236"


def luhn_valid(number: str) -> bool:
    """Say whether the check digit fits."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def disguises(number: str) -> list[bytes]:
    """Return the forms in which a number could lie about: plain, as hex, and inside base64 at any of three offsets."""
    plain = number.encode()
    found = [plain, plain.hex().encode(), plain.hex().upper().encode()]
    # Only those characters that do not depend on the neighbouring bytes.
    for offset, first in ((0, 0), (1, 2), (2, 3)):
        found.append(base64.b64encode(b"\0" * offset + plain)[first:20])
    return found


def database_rows(url: str) -> Iterator[tuple[str, bytes]]:
    """Yield every table's content as PostgreSQL writes it out, bytea as hex."""
    with psycopg.connect(url) as database:
        tables = database.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert len(tables) > 10
        for (table,) in tables:
            with database.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.SQL(table))) as rows:
                yield f"table {table}", b"".join(bytes(row) for row in rows)


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the stack: logs, the journal's append-only file, PostgreSQL's pages and write-ahead log."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()


def redis_values(url: str) -> Iterator[tuple[str, bytes]]:
    """Yield every key of a Redis, as it would be dumped."""
    with redis.Redis.from_url(url, protocol=2) as client:
        for key in client.scan_iter():
            yield f"key {key!r}", client.dump(key) or b""


def test_card_number_is_nowhere_in_clear(run: Mapping[str, str], ethoca: Sender, run_folders: list[Path]) -> None:
    """Pushed in a known field, an unknown one, a text, a list, a malformed body, a wrong place: it is never found."""
    assert luhn_valid(CANARY)
    spaced = " ".join(CANARY[start : start + 4] for start in range(0, 16, 4))
    ids = [fresh_id() for _ in range(5)]
    bodies: list[object] = [
        legacy_fraud(ids[0], CardNumber=CANARY),
        dispute(ids[1], somethingNew=CANARY, nested={"deep": [CANARY]}),
        dispute(ids[2], merchantDescriptor=f"STORE {CANARY}", issuer=spaced, authCode=CANARY, amount=CANARY),
        [legacy_fraud(ids[3], cardNumber=int(CANARY)), {"noId": CANARY}],
        dispute(ids[4], cardBin=CANARY, cardLast4=CANARY, alertTimestamp=CANARY, currency=CANARY),
    ]
    for body in bodies:
        assert ethoca.push(body).acknowledged
    malformed = [b'{"alertId": "X", "CardNumber": "%s"' % CANARY.encode(), json.dumps({"card": CANARY}).encode()]
    for body in malformed:
        refused = ethoca.push(body)
        assert refused.status == 400
        assert CANARY.encode() not in refused.body
    assert ethoca.push(dispute(fresh_id()), headers={"Authorization": f"Basic {CANARY}"}).status == 401
    assert ethoca.push(dispute(fresh_id()), path=f"/push/{CANARY}").status == 404
    settled(run)
    alert = wait_for(lambda: find_alert(run, ids[2]), bool)
    assert alert is not None
    assert "492912******1236" in alert["merchant"]["descriptor"]
    assert CANARY not in json.dumps(get(run, "/v1/alerts"))

    forbidden = disguises(CANARY)
    searched = found = 0
    for source in (
        redis_values(run["JOURNAL_URL"]),
        redis_values(run["BROKER_URL"]),
        database_rows(run["DATABASE_URL"]),
        *(files_below(folder) for folder in run_folders),
    ):
        for place, content in source:
            searched += len(content)
            found += ids[2].encode() in content
            for form in forbidden:
                assert form not in content, f"the card number is in {place}"
    assert searched > 1_000_000
    assert found > 2, "the search would not have found anything: it does not even find the alert's id"
