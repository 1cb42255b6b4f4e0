"""Whether a push would be acknowledged now: how full the journal is, and whether it keeps what it is given."""

from typing import Any

import redis

from schemas.journal.append import JournalUnavailable
from schemas.journal.durability import examine_durability
from schemas.journal.room import JournalFull, check_room, list_limits, measure_journal
from schemas.settings.journal import Journal


def describe_readiness(client: redis.Redis, settings: Journal) -> dict[str, Any]:
    """Ask the journal, as a push would. Nothing is remembered, so the door is ready again as soon as the journal is.

    why       what a push would be refused for; ready without any
    warnings  settings that make the door slower, or refuse later than it should, but lose nothing
    limits    each limit that is set, how far it is filled, and from where on pushes are refused
    """
    why: list[str] = []
    warnings: list[str] = []
    limits: list[dict[str, Any]] = []
    try:
        state = measure_journal(client, settings)
        for limit in list_limits(state, settings):
            share = round(limit.used / limit.refuses_at, 4) if limit.refuses_at else 1.0
            told = {"setting": limit.setting, "unit": limit.unit, "used": limit.used, "refuses_at": limit.refuses_at}
            limits.append(told | {"share": share, "reached": limit.reached})
        try:
            check_room(state, settings)
        except JournalFull as error:
            why.append(str(error))
        for finding in examine_durability(client, settings):
            if not finding.well:
                (why if finding.refuses else warnings).append(f"journal {finding.name}: {finding.found}")
    except JournalUnavailable as error:
        why.append(str(error))
    except (redis.RedisError, OSError) as error:
        why.append(f"the journal does not answer: {type(error).__name__}")
    return {"ready": not why, "why": why, "warnings": warnings, "limits": limits}
