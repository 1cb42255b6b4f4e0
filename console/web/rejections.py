"""The API of rejections: list, show, replay unchanged or corrected, discard."""

from http import HTTPStatus

import redis
from flask import Blueprint, Response, request

from console.connections import open_database
from console.pool import ReadPool
from console.rejections.envelope import BadCorrection, NotReplayable
from console.rejections.queries import STATES, Sought, list_rejections, read_rejection
from console.rejections.replay import Desk, NoSuchRejection, NotOpen, discard_rejection, replay_rejection
from console.web.admission import name_actor
from console.web.api import Statuses, answer, begin_part, present_page
from console.web.asked import PAGING, read_choice, read_limit, read_query, read_time
from console.web.body import read_json_body, read_note
from console.web.problem import Problem, present_problem
from schemas.journal.append import JournalUnavailable
from schemas.journal.room import JournalFull
from schemas.keyring import Keyring
from schemas.settings.configuration import Configuration

PARAMETERS = PAGING | {"state", "reason", "source", "since", "until"}
STATUSES: Statuses = {
    NoSuchRejection: HTTPStatus.NOT_FOUND,
    NotOpen: HTTPStatus.CONFLICT,
    NotReplayable: HTTPStatus.CONFLICT,
    BadCorrection: HTTPStatus.UNPROCESSABLE_ENTITY,
}


def create_rejections_api(
    configuration: Configuration, keyring: Keyring, pool: ReadPool, journal: redis.Redis
) -> Blueprint:
    """Return the routes of rejections."""
    api = begin_part("rejections", STATUSES)

    @api.errorhandler(JournalUnavailable)
    def not_kept(error: JournalUnavailable) -> Response:
        detail = f"The rejection stays open, for {error}." if isinstance(error, JournalFull) else UNCERTAIN
        return present_problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "5"})

    @api.get("/rejections")
    def rejections() -> Response:
        asked = read_query(request.args, PARAMETERS)
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

    @api.get("/rejections/<rejection_id>")
    def rejection(rejection_id: str) -> Response:
        read_query(request.args, ())
        with pool.connection() as database:
            found = read_rejection(database, rejection_id, keyring)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no rejection with this id.")
        return answer(found)

    @api.post("/rejections/<rejection_id>/replay")
    def replay(rejection_id: str) -> Response:
        corrected = read_json_body(configuration.door.max_body) or None
        with open_database(writable=True) as database:
            desk = Desk(database, journal, configuration, keyring, name_actor())
            done = replay_rejection(desk, rejection_id, corrected)
        return answer({"id": done.rejection_id, "state": "replayed", "request_id": done.request_id,
                       "entry_id": done.entry_id})  # fmt: skip

    @api.post("/rejections/<rejection_id>/discard")
    def discard(rejection_id: str) -> Response:
        note = read_note()
        with open_database(writable=True) as database:
            return answer(discard_rejection(database, rejection_id, note, name_actor()))

    return api


UNCERTAIN = (
    "The journal did not confirm the entry. The rejection stays open; replaying it again is safe, for an entry that "
    "is there twice ends as a duplicate."
)
