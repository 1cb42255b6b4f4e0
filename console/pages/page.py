"""The first page for people: the latest alerts, the books, and what is on its way."""

from typing import Any

import redis
from flask import Blueprint, Response, render_template, request

from console.alerts.queries import Wanted, list_alerts
from console.books.audit import audit_books, present_books
from console.books.backlog import count_rows, measure_stream
from console.pool import ReadPool
from console.web.admission import admit_person
from schemas.configuration import Configuration
from schemas.journal import JournalUnavailable

LATEST = 25


def create_page(configuration: Configuration, pool: ReadPool, journal: redis.Redis) -> Blueprint:
    """Return the page at ``/``."""
    page = Blueprint("page", __name__)

    @page.get("/")
    def first() -> Response:
        admit_person(request, "read")
        with pool.connection() as database:
            alerts = list_alerts(database, Wanted(), LATEST, None, "newest").rows
            database.rollback()  # the books want a connection that is in no transaction
            backlog = count_rows(database)
            database.rollback()
            stream: dict[str, Any] | None = None
            books: dict[str, Any] | None = None
            try:
                stream = measure_stream(journal, configuration.journal)
                books = present_books(audit_books(journal, database, configuration.journal.stream))
            except (JournalUnavailable, redis.RedisError):  # the page says that it does not answer
                stream = books = None
        html = render_template("first.html", alerts=alerts, backlog=backlog, stream=stream, books=books)
        return Response(html, content_type="text/html; charset=utf-8")

    return page
