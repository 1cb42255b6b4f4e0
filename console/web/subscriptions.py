"""The API of subscriptions: list, show, add, change, rotate the secret, remove."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request

from console.connections import open_database
from console.downstream.health import BOUND
from console.downstream.listing import NoSuchSubscription, check_name, list_subscriptions, read_subscription
from console.downstream.subscriptions import (
    BadTerms,
    NameTaken,
    add_subscription,
    change_subscription,
    rotate_signing_secret,
)
from console.downstream.terms import PROOF_FIELDS, read_proof, read_terms
from console.downstream.turns import remove_subscription, set_state
from console.durations import parse_duration
from console.pool import ReadPool
from console.web.admission import name_actor
from console.web.api import Statuses, answer, begin_part, present_page
from console.web.asked import PAGING, read_limit, read_query
from console.web.body import read_object
from schemas.keyring import Keyring
from schemas.settings.configuration import Configuration

STATUSES: Statuses = {
    NoSuchSubscription: HTTPStatus.NOT_FOUND,
    NameTaken: HTTPStatus.CONFLICT,
    BadTerms: HTTPStatus.UNPROCESSABLE_ENTITY,
}
STATES_TO_SET = ("active", "paused")


def create_subscriptions_api(configuration: Configuration, keyring: Keyring, pool: ReadPool) -> Blueprint:
    """Return the routes of subscriptions."""
    api = begin_part("subscriptions", STATUSES)
    allow_http = configuration.forwarding.allow_http

    @api.before_request
    def check_path() -> None:
        check_name((request.view_args or {}).get("name", ""))

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
            own_id = add_subscription(database, keyring, terms, credentials, name_actor(), allow_http=allow_http)
            added = read_subscription(database, own_id, keyring, BOUND)
        place = {"Location": f"/v1/subscriptions/{own_id}"}
        return answer(added | {"secret": credentials.secret}, HTTPStatus.CREATED, place)

    @api.get("/subscriptions/<name>")
    def subscription(name: str) -> Response:
        read_query(request.args, ())
        return show(name)

    def show(name: str) -> Response:
        with pool.connection() as database:
            return answer(read_subscription(database, name, keyring, BOUND))

    @api.patch("/subscriptions/<name>")
    def change(name: str) -> Response:
        document = read_object()
        proof = {field: document.pop(field) for field in PROOF_FIELDS & set(document)}
        state = document.pop("state", None)
        if state is not None and state not in STATES_TO_SET:
            raise BadTerms(f"state: {' or '.join(STATES_TO_SET)}")
        with open_database(writable=True) as database:
            if state is not None:
                name = str(set_state(database, name, state, name_actor())["id"])
            if document or proof:
                name = change_subscription(
                    database, keyring, name, document, proof, name_actor(), allow_http=allow_http
                )
        return show(name)

    @api.post("/subscriptions/<name>/rotate-secret")
    def rotate(name: str) -> Response:
        overlap = read_overlap(read_object(required=False))
        with open_database(writable=True) as database:
            return answer(rotate_signing_secret(database, keyring, name, overlap, name_actor()))

    @api.delete("/subscriptions/<name>")
    def remove(name: str) -> Response:
        read_query(request.args, ())
        with open_database(writable=True) as database:
            remove_subscription(database, name, name_actor())
        return Response(status=HTTPStatus.NO_CONTENT.value)

    return api


def read_overlap(document: dict[str, Any]) -> float:
    """Return the seconds of ``{"overlap": "24h"}``. Raises BadTerms."""
    overlap = document.pop("overlap", "24h")
    if document or not isinstance(overlap, str):
        raise BadTerms('the body may hold {"overlap": "24h"} and nothing else')
    try:
        return parse_duration(overlap)
    except ValueError as error:
        raise BadTerms(f"overlap: {error}") from error
