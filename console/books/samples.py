"""Sample how things stand every few seconds, and read the samples of the last hour: what the plots are drawn from.

Counting an hour of receipts or attempts takes seconds where much happens; a running total costs one row, however much
does. Several consoles may sample: of each moment the first one counts. The journal's counters come from Redis, so the
plots go on, and show the backlog growing, when no worker lives.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import redis

from console.connections import Database
from schemas.journal.stream import parse_id, parse_incarnation
from schemas.settings.journal import Journal

SECONDS = 5
LAG = 2.0  # seconds after which every attempt that was recorded with a time is to be seen
LONGEST_GAP = 60.0  # seconds; after a longer silence the first sample counts the attempts of so many


@dataclass(frozen=True, slots=True)
class Sample:
    """How things stood `at` a moment; the fields are the columns of `samples`."""

    at: datetime
    incarnation: UUID | None
    added: int | None
    entries: int | None
    oldest: float | None
    stored: int
    rejected: int
    delivered: int
    failed: int
    seconds: float


def count_journal(client: redis.Redis, settings: Journal) -> dict[str, Any]:
    """Return the journal's columns of a sample. Raises redis.RedisError; nothing of an absent stream is an error."""
    pipeline = client.pipeline(transaction=True)
    pipeline.get(f"{settings.stream}:incarnation")
    pipeline.xinfo_stream(settings.stream)
    pipeline.xrange(settings.stream, count=1)
    pipeline.time()
    incarnation, facts, first, clock = pipeline.execute(raise_on_error=False)
    if isinstance(facts, redis.ResponseError) and "no such key" in str(facts):
        facts = {"entries-added": 0, "length": 0}
    for answer in (incarnation, facts, first, clock):
        if isinstance(answer, redis.RedisError):
            raise answer
    now = clock[0] + clock[1] / 1e6
    return {
        "incarnation": parse_incarnation(incarnation),
        "added": int(facts["entries-added"]),
        "entries": int(facts["length"]),
        "oldest": max(0.0, now - parse_id(first[0][0])[0] / 1000) if first else 0.0,
    }


def save_sample(database: Database, journal: dict[str, Any] | None) -> None:
    """Write the sample of this moment, unless it is there, and forget those of earlier hours.

    `journal` is None when it does not answer. `database` is writable and in no transaction.
    """
    unknown = dict.fromkeys(("incarnation", "added", "entries", "oldest"))
    with database.transaction():
        database.execute("SET LOCAL synchronous_commit = off")
        database.execute(INSERT_SAMPLE, {**unknown, **(journal or {}), "step": SECONDS, "lag": LAG, "gap": LONGEST_GAP})
        database.execute("DELETE FROM samples WHERE at < now() - interval '3 hours'")


def read_samples(database: Database, seconds: float) -> list[Sample]:
    """Return the samples of the last so many seconds and the one before them, the earliest first."""
    return [Sample(**row) for row in database.execute(SELECT_SAMPLES, {"seconds": seconds + SECONDS})]


# A moment is a multiple of the step, so that every console means the same one.
INSERT_SAMPLE = """
    WITH moment AS (
        SELECT date_bin(make_interval(secs => %(step)s), now(), 'epoch') AS at
    ), span AS (
        SELECT at, greatest(coalesce((SELECT max(at) FROM samples), at - make_interval(secs => %(step)s)),
                            at - make_interval(secs => %(gap)s)) AS since
        FROM moment WHERE NOT EXISTS (SELECT FROM samples later WHERE later.at >= moment.at)
    ), attempted AS (
        SELECT count(*) FILTER (WHERE a.status BETWEEN 200 AND 299) AS delivered,
               count(*) FILTER (WHERE a.status IS NULL OR a.status NOT BETWEEN 200 AND 299) AS failed
        FROM span, attempts a
        WHERE a.attempted_at >= span.since - make_interval(secs => %(lag)s)
            AND a.attempted_at < span.at - make_interval(secs => %(lag)s)
    )
    INSERT INTO samples (at, incarnation, added, entries, oldest, stored, rejected, delivered, failed, seconds)
    SELECT span.at, %(incarnation)s::uuid, %(added)s, %(entries)s, %(oldest)s,
           (SELECT coalesce(sum(stored), 0) FROM totals), (SELECT coalesce(sum(rejected), 0) FROM totals),
           attempted.delivered, attempted.failed, extract(epoch FROM span.at - span.since)
    FROM span, attempted
    ON CONFLICT DO NOTHING
"""
SELECT_SAMPLES = """
    SELECT at, incarnation, added, entries, oldest, stored, rejected, delivered, failed, seconds FROM samples
    WHERE at >= now() - make_interval(secs => %(seconds)s) ORDER BY at
"""
