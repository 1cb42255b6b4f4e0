"""The first page: is all well, and if not, what to do; how much flows; who works; what is urgent."""

from contextlib import suppress
from typing import Any

from flask import Blueprint, Response

from console.alerts.search import Search, search_alerts
from console.alerts.triples import UNANSWERED, count_due
from console.books.audit import MOST_WAITING
from console.books.backlog import measure_stream
from console.books.history import HOUR, Series, draw_count, draw_failures, draw_level, draw_rate
from console.books.present import BOUND, count_present
from console.books.samples import Sample, read_samples
from console.pages.deadline import URGENT_SECONDS
from console.pages.plot import draw_plot
from console.pages.senders import show_sightings
from console.pages.standing import Standing
from console.pages.troubles import find_troubles
from console.pages.unseen import UNREACHABLE
from console.pages.window import Window, present_moment, render_page
from schemas.journal.append import JournalUnavailable

SHOWN = 8


def add_overview(page: Blueprint, window: Window) -> None:
    """Add ``/``. It shows what can be had: it is opened when servers do not answer."""

    @page.get("/")
    def first() -> Response:
        certified = {one.name for one in window.configuration.sources if one.certificate == "required"}
        now, sight = present_moment(), window.lookout.sight()
        stream: dict[str, Any] | None = None
        with suppress(JournalUnavailable, *UNREACHABLE):
            stream = measure_stream(window.journal, window.configuration.journal)
        found: dict[str, Any] = {"urgent": [], "latest": [], "due": 0, "samples": []}
        present: dict[str, Any] | None = None
        with suppress(*UNREACHABLE), window.pool.connection() as database:
            unanswered = Search(statuses=UNANSWERED, due_after=now)
            found["urgent"] = search_alerts(database, unanswered, "soonest", SHOWN).rows
            found["latest"] = search_alerts(database, Search(), "newest", SHOWN).rows
            found["due"] = count_due(database, URGENT_SECONDS, BOUND + 1)
            found["samples"] = read_samples(database, HOUR)
            present = count_present(database)
        standing = Standing(
            now=now,
            stream=stream,
            present=present,
            audited=sight.audited,
            looked_at=sight.at,
            workers=sight.workers,
            neighbours=sight.neighbours,
            certificates=[*window.certificates.look(), *show_sightings(sight.sightings, certified)],
            remote=bool(window.configuration.enrichment.remote_names),
        )
        return render_page(
            "first.html",
            standing=standing,
            troubles=find_troubles(standing),
            tiles=[tile | {"plot": draw_plot(tile["series"].values)} for tile in list_tiles(found["samples"])],
            bound=BOUND,
            most_waiting=MOST_WAITING,
            **found,
        )


def list_tiles(samples: list[Sample]) -> list[dict[str, Any]]:
    """Return the quantities that are plotted: their names, how each is said, and the series."""
    now = present_moment()

    def tile(name: str, unit: str, series: Series, tone: str = "flow") -> dict[str, Any]:
        return {"name": name, "unit": unit, "series": series, "tone": tone}

    return [
        tile("Taken into the journal", "rate", draw_rate(samples, lambda sample: sample.added, now)),
        tile("Waiting in the journal", "count", draw_level(samples, lambda sample: sample.entries, now), "level"),
        tile("Oldest waits for", "span", draw_level(samples, lambda sample: sample.oldest, now), "level"),
        tile("Stored as new alerts", "rate", draw_rate(samples, lambda sample: sample.stored, now)),
        tile("Delivered", "rate", draw_count(samples, lambda sample: sample.delivered, now)),
        tile("Failed or rejected", "rate", draw_failures(samples, now), "fail"),
    ]
