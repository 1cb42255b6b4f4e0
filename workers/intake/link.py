"""Link: alerts that speak of one transaction know of each other, whatever network and id they came under.

Two networks, or two alerts of one, may dispute the same payment; whoever refunds must see that, or refunds twice.

Lock order, so that no two drains wait for each other in a circle: identities, then keys of transactions, then rows of
`alerts`, each sorted. Nobody who holds one of these asks for one that comes before it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from schemas.alert.alert import Alert
from workers.database.connections import Database
from workers.database.rows import hexed, to_json
from workers.intake.outcomes import Decisions
from workers.intake.transactions import transaction_keys

# An ARN or a purchase that more alerts than this claim to speak of names no transaction. It links no further.
MOST_ALERTS = 20


def link_alerts(database: Database, decisions: Decisions) -> None:
    """Put every alert that speaks of a new alert's transaction into its `related`, and it into theirs.

    Every event of this batch tells of the links. None is added for an alert that merely gained one: no network has said
    anything of it, and whoever is about to act on the newer alert reads there which other one to look at first.
    """
    revised = {revision.alert_id for revision in decisions.revisions}
    own = decisions.stored | decisions.changed
    speaking = [alert for alert in own.values() if alert.id in decisions.stored or alert.id in revised]
    partners = find_partners(claim_keys(database, speaking).values())
    if not partners:
        return
    others = lock_alerts(database, partners.keys() | decisions.changed.keys())
    present = own.keys() | others.keys()
    added = []
    for alert_id, linked in partners.items():
        if alert_id in own:
            own[alert_id].related = sorted({*own[alert_id].related, *linked & present})
        elif alert_id in others and not others[alert_id] >= linked:
            added.append({"id": alert_id, "related": sorted(others[alert_id] | linked & present)})
    if added:
        database.execute(ADD_LINKS, [to_json(added)])
    adopt_links(decisions, {alert.id: alert.related for alert in own.values()})


def adopt_links(decisions: Decisions, related: Mapping[str, list[str]]) -> None:
    """Let the events of a batch tell of these links: alert id -> ids of all its related alerts."""
    for event in decisions.events:
        event.alert.related = list(related.get(event.alert.id, event.alert.related))


def find_partners(groups: Iterable[list[str]]) -> dict[str, set[str]]:
    """Return for each alert of these groups the others of its groups."""
    partners: dict[str, set[str]] = defaultdict(set)
    for group in groups:
        for alert_id in group:
            partners[alert_id].update(other for other in group if other != alert_id)
    return partners


def claim_keys(database: Database, alerts: Iterable[Alert]) -> dict[str, list[str]]:
    """Note which alerts speak of which transaction. Return the keys that have gained an alert: key -> all its alerts.

    A key that another drain is claiming is waited for, and then seen with what that drain has committed. One that has
    nothing to gain, or more than it may have, is left alone: alerts of one placeholder must not wait for each other.
    """
    keys: dict[str, list[str]] = defaultdict(list)
    for alert in alerts:
        for key in transaction_keys(alert):
            keys[hexed(key)].append(alert.id)
    if not keys:
        return {}
    claims = [{"key": key, "alert_ids": keys[key][: MOST_ALERTS + 1]} for key in sorted(keys)]
    rows = database.execute(CLAIM_KEYS, {"claims": to_json(claims), "most": MOST_ALERTS})
    return {row["key"]: row["alert_ids"] for row in rows}


def lock_alerts(database: Database, alert_ids: Iterable[str]) -> dict[str, set[str]]:
    """Lock rows of `alerts` in the order in which everybody locks them; return those there are, with their links."""
    rows = database.execute(LOCK_ALERTS, [list(alert_ids)])
    return {row["id"]: set(row["related"]) for row in rows}


CLAIM_KEYS = """
    WITH gained AS (
        INSERT INTO transactions AS known (key, alert_ids)
        SELECT key, alert_ids FROM json_to_recordset(%(claims)s::json) AS claim (key bytea, alert_ids uuid[])
        WHERE coalesce((
            SELECT cardinality(done.alert_ids) <= %(most)s AND NOT done.alert_ids @> claim.alert_ids
            FROM transactions done WHERE done.key = claim.key
        ), true)
        ORDER BY key
        ON CONFLICT (key) DO UPDATE
        SET alert_ids = ARRAY(SELECT DISTINCT unnest(known.alert_ids || excluded.alert_ids))
        WHERE NOT known.alert_ids @> excluded.alert_ids AND cardinality(known.alert_ids) <= %(most)s
        RETURNING key, alert_ids
    )
    SELECT encode(key, 'hex') AS key, alert_ids::text[] FROM gained
    WHERE cardinality(alert_ids) BETWEEN 2 AND %(most)s
"""
LOCK_ALERTS = """
    SELECT id::text, related::text[] FROM alerts WHERE id = ANY(%s::uuid[]) ORDER BY alerts.id FOR NO KEY UPDATE
"""
# The rows are locked, so that what was read of them is what they are.
ADD_LINKS = """
    UPDATE alerts a SET related = r.related, changed_at = now()
    FROM json_to_recordset(%s::json) AS r (id uuid, related uuid[]) WHERE a.id = r.id
"""
