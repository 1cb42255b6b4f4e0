"""What every part of the API has: admission before anything else, pages of lists, one shape of answers and refusals."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request

from console.paging import BadCursor, Page
from console.report import encode_json
from console.unreachable import Refused
from console.web.admission import admit_program
from console.web.problem import present_problem

Statuses = Mapping[type[Refused], HTTPStatus]


def begin_part(name: str, statuses: Statuses | None = None) -> Blueprint:
    """Return a part of the API below ``/v1``, for callers with a token whose role allows the method.

    `statuses` says how each refusal of this part is answered; any other is a conflict.
    """
    part = Blueprint(name, __name__, url_prefix="/v1")

    @part.before_request
    def admit() -> None:
        admit_program(request)

    @part.errorhandler(BadCursor)
    def bad_cursor(error: BadCursor) -> Response:
        return present_problem(HTTPStatus.BAD_REQUEST, str(error))

    @part.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return present_problem((statuses or {}).get(type(error), HTTPStatus.CONFLICT), sentence(str(error)))

    return part


def answer(document: object, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON."""
    return Response(encode_json(document), status.value, headers, content_type="application/json")


def present_page(page: Page) -> dict[str, Any]:
    """Return a page as every list is answered."""
    return {"data": page.rows, "next_cursor": page.next_cursor}


def sentence(text: str) -> str:
    """Return one line of ours as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."
