"""Make series out of samples: how much a second, how many, how old, over the last hour. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from console.books.samples import LONGEST_GAP, Sample

HOUR = 3600.0
STEP = 30.0  # seconds of a point: 120 of them are as fine as a small plot shows
RECENT = 15.0  # seconds that the present value is taken from


@dataclass(frozen=True, slots=True)
class Series:
    """A quantity over the last hour: one value for each step, the earliest first, None where nothing is known.

    now   over the last few seconds; None when there is no sample of them
    peak  the highest value of a single sample
    """

    values: list[float | None]
    now: float | None
    peak: float


Reading = tuple[datetime, float]


def draw_rate(samples: Sequence[Sample], counter: Callable[[Sample], float | None], until: datetime) -> Series:
    """Return how fast a running total grew, per second. Where the journal began anew nothing is known."""
    return gather(read_rate(samples, counter), until, mean)


def draw_count(samples: Sequence[Sample], count: Callable[[Sample], float], until: datetime) -> Series:
    """Return what was counted since the sample before, per second."""
    return gather(read_count(samples, count), until, mean)


def draw_failures(samples: Sequence[Sample], until: datetime) -> Series:
    """Return failed attempts and rejections together, per second: of each sample first, so that the peak is of both."""
    together = dict(read_rate(samples, lambda sample: sample.rejected))
    for at, failed in read_count(samples, lambda sample: sample.failed):
        together[at] = together.get(at, 0.0) + failed
    return gather(sorted(together.items()), until, mean)


def read_rate(samples: Sequence[Sample], counter: Callable[[Sample], float | None]) -> list[Reading]:
    """Return how fast a running total grew from sample to sample, where that is known."""
    readings: list[Reading] = []
    for before, after in pairwise(samples):
        seconds = (after.at - before.at).total_seconds()
        first, second = counter(before), counter(after)
        if first is None or second is None or second < first or not 0 < seconds <= LONGEST_GAP:
            continue
        if before.incarnation == after.incarnation:
            readings.append((after.at, (second - first) / seconds))
    return readings


def read_count(samples: Sequence[Sample], count: Callable[[Sample], float]) -> list[Reading]:
    """Return what each sample counted since the one before, per second."""
    return [(sample.at, count(sample) / sample.seconds) for sample in samples if sample.seconds > 0]


def draw_level(samples: Sequence[Sample], level: Callable[[Sample], float | None], until: datetime) -> Series:
    """Return how high something stood: of each step the highest, and at present the last."""
    readings = [(sample.at, value) for sample in samples if (value := level(sample)) is not None]
    series = gather(readings, until, max)
    recent = [value for at, value in readings if (until - at).total_seconds() <= RECENT]
    return Series(series.values, recent[-1] if recent else None, series.peak)


def gather(readings: Sequence[Reading], until: datetime, merge: Callable[[Sequence[float]], float]) -> Series:
    """Return readings as a series, those of one step merged. Steps lie at fixed times, so a plot only ever moves on."""
    last = int(until.timestamp() // STEP)
    steps = int(HOUR // STEP)
    found: list[list[float]] = [[] for _ in range(steps)]
    for at, value in readings:
        place = steps - 1 - (last - int(at.timestamp() // STEP))
        if 0 <= place < steps:
            found[place].append(value)
    recent = [value for at, value in readings if (until - at).total_seconds() <= RECENT]
    return Series(
        values=[merge(values) if values else None for values in found],
        now=mean(recent) if recent else None,
        peak=max((max(values) for values in found if values), default=0.0),
    )


def mean(values: Sequence[float]) -> float:
    """Return the mean of at least one value."""
    return sum(values) / len(values)
