"""The API of rejections: list, show, replay unchanged or corrected, discard. The first routes that write."""

from http import HTTPStatus
from typing import Any

import orjson
import redis
from flask import Blueprint, Response, request

from console.connections import open_database
from console.operations import CONSOLE
from console.paging import BadCursor
from console.pool import ReadPool
from console.rejections.envelope import BadCorrection, NotReplayable
from console.rejections.queries import STATES, Sought, list_rejections, read_rejection
from console.rejections.replay import Desk, NoSuchRejection, NotOpen, discard_rejection, replay_rejection
from console.unreachable import Refused
from console.web.admission import admit_program
from console.web.alerts import PAGING, answer, present_page
from console.web.asked import read_choice, read_limit, read_query, read_time
from console.web.problem import Problem, present_problem
from schemas.configuration import Configuration
from schemas.journal import JournalFull, JournalUnavailable
from schemas.keyring import Keyring

FILTERS = {"state", "reason", "source", "since", "until"}
MAX_NOTE_BODY = 16 * 1024  # bytes
STATUS: dict[type[Refused], HTTPStatus] = {
    NoSuchRejection: HTTPStatus.NOT_FOUND,
    NotOpen: HTTPStatus.CONFLICT,
    NotReplayable: HTTPStatus.CONFLICT,
    BadCorrection: HTTPStatus.UNPROCESSABLE_ENTITY,
}


def create_rejections_api(
    configuration: Configuration, keyring: Keyring, token: str, pool: ReadPool, journal: redis.Redis
) -> Blueprint:
    """Return the routes below ``/v1/rejections``, all of them behind the token."""
    api = Blueprint("rejections", __name__, url_prefix="/v1/rejections")

    @api.before_request
    def admit() -> None:
        admit_program(request, token)

    @api.errorhandler(BadCursor)
    def bad_cursor(error: BadCursor) -> Response:
        return present_problem(HTTPStatus.BAD_REQUEST, str(error))

    @api.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return present_problem(STATUS.get(type(error), HTTPStatus.CONFLICT), sentence(str(error)))

    @api.errorhandler(JournalUnavailable)
    def not_kept(error: JournalUnavailable) -> Response:
        detail = f"The rejection stays open, for {error}." if isinstance(error, JournalFull) else UNCERTAIN
        return present_problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "5"})

    @api.get("")
    def rejections() -> Response:
        asked = read_query(request.args, PAGING | FILTERS)
        sought = Sought(
            read_choice(asked, "state", STATES),
            asked.get("reason"),
            asked.get("source"),
            read_time("since", asked.get("since")),
            read_time("until", asked.get("until")),
        )
        limit = read_limit(asked)
        with pool.connection() as database:
            return answer(present_page(list_rejections(database, sought, limit, asked.get("cursor"))))

    @api.get("/<rejection_id>")
    def rejection(rejection_id: str) -> Response:
        read_query(request.args, ())
        with pool.connection() as database:
            found = read_rejection(database, rejection_id, keyring)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no rejection with this id.")
        return answer(found)

    @api.post("/<rejection_id>/replay")
    def replay(rejection_id: str) -> Response:
        read_query(request.args, ())
        corrected = read_json_body(configuration.door.max_body) or None
        with open_database(writable=True) as database:
            desk = Desk(database, journal, configuration, keyring, CONSOLE)
            done = replay_rejection(desk, rejection_id, corrected)
        return answer({"id": done.rejection_id, "state": "replayed", "request_id": done.request_id,
                       "entry_id": done.entry_id})  # fmt: skip

    @api.post("/<rejection_id>/discard")
    def discard(rejection_id: str) -> Response:
        read_query(request.args, ())
        note = read_note(read_json_body(MAX_NOTE_BODY))
        with open_database(writable=True) as database:
            return answer(discard_rejection(database, rejection_id, note, CONSOLE))

    return api


def read_json_body(limit: int) -> bytes:
    """Return the body of at most `limit` bytes, which may be empty. Raises Problem; 413 for a longer one."""
    request.max_content_length = limit
    body = request.get_data()
    if body and not request.is_json:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The content type must be application/json.")
    return body


def read_note(body: bytes) -> str:
    """Return the note of ``{"note": "why"}``. Raises Problem."""
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or set(document) != {"note"} or not isinstance(document["note"], str):
        raise Problem(HTTPStatus.BAD_REQUEST, 'The body must be {"note": "why it is discarded"}.')
    return document["note"]


def sentence(text: str) -> str:
    """Return one line of ours as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


UNCERTAIN = (
    "The journal did not confirm the entry. The rejection stays open; replaying it again is safe, for an entry that "
    "is there twice ends as a duplicate."
)
