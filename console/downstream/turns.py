"""The turns of a subscription by hand: paused, resumed, removed. What waits for it follows."""

from typing import Any

from console.connections import Database
from console.downstream.subscriptions import hold_subscription, wake_forwarders
from console.operations import note_operation

BATCH = 10_000


def set_state(database: Database, name: str, state: str, actor: str) -> dict[str, Any]:
    """Make a subscription active or paused: while it is paused its events stay due. Raises NoSuchSubscription.

    Resumed, it starts afresh: no failure is held against it, and what was postponed is due at once, in its order.
    """
    row = hold_subscription(database, name)
    database.execute(
        "UPDATE subscriptions SET state = %s, failures = 0, failing_since = NULL, probe_at = NULL, asked_until = NULL"
        " WHERE id = %s",
        [state, row["id"]],
    )
    hurried = 0
    if state == "active":
        hurried = database.execute(BRING_FORWARD, [row["id"]]).rowcount
        wake_forwarders(database)
    turned = state != row["state"]
    effects = [] if turned else list_effects(row, hurried)
    if turned or effects:
        action = "resume subscription" if state == "active" else "pause subscription"
        note_operation(database, actor, action, str(row["id"]), "; ".join([f"was {row['state']}", *effects]))
    if turned:
        # What subscriptions that asked for it are told, and `subscriptions show` shows.
        turn = [row["id"], row["name"], "resumed" if state == "active" else "paused"]
        database.execute(NOTE_TURN, turn)
    return {"id": row["id"], "name": row["name"], "state": state}


def list_effects(row: dict[str, Any], hurried: int) -> list[str]:
    """Return what setting the state that a subscription has already changes all the same."""
    effects = {
        f"failures forgotten: {row['failures']}": row["failures"] or row["failing_since"],
        "what its receiver asked for forgotten": row["asked_until"],
        f"postponed deliveries due at once: {hurried}": hurried,
    }
    return [effect for effect, happened in effects.items() if happened]


def remove_subscription(database: Database, name: str, actor: str) -> dict[str, Any]:
    """Delete a subscription, and with it every delivery to it. Raises NoSuchSubscription.

    The deliveries first, in transactions of their own on a connection that is in none: who announces an event waits for
    the last one only. The beginning is noted before them, so nothing goes unnoted if this ends in between.
    """
    with database.transaction():
        row = hold_subscription(database, name)
        own_id = row["id"]
        database.execute("UPDATE subscriptions SET state = 'paused' WHERE id = %s", [own_id])
        note_operation(database, actor, "begin to remove subscription", str(own_id), row["name"])
    while True:
        with database.transaction():
            if database.execute(DELETE_SOME, [own_id, BATCH]).rowcount < BATCH:
                break
    with database.transaction():
        row = hold_subscription(database, str(own_id))
        database.execute("DELETE FROM subscriptions WHERE id = %s", [own_id])
        note_operation(database, actor, "remove subscription", str(own_id), row["name"])
    return {"id": own_id, "name": row["name"]}


DELETE_SOME = "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE subscription_id = %s LIMIT %s)"
NOTE_TURN = "INSERT INTO subscription_log (subscription_id, subscription, what, why) VALUES (%s, %s, %s, 'by hand')"
# What an attempt postponed, and what was put behind it: due again from when it came up, so in its order. The same is
# done when a probe succeeds.
BRING_FORWARD = """
    UPDATE outbox SET due_at = created_at
    WHERE subscription_id = %s AND state = 'due' AND lease IS NULL AND due_at > created_at
      AND (attempts > 0 OR NOT held)
"""
