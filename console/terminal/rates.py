"""Turn looks into rates and small plots of block characters. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from console.terminal.look import Look

BARS = "▁▂▃▄▅▆▇█"
PLOTTED = 60  # looks


@dataclass(frozen=True, slots=True)
class Rates:
    """How much happened a second between each look and the one before, the earliest first; None where unknown.

    added      entries into the journal: acknowledged pushes, those refused for what they hold (400), and replays
    ended      alerts that got their ending: stored, updated, duplicate, superseded, rejected
    stored     of these, new ones
    """

    added: list[float | None]
    ended: list[float | None]
    stored: list[float | None]
    delivered: list[float | None]
    failed: list[float | None]


def rate_looks(looks: Sequence[Look]) -> Rates:
    """Return the rates. Where a server was silent, or a counter went back, nothing is known."""
    rates = Rates([], [], [], [], [])
    for before, after in pairwise(looks):
        seconds = after.at - before.at
        rates.added.append(grown(before.added, after.added, seconds))
        rates.ended.append(grown(before.ended, after.ended, seconds))
        rates.stored.append(grown(before.stored, after.stored, seconds))
        rates.delivered.append(None if after.endings is None else after.delivered / seconds)
        rates.failed.append(None if after.endings is None else after.failed / seconds)
    return rates


def grown(before: int | None, after: int | None, seconds: float) -> float | None:
    """Return how much a counter grew a second."""
    return None if before is None or after is None or after < before else (after - before) / seconds


def draw_bars(values: Sequence[float | None], width: int = PLOTTED) -> str:
    """Return the last values as block characters, the highest as a full one, and a gap where nothing is known."""
    shown = values[-width:]
    top = max((value for value in shown if value is not None), default=0.0)
    return "".join(" " if value is None else BARS[min(7, int(value / top * 7.999)) if top else 0] for value in shown)


def advise(looks: Sequence[Look], rates: Rates, now: datetime) -> list[str]:
    """Say in words what somebody who watches should know or do; nothing when all is well."""
    latest = looks[-1]
    advice = [f"{server} does not answer: {why}" for server, why in latest.silent.items()]
    if latest.journal and latest.journal["full"]:
        advice.append("the journal is so full that the door refuses pushes (503): drain it, or give it more room")
    drained = any(worker.pool == "drain" and worker.lives(now) for worker in latest.workers)
    if latest.journal and latest.journal["entries"] and not drained:
        advice.append("entries wait and no drain worker lives: start one (README, Workers by hand)")
    elif latest.journal and waits_longer(looks):
        advice.append(
            "the backlog grows and this machine's processors are full: drain on another machine as well"
            if latest.full
            else "the backlog grows and processors are free: give the drain pool more processes"
        )
    present = latest.present or {}
    if present.get("halted"):
        advice.append(f"{present['halted']} subscriptions are paused: `alert-intake subscriptions list`")
    if present.get("open"):
        advice.append(f"{present['open']} rejections wait for you: `alert-intake rejections list`")
    if present.get("given_up"):
        advice.append(
            f"{present['given_up']} deliveries were given up: `alert-intake deliveries list --state given_up`"
        )
    if any(rates.failed[-5:]):
        advice.append("deliveries fail: `alert-intake deliveries list --state due` says why")
    return advice


def waits_longer(looks: Sequence[Look], over: int = 5, least: int = 1000) -> bool:
    """Tell whether the backlog is long and grew from look to look."""
    waiting = [look.journal["entries"] for look in looks[-over:] if look.journal]
    return len(waiting) == over and waiting[-1] >= least and all(one < two for one, two in pairwise(waiting))
