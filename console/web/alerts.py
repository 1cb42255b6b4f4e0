"""The API of alerts, and of the books. Nothing here writes."""

from dataclasses import fields
from http import HTTPStatus

import redis
from flask import Blueprint, Response, request

from console.alerts.queries import Wanted, list_alerts
from console.alerts.story import read_alert
from console.books.audit import audit_books, present_books
from console.pool import ReadPool
from console.web.api import answer, begin_part, present_page
from console.web.asked import PAGING, read_limit, read_order, read_query, read_wanted
from console.web.problem import Problem
from schemas.settings.configuration import Configuration

PARAMETERS = {field.name for field in fields(Wanted)} | PAGING | {"order"}


def create_alerts_api(configuration: Configuration, pool: ReadPool, journal: redis.Redis) -> Blueprint:
    """Return the routes of alerts and books."""
    api = begin_part("alerts")

    @api.get("/alerts")
    def alerts() -> Response:
        asked = read_query(request.args, PARAMETERS)
        wanted, limit, order = read_wanted(asked), read_limit(asked), read_order(asked)
        with pool.connection() as database:
            page = list_alerts(database, wanted, limit, asked.get("cursor"), order)
        return answer(present_page(page) | {"resume_cursor": page.resume_cursor})

    @api.get("/alerts/<alert_id>")
    def alert(alert_id: str) -> Response:
        read_query(request.args, ())
        with pool.connection() as database:
            found = read_alert(database, alert_id)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no alert with this id.")
        return answer(found)

    @api.get("/audit")
    def audit() -> Response:
        read_query(request.args, ())
        with pool.connection() as database:
            return answer(present_books(audit_books(journal, database, configuration.journal.stream)))

    return api
