"""The API of subscriptions and deliveries: list, show, add, change, rotate the secret, remove; retry a delivery."""

from http import HTTPStatus
from typing import Any

import orjson
from flask import Blueprint, Response, request

from console.connections import open_database
from console.downstream.deliveries import STATES, NoSuchDelivery, Sought, list_deliveries, read_delivery
from console.downstream.listing import NoSuchSubscription, list_subscriptions, read_subscription
from console.downstream.retries import NotRetriable, retry_delivery
from console.downstream.subscriptions import (
    BadTerms,
    NameTaken,
    add_subscription,
    change_subscription,
    remove_subscription,
    rotate_signing_secret,
    set_state,
)
from console.downstream.terms import PROOF_FIELDS, read_proof, read_terms
from console.durations import parse_duration
from console.operations import CONSOLE
from console.paging import BadCursor
from console.pool import ReadPool
from console.report import encode_json
from console.unreachable import Refused
from console.web.admission import admit_program
from console.web.alerts import PAGING, answer, present_page
from console.web.asked import read_choice, read_limit, read_query, read_time
from console.web.problem import Problem, present_problem
from console.web.rejections import read_json_body, sentence
from schemas.configuration import Configuration
from schemas.keyring import Keyring

MAX_BODY = 256 * 1024  # bytes
STATUS: dict[type[Refused], HTTPStatus] = {
    NoSuchSubscription: HTTPStatus.NOT_FOUND,
    NoSuchDelivery: HTTPStatus.NOT_FOUND,
    NameTaken: HTTPStatus.CONFLICT,
    NotRetriable: HTTPStatus.CONFLICT,
    BadTerms: HTTPStatus.UNPROCESSABLE_ENTITY,
}
STATES_TO_SET = ("active", "paused")


def create_subscriptions_api(configuration: Configuration, keyring: Keyring, token: str, pool: ReadPool) -> Blueprint:
    """Return the routes below ``/v1/subscriptions`` and ``/v1/deliveries``, all of them behind the token."""
    api = Blueprint("subscriptions", __name__, url_prefix="/v1")
    allow_http = configuration.forwarding.allow_http

    @api.before_request
    def admit() -> None:
        admit_program(request, token)

    @api.errorhandler(BadCursor)
    def bad_cursor(error: BadCursor) -> Response:
        return present_problem(HTTPStatus.BAD_REQUEST, str(error))

    @api.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return present_problem(STATUS.get(type(error), HTTPStatus.CONFLICT), sentence(str(error)))

    @api.get("/subscriptions")
    def subscriptions() -> Response:
        asked = read_query(request.args, PAGING)
        limit = read_limit(asked)
        with pool.connection() as database:
            return answer(present_page(list_subscriptions(database, limit, asked.get("cursor"))))

    @api.post("/subscriptions")
    def add() -> Response:
        document = read_object()
        try:
            proof = read_proof({name: document.pop(name) for name in PROOF_FIELDS & set(document)})
            terms, credentials = read_terms(document), proof.credentials()
        except ValueError as error:
            raise BadTerms(str(error)) from None
        with open_database(writable=True) as database:
            own_id = add_subscription(database, keyring, terms, credentials, CONSOLE, allow_http=allow_http)
            added = read_subscription(database, own_id, keyring)
        made = Response(encode_json(added | {"secret": credentials.secret}), HTTPStatus.CREATED.value)
        made.headers["Location"] = f"/v1/subscriptions/{own_id}"
        made.content_type = "application/json"
        return made

    @api.get("/subscriptions/<name>")
    def subscription(name: str) -> Response:
        read_query(request.args, ())
        with pool.connection() as database:
            return answer(read_subscription(database, name, keyring))

    @api.patch("/subscriptions/<name>")
    def change(name: str) -> Response:
        document = read_object()
        proof = {field: document.pop(field) for field in PROOF_FIELDS & set(document)}
        state = document.pop("state", None)
        if state is not None and state not in STATES_TO_SET:
            raise BadTerms(f"state: {' or '.join(STATES_TO_SET)}")
        with open_database(writable=True) as database:
            if state is not None:
                set_state(database, name, state, CONSOLE)
            if document or proof:
                return answer(
                    change_subscription(database, keyring, name, document, proof, CONSOLE, allow_http=allow_http)
                )
            return answer(read_subscription(database, name, keyring))

    @api.post("/subscriptions/<name>/rotate-secret")
    def rotate(name: str) -> Response:
        overlap = read_overlap(read_object())
        with open_database(writable=True) as database:
            return answer(rotate_signing_secret(database, keyring, name, overlap, CONSOLE))

    @api.delete("/subscriptions/<name>")
    def remove(name: str) -> Response:
        read_query(request.args, ())
        with open_database(writable=True) as database:
            remove_subscription(database, name, CONSOLE)
        return Response(status=HTTPStatus.NO_CONTENT.value)

    @api.get("/deliveries")
    def deliveries() -> Response:
        asked = read_query(request.args, PAGING | {"state", "subscription", "since", "until"})
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
            return answer(retry_delivery(database, delivery_id, CONSOLE))

    return api


def read_object() -> dict[str, Any]:
    """Return the body, a JSON object; an empty body is an empty one. Raises Problem."""
    read_query(request.args, ())
    body = read_json_body(MAX_BODY)
    try:
        document = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise Problem(HTTPStatus.BAD_REQUEST, "The body must be a JSON object.")
    return document


def read_overlap(document: dict[str, Any]) -> float:
    """Return the seconds of ``{"overlap": "24h"}``. Raises BadTerms."""
    overlap = document.pop("overlap", "24h")
    if document or not isinstance(overlap, str):
        raise BadTerms('the body may hold {"overlap": "24h"} and nothing else')
    try:
        return parse_duration(overlap)
    except ValueError as error:
        raise BadTerms(f"overlap: {error}") from error
