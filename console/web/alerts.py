"""The read API for services downstream: alerts, the books, and what is around them. Nothing here writes."""

from dataclasses import fields
from http import HTTPStatus
from typing import Any

import redis
from flask import Blueprint, Response, request

from console.alerts.queries import Wanted, list_alerts
from console.alerts.story import read_alert
from console.books.audit import audit_books, present_books
from console.paging import BadCursor, Page
from console.pool import ReadPool
from console.report import encode_json
from console.web.admission import admit_program
from console.web.asked import read_limit, read_order, read_query, read_wanted
from console.web.problem import Problem, present_problem
from schemas.configuration import Configuration

PAGING = {"limit", "cursor"}
ALERT_PARAMETERS = {field.name for field in fields(Wanted)} | PAGING | {"order"}


def create_api(configuration: Configuration, token: str, pool: ReadPool, journal: redis.Redis) -> Blueprint:
    """Return the routes below ``/v1``, all of them behind the token."""
    api = Blueprint("api", __name__, url_prefix="/v1")

    @api.before_request
    def admit() -> None:
        admit_program(request, token)

    @api.errorhandler(BadCursor)
    def bad_cursor(error: BadCursor) -> Response:
        return present_problem(HTTPStatus.BAD_REQUEST, str(error))

    @api.get("/alerts")
    def alerts() -> Response:
        asked = read_query(request.args, ALERT_PARAMETERS)
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


def present_page(page: Page) -> dict[str, Any]:
    """Return a page as every list is answered."""
    return {"data": page.rows, "next_cursor": page.next_cursor}


def answer(document: object) -> Response:
    """Return an answer in JSON."""
    return Response(encode_json(document), content_type="application/json")
