"""Draw a series as a small plot: the points of a line and of the area under it, in the units of an SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 240
HEIGHT = 48
LOWEST_TOP = 0.2  # so that a single alert in an hour does not look like a flood


@dataclass(frozen=True, slots=True)
class Plot:
    """The attributes `d` of two paths in a box of WIDTH by HEIGHT, and the value at its upper edge."""

    line: str
    area: str
    top: float


def draw_plot(values: Sequence[float | None]) -> Plot:
    """Return the plot of values at equal distances. Where nothing is known the line has a gap."""
    top = max([LOWEST_TOP, *(value for value in values if value is not None)])
    step = WIDTH / max(1, len(values) - 1)
    line, area = [], []
    for start, run in split_runs(values):
        points = [(round((start + place) * step, 1), round(HEIGHT - value / top * (HEIGHT - 2), 1))
                  for place, value in enumerate(run)]  # fmt: skip
        if len(points) == 1:  # one point alone would not be seen
            points.append((points[0][0] + 1.0, points[0][1]))
        path = "L".join(f"{x:g} {y:g}" for x, y in points)
        line.append(f"M{path}")
        area.append(f"M{points[0][0]:g} {HEIGHT}L{path}L{points[-1][0]:g} {HEIGHT}Z")
    return Plot("".join(line), "".join(area), top)


def split_runs(values: Sequence[float | None]) -> list[tuple[int, list[float]]]:
    """Return the stretches without a gap, each with the place at which it begins."""
    runs: list[tuple[int, list[float]]] = []
    before: float | None = None
    for place, value in enumerate(values):
        if value is not None:
            if before is None:
                runs.append((place, []))
            runs[-1][1].append(value)
        before = value
    return runs
