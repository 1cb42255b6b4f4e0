"""Read one delivery: an outbox item with all its attempts."""

from typing import Any

from console.connections import Database
from console.downstream.deliveries import SHOWN
from console.paging import parse_uuid
from console.unreachable import Refused


class NoSuchDelivery(Refused):
    """There is no delivery of this id."""


def read_delivery(database: Database, delivery_id: str) -> dict[str, Any]:
    """Return one delivery with each of its attempts. Raises NoSuchDelivery."""
    own = {"id": parse_uuid(delivery_id)}
    row = database.execute(SELECT_DELIVERY, own).fetchone()
    if row is None:
        raise no_delivery(delivery_id)
    return row | {"log": database.execute(SELECT_ATTEMPTS, own).fetchall()}


def no_delivery(delivery_id: str) -> NoSuchDelivery:
    """Return the refusal for an id that is none."""
    return NoSuchDelivery(f"there is no delivery {delivery_id}; see `alert-intake deliveries list`")


SELECT_DELIVERY = f"{SHOWN} WHERE o.id = %(id)s"
SELECT_ATTEMPTS = """
    SELECT number, attempted_at, status, milliseconds, error, answer, next_at
    FROM attempts WHERE outbox_id = %(id)s ORDER BY attempted_at, number
"""
