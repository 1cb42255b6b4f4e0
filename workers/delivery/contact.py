"""Contact: the one personal field of an alert, for subscriptions that get it. It is kept in the sealed body only.

So it is looked up when it is sent, and is gone when the body is: for `retention.raw_bodies` at the longest. Looked at
are only messages that brought something, the first of an alert and the latest: a repetition would bring the same
contact, and there may be thousands.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from schemas.alert.cards import mask_cards
from schemas.alert.problem import replace_unstorable
from schemas.formats.document import NotAnAlert, alert_fields, plain_name, read_document, split_alerts
from schemas.journal.envelope import binding
from schemas.keyring import Keyring, Tampered, UnknownKey
from schemas.settings.configuration import Configuration
from workers.database.connections import Database
from workers.delivery.lease import Item

FIELD = "descriptorcontact"
LONGEST = 255
LATEST = 5  # messages of an alert that revised it, and as many that came too late to


def gets_contact(item: Item) -> bool:
    """Say whether the contact goes out with an item, if there is one."""
    return item.alert_id is not None and item.personal_data and "descriptorContact" not in item.leave_out


def add_contacts(database: Database, items: list[Item], configuration: Configuration, keyring: Keyring) -> list[Item]:
    """Give items that get it their alert's contact, if one was sent."""
    if not items:
        return []
    contacts = find_contacts(database, {str(item.alert_id) for item in items}, configuration, keyring)
    return [replace(item, contact=contacts.get(str(item.alert_id))) for item in items]


def find_contacts(
    database: Database, alert_ids: Collection[str], configuration: Configuration, keyring: Keyring
) -> dict[str, str]:
    """Return the latest contact that was sent for each alert, by alert id."""
    contacts: dict[str, str] = {}
    for row in database.execute(SELECT_BODIES, {"alerts": list(alert_ids), "latest": LATEST}):
        if row["alert_id"] not in contacts:
            contact = read_contact(row, configuration, keyring)
            if contact is not None:
                contacts[row["alert_id"]] = contact
    return contacts


def read_contact(row: Mapping[str, Any], configuration: Configuration, keyring: Keyring) -> str | None:
    """Read the contact in a sealed body, or None when there is none or the body cannot be read here any more.

    It may hold what no body can be written with, such as half of a surrogate pair.
    """
    source = configuration.source(row["source"])
    if source is None:
        return None
    try:
        body = keyring.unseal(bytes(row["sealed"]), binding(row["source"], row["request_id"]))
        items, _is_list = split_alerts(read_document(body, source)[0])
    except (UnknownKey, Tampered, NotAnAlert):
        return None
    fields = alert_fields(items[row["item"]], source.format) if row["item"] < len(items) else None
    for name, value in (fields or {}).items():
        if plain_name(name) == FIELD and isinstance(value, str) and value.strip():
            return mask_cards(replace_unstorable(value.strip()))[:LONGEST]
    return None


SELECT_BODIES = """
    SELECT e.alert_id::text, e.item, b.source, replace(b.request_id::text, '-', '') AS request_id, b.sealed
    FROM unnest(%(alerts)s::uuid[]) AS wanted (alert_id)
    CROSS JOIN unnest('{stored,updated,superseded}'::text[]) AS brought (ending)
    CROSS JOIN LATERAL (
        SELECT * FROM endings own WHERE own.alert_id = wanted.alert_id AND own.ending = brought.ending
        ORDER BY own.entered_at DESC LIMIT %(latest)s
    ) e
    JOIN raw_bodies b USING (entered_at, sequence, incarnation)
    ORDER BY e.entered_at DESC, e.sequence DESC, e.item DESC
"""
