"""Subscriptions for people: how each is, pause and resume, what was delivered, and retry what was not."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from console.connections import open_database
from console.downstream.deliveries import Sought
from console.downstream.delivery import NoSuchDelivery, read_delivery
from console.downstream.health import BOUND, list_health, list_latest
from console.downstream.listing import NoSuchSubscription, read_subscription
from console.downstream.retries import BATCH, MOST_BATCHES, NotRetriable, retry_delivery, retry_some
from console.downstream.turns import set_state
from console.pages.window import Window, render_page
from console.web.admission import name_actor
from console.web.asked import read_query
from console.web.problem import Problem

STATES = {"pause": "paused", "resume": "active"}


def add_subscriptions(page: Blueprint, window: Window) -> None:
    """Add ``/subscriptions``, ``/subscriptions/<id>`` and what can be done there."""

    @page.get("/subscriptions")
    def subscriptions() -> Response:
        read_query(request.args, ())
        with window.pool.connection() as database:
            return render_page("subscriptions.html", subscriptions=list_health(database), bound=BOUND)

    @page.get("/subscriptions/<subscription_id>")
    def subscription(subscription_id: str) -> Response:
        asked = read_query(request.args, ("retried",))
        return show(subscription_id, retried=asked.get("retried"))

    @page.post("/subscriptions/<subscription_id>/<any(pause, resume):action>")
    def change_state(subscription_id: str, action: str) -> AnyResponse:
        try:
            with open_database(writable=True) as database:
                set_state(database, subscription_id, STATES[action], name_actor())
        except NoSuchSubscription as error:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no subscription with this id.") from error
        return redirect(url_for("page.subscription", subscription_id=subscription_id), 303)

    @page.post("/subscriptions/<subscription_id>/retry")
    def retry_given_up(subscription_id: str) -> AnyResponse:
        sought = Sought(subscription=find(subscription_id)["name"])
        with open_database(writable=True) as database:
            retried, _more = retry_some(database, sought, name_actor())
        return redirect(url_for("page.subscription", subscription_id=subscription_id, retried=retried), 303)

    @page.post("/deliveries/<delivery_id>/retry")
    def retry(delivery_id: str) -> AnyResponse:
        wrong = None
        try:
            with open_database(writable=True) as database:
                subscription_id = str(read_delivery(database, delivery_id)["subscription_id"])
                retry_delivery(database, delivery_id, name_actor())
        except NoSuchDelivery as error:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no delivery with this id.") from error
        except NotRetriable as error:
            wrong = str(error)
        if wrong:
            return show(subscription_id, wrong=wrong, status=HTTPStatus.CONFLICT)
        return redirect(url_for("page.subscription", subscription_id=subscription_id, retried=1), 303)

    def find(subscription_id: str) -> dict[str, Any]:
        with window.pool.connection() as database:
            try:
                return read_subscription(database, subscription_id, window.keyring, BOUND + 1)
            except NoSuchSubscription as error:
                raise Problem(HTTPStatus.NOT_FOUND, "There is no subscription with this id.") from error

    def show(
        subscription_id: str,
        *,
        wrong: str | None = None,
        retried: str | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        found = find(subscription_id)
        with window.pool.connection() as database:
            latest = list_latest(database, str(found["id"]))
            given_up = list_latest(database, str(found["id"]), "given_up")
        return render_page("subscription.html", status.value, subscription=found, latest=latest, given_up=given_up,
                           wrong=wrong, retried=retried, most=MOST_BATCHES * BATCH, bound=BOUND)  # fmt: skip
