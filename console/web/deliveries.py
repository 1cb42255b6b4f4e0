"""The API of deliveries: list, show, retry one."""

from http import HTTPStatus

from flask import Blueprint, Response, request

from console.connections import open_database
from console.downstream.deliveries import STATES, NoSuchDelivery, Sought, list_deliveries, read_delivery
from console.downstream.retries import NotRetriable, retry_delivery
from console.pool import ReadPool
from console.web.admission import name_actor
from console.web.api import Statuses, answer, begin_part, present_page
from console.web.asked import PAGING, read_choice, read_limit, read_query, read_time

PARAMETERS = PAGING | {"state", "subscription", "since", "until"}
STATUSES: Statuses = {NoSuchDelivery: HTTPStatus.NOT_FOUND, NotRetriable: HTTPStatus.CONFLICT}


def create_deliveries_api(pool: ReadPool) -> Blueprint:
    """Return the routes of deliveries."""
    api = begin_part("deliveries", STATUSES)

    @api.get("/deliveries")
    def deliveries() -> Response:
        asked = read_query(request.args, PARAMETERS)
        sought = Sought(
            read_choice(asked, "state", STATES),
            asked.get("subscription"),
            read_time("since", asked.get("since")),
            read_time("until", asked.get("until")),
        )
        limit = read_limit(asked)
        with pool.connection() as database:
            return answer(present_page(list_deliveries(database, sought, limit, asked.get("cursor"))))

    @api.get("/deliveries/<delivery_id>")
    def delivery(delivery_id: str) -> Response:
        read_query(request.args, ())
        with pool.connection() as database:
            return answer(read_delivery(database, delivery_id))

    @api.post("/deliveries/<delivery_id>/retry")
    def retry(delivery_id: str) -> Response:
        read_query(request.args, ())
        with open_database(writable=True) as database:
            return answer(retry_delivery(database, delivery_id, name_actor()))

    return api
