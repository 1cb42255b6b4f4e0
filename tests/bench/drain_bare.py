"""The bare loop: it reads the same entries and writes the same rows to the same tables, and does nothing else.

Nothing is unsealed, validated or decided: every alert is the same but for its ids. It writes as fast as is known here,
all by COPY, in one transaction a batch, and settles as a drain does.
"""

import os
from typing import Any, cast

import orjson
import redis
from uuid_utils.compat import uuid7

from schemas.alert.alert import Alert
from schemas.alert.times import iso_milliseconds
from schemas.journal.append import GROUP
from workers.database.connections import Database, connect_database, connect_stream
from workers.database.copying import copy_rows
from workers.intake.columns import COPIED_ALERT, alert_texts
from workers.intake.store import ADD_TOTALS
from workers.settings import Workshop

BATCH = 500
INCARNATION = "0b6d6f2e-0000-4000-8000-000000000000"
FACTS = {
    "type": "CUSTOMERDISPUTE", "issuer": "EXAMPLE BANK", "card_bin": "555555", "card_last4": "4444",
    "arn": "75186056123456789012345", "merchant_descriptor": "EXAMPLE*STORE 8005550100", "member_id": "4567",
    "mcc": "5732", "amount": "125.40", "currency": "USD", "transaction_type": "eCommerce",
    "initiated_by": "cardholder", "is_3d_secure": "no", "auth_code": "735364", "transaction_id": "MCC0987654321",
    "reason_code": "4853", "alerted_at": "2026-11-20T17:11:05.000Z", "transaction_at": "2026-11-19T14:30:00.000Z",
}  # fmt: skip
ALERT = Alert(
    id="019aa000-0000-7000-8000-000000000001",
    network="ethoca",
    provider_alert_id="BARE",
    source="ethoca",
    kind="customer_dispute",
    status="open",
    received_at="2026-11-20T17:11:05.000Z",
    facts=FACTS,
    card_network="mastercard",
    respond_by="2026-11-21T17:11:05.000Z",
    enrichment={"amount_minor": 12540},
    seen=["0" * 32],
    standing={
        "as_of": {"ethoca": ["2026-11-20T17:11:05.000Z", 0]},
        "own": sorted(FACTS),
        "status_from": None,
        "kind_from": "own",
    },
)
TEXTS = alert_texts(ALERT)
TOLD = orjson.dumps(ALERT.to_told_row() | {"origin": {"request_id": "0" * 32}}).decode()


def carry_bare(workshop: Workshop, consumer: str) -> int:
    """Empty the journal, and return how many entries there were."""
    stream, entries = workshop.configuration.journal.stream, 0
    with connect_database(workshop.database_url, "bench") as database, connect_stream(workshop.journal_url) as client:
        make_group(client, stream)
        while True:
            answer = cast("Any", client.xreadgroup(GROUP, consumer, {stream: ">"}, count=BATCH, block=1))
            if not answer:
                return entries
            ((_stream, found),) = answer
            with database.transaction():
                write_rows(database, consumer, found)
            settle(client, stream, [entry_id for entry_id, _fields in found])
            entries += len(found)


def make_group(client: redis.Redis, stream: str) -> None:
    """Make the group, unless a drain has made it."""
    if not client.xinfo_groups(stream):
        client.xgroup_create(stream, GROUP, id="0")


def settle(client: redis.Redis, stream: str, ids: list[bytes]) -> None:
    """Forget the entries."""
    pipeline = client.pipeline(transaction=True)
    pipeline.xack(stream, GROUP, *ids)
    pipeline.xdel(stream, *ids)
    pipeline.execute()


def write_rows(database: Database, consumer: str, found: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
    """Write one row of each table for each entry, two of `transactions`."""
    keys = []
    for entry_id, fields in found:
        milliseconds, _, sequence = entry_id.decode().partition("-")
        at = iso_milliseconds(int(milliseconds))
        keys.append((str(uuid7()), (at, sequence, INCARNATION), at, fields[b"r"].decode(), fields[b"b"].hex()))
    key_columns = ("entered_at", "sequence", "incarnation")
    copy_rows(
        database,
        "receipts",
        (*key_columns, "request_id", "source", "received_at"),
        [(*key, request, "ethoca", at) for _id, key, at, request, _body in keys],
    )
    copy_rows(
        database,
        "identities",
        ("network", "provider_alert_id", "alert_id"),
        [("ethoca", own_id, own_id) for own_id, *_ in keys],
    )
    copy_rows(
        database,
        "transactions",
        ("key", "alert_ids"),
        [(f"\\x{os.urandom(16).hex()}", f"{{{own_id}}}") for own_id, *_ in keys for _ in range(2)],
    )
    copy_rows(database, "alerts", COPIED_ALERT, [[own_id, "ethoca", own_id, *TEXTS[3:]] for own_id, *_ in keys])
    copy_rows(
        database,
        "endings",
        (*key_columns, "item", "ending", "alert_id"),
        [(*key, "0", "stored", own_id) for own_id, key, *_ in keys],
    )
    copy_rows(
        database,
        "raw_bodies",
        (*key_columns, "source", "request_id", "sealed"),
        [(*key, "ethoca", request, f"\\x{body}") for _id, key, _at, request, body in keys],
    )
    copy_rows(
        database,
        "events",
        ("id", "type", "alert_id", "revision", "alert"),
        [(str(uuid7()), "alert.created", own_id, "1", TOLD.replace(ALERT.id, own_id)) for own_id, *_ in keys],
    )
    counts = {"stored": len(keys), "updated": 0, "duplicate": 0, "superseded": 0, "rejected": 0}
    database.execute(ADD_TOTALS, {"incarnation": INCARNATION, "consumer": consumer, "entries": len(keys), **counts})
