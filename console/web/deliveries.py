"""The API of deliveries: list, show, retry one or many."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request

from console.connections import open_database
from console.downstream.deliveries import STATES, Sought, UnboundedSearch, list_deliveries
from console.downstream.delivery import NoSuchDelivery, read_delivery
from console.downstream.retries import NotRetriable, retry_delivery, retry_some
from console.paging import parse_uuid
from console.pool import ReadPool
from console.web.admission import name_actor
from console.web.api import Statuses, answer, begin_part, present_page
from console.web.asked import PAGING, read_choice, read_limit, read_query, read_time, refuse
from console.web.body import read_object

PARAMETERS = PAGING | {"state", "subscription", "since", "until", "alert_id", "event", "last_status", "last_error"}
STATUSES: Statuses = {
    NoSuchDelivery: HTTPStatus.NOT_FOUND,
    NotRetriable: HTTPStatus.CONFLICT,
    UnboundedSearch: HTTPStatus.BAD_REQUEST,
}


def create_deliveries_api(pool: ReadPool) -> Blueprint:
    """Return the routes of deliveries."""
    api = begin_part("deliveries", STATUSES)

    @api.get("/deliveries")
    def deliveries() -> Response:
        asked = read_query(request.args, PARAMETERS)
        sought, limit = read_sought(asked), read_limit(asked)
        with pool.connection() as database:
            return answer(present_page(list_deliveries(database, sought, limit, asked.get("cursor"))))

    @api.get("/deliveries/<string(minlength=32):delivery_id>")  # shorter is no UUID, such as "retry" below
    def delivery(delivery_id: str) -> Response:
        read_query(request.args, ())
        with pool.connection() as database:
            return answer(read_delivery(database, delivery_id))

    @api.post("/deliveries/retry")
    def retry_many() -> Response:
        sought = read_retry(read_object())
        with open_database(writable=True) as database:
            retried, more = retry_some(database, sought, name_actor())
        return answer({"subscription": sought.subscription, "retried": retried, "more": more})

    @api.post("/deliveries/<delivery_id>/retry")
    def retry(delivery_id: str) -> Response:
        read_query(request.args, ())
        with open_database(writable=True) as database:
            return answer(retry_delivery(database, delivery_id, name_actor()))

    return api


def read_sought(asked: dict[str, str]) -> Sought:
    """Return the filters on deliveries. Raises Problem."""
    alert_id = parse_uuid(asked["alert_id"]) if "alert_id" in asked else None
    if "alert_id" in asked and alert_id is None:
        raise refuse("alert_id: the id of an alert, a UUID")
    status = asked.get("last_status", "0")
    if not (status.isascii() and status.isdecimal() and len(status) <= 3):
        raise refuse("last_status: an HTTP status")
    return Sought(
        read_choice(asked, "state", STATES),
        asked.get("subscription"),
        read_time("since", asked.get("since")),
        read_time("until", asked.get("until")),
        alert_id,
        asked.get("event"),
        int(status) if "last_status" in asked else None,
        asked.get("last_error"),
    )


def read_retry(document: dict[str, Any]) -> Sought:
    """Return what is to be retried of ``{"subscription": "orders", "since": TIME, "until": TIME}``. Raises Problem."""
    given = {name: document.pop(name, None) for name in ("subscription", "since", "until")}
    subscription, since, until = given.values()
    if document or not all(isinstance(one, str) for one in (subscription, since, until or "")):
        raise refuse(
            'The body must be {"subscription": "its name", "since": "2026-11-20T08:00:00Z"}, or "until" besides.'
        )
    return Sought(None, subscription, read_time("since", since), read_time("until", until))
