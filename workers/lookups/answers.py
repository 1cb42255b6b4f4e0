"""Answers: what the remote enrichers say of one alert, and what follows from it."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog

from schemas.settings.enrichers import RemoteEnrichment
from workers.database.connections import Database
from workers.lookups.asking import Refused, Remote, Unavailable
from workers.lookups.settle import finish
from workers.lookups.waiting import Waiting, postpone
from workers.telemetry.metrics import count_enrichment

Verdict = Literal["enriched", "again", "given_up", "changed"]

log = structlog.get_logger()

LONGEST_PAUSE = 10.0


@dataclass(slots=True)
class Answers:
    """What the enrichers said of one alert. `again_in`: in how many seconds it is worth asking again; None: never."""

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    again_in: float | None = None
    seconds: float = 0.0


def ask_remotes(remotes: Sequence[Remote], waiting: Waiting, settings: RemoteEnrichment) -> Answers:
    """Ask every remote enricher about one alert, one after the other. Never raises.

    One whose circuit stays closed for longer than is left is not waited for: the others are asked again without it.
    """
    began = time.monotonic()
    answers = Answers()
    pause = min(settings.retry_after * 2 ** (waiting.attempts - 1), LONGEST_PAUSE)
    pause *= 1 + random.random() / 4  # noqa: S311 - spreads load, guards nothing
    for remote in remotes:
        try:
            answers.results[remote.name] = remote.answer(waiting.alert)
        except Unavailable as error:
            answers.failed[remote.name] = str(error)
            wait_for = max(pause, remote.circuit.seconds_closed())
            if wait_for < waiting.left - (time.monotonic() - began):
                answers.again_in = max(wait_for, answers.again_in or 0.0)
        except Refused as error:
            answers.failed[remote.name] = str(error)
    answers.seconds = time.monotonic() - began
    return answers


def record_answers(database: Database, waiting: Waiting, answers: Answers) -> Verdict:
    """Write what the enrichers said: the alert is let go, or they are asked again while there is time."""
    verdict: Verdict
    if answers.again_in is not None and answers.again_in < waiting.left - answers.seconds:
        postpone(database, waiting, answers.again_in)
        verdict = "again"
    elif finish(database, waiting, answers.results, list(answers.failed)):
        verdict = "given_up" if answers.failed else "enriched"
    else:
        verdict = "changed"
    count_enrichment(verdict, answers.failed, answers.seconds)
    log.info(
        "alert_enriched",
        request_id=waiting.request_id,
        alert_id=waiting.alert.id,
        verdict=verdict,
        attempt=waiting.attempts,
        answered=list(answers.results),
        failed=answers.failed,
        ms=round(answers.seconds * 1000, 1),
    )
    return verdict
