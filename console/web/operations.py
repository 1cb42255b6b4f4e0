"""The API of what was done by hand. Nothing here writes."""

from flask import Blueprint, Response, request

from console.operations import Sought, list_operations
from console.pool import ReadPool
from console.web.api import answer, begin_part, present_page
from console.web.asked import PAGING, read_limit, read_query, read_time

PARAMETERS = PAGING | {"actor", "action", "subject", "since", "until"}


def create_operations_api(pool: ReadPool) -> Blueprint:
    """Return the route of operations."""
    api = begin_part("operations")

    @api.get("/operations")
    def operations() -> Response:
        asked = read_query(request.args, PARAMETERS)
        sought = Sought(
            asked.get("actor"),
            asked.get("action"),
            asked.get("subject"),
            read_time("since", asked.get("since")),
            read_time("until", asked.get("until")),
        )
        limit = read_limit(asked)
        with pool.connection() as database:
            return answer(present_page(list_operations(database, sought, limit, asked.get("cursor"))))

    return api
