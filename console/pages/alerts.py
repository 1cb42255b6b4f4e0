"""Alerts for people: search and filter them, and one alert's whole story on one page."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request

from console.alerts.search import Search, read_alerts, search_alerts
from console.alerts.story import read_alert
from console.alerts.triples import UNANSWERED, Order, list_triples
from console.pages.deadline import tell_deadline
from console.pages.timeline import tell_story
from console.pages.window import Window, link_list, present_moment, render_page
from console.pages.words import read_moment, say_moment
from console.paging import BadCursor
from console.web.asked import read_query
from console.web.problem import Problem

SHOWN = 50
PARAMETERS = ("q", "provider", "kind", "status", "sort", "passed", "cursor")
ANY_UNANSWERED = "unanswered"


def add_alerts(page: Blueprint, window: Window) -> None:
    """Add ``/alerts`` and ``/alerts/<id>``."""

    @page.get("/alerts")
    def alerts() -> Response:
        asked = read_query(request.args, PARAMETERS)
        search, order = read_search(asked)
        with window.pool.connection() as database:
            triples = list_triples(database)
            try:
                found = search_alerts(database, search, order, SHOWN, asked.get("cursor"))
            except BadCursor as error:
                raise Problem(HTTPStatus.BAD_REQUEST, f"{error}. Begin the list anew.") from error
        return render_page(
            "alerts.html",
            alerts=found.rows,
            asked=asked,
            order="newest" if search.term else order,
            first=link_list("page.alerts", asked, None),
            following=link_list("page.alerts", asked, found.next_cursor) if found.next_cursor else None,
            providers=sorted({triple[0] for triple in triples}),
            kinds=sorted({triple[1] for triple in triples}),
            statuses=sorted({triple[2] for triple in triples}),
        )

    @page.get("/alerts/<alert_id>")
    def alert(alert_id: str) -> Response:
        read_query(request.args, ())
        with window.pool.connection() as database:
            found = read_alert(database, alert_id)
            if found is None:
                raise Problem(
                    HTTPStatus.NOT_FOUND, "There is no alert with this id. Search for it by what you know of it."
                )
            related = read_alerts(database, found["related"])
        return render_page(
            "alert.html",
            alert=found,
            deadline=tell_deadline(found, present_moment()),
            steps=tell_story(found),
            cut=any(found["left_out"].values()),
            related=related,
            facts=list_facts(found),
        )


def read_search(asked: dict[str, str]) -> tuple[Search, Order]:
    """Return what the form asks for."""
    order: Order = "soonest" if asked.get("sort") == "soonest" else "newest"
    status = asked.get("status")
    statuses = UNANSWERED if status == ANY_UNANSWERED else (status,) if status else ()
    due_after = None if asked.get("passed") else present_moment()
    term = asked.get("q", "").strip() or None
    return Search(term, asked.get("provider"), asked.get("kind"), statuses, due_after), order


def list_facts(alert: dict[str, Any]) -> list[tuple[str, list[tuple[str, Any]]]]:
    """Return what is known of an alert, in groups; what is not known is left out."""
    card = alert["card"]
    number = f"{card['bin'] or ''} ···· {card['last4'] or ''}".strip() if card["bin"] or card["last4"] else None
    own = ("alerted_at", "received_at", "source", "revision", "duplicates")
    groups: list[tuple[str, dict[str, Any]]] = [
        (
            "Payment",
            {"card": number, "card_network": card["network"], "issuer": alert["issuer"], **alert["transaction"]},
        ),
        ("Merchant", alert["merchant"]),
        ("Alert", {name: alert[name] for name in own} | {"repaired": "yes" if alert["repaired"] else None}),
        ("Details", alert["details"]),
    ]
    known = [
        (title, [name_fact(*fact) for fact in facts.items() if fact[1] not in (None, "")]) for title, facts in groups
    ]
    return [(title, facts) for title, facts in known if facts]


def name_fact(name: str, value: Any) -> tuple[str, Any]:  # noqa: ANN401 - any fact
    """Return a fact with a name for people, and a time as they read it."""
    words = NAMES.get(name) or name.replace("_", " ").capitalize()
    return words, say_moment(read_moment(value)) if name in TIMES else value


TIMES = ("at", "alerted_at", "received_at")
NAMES = {"at": "Made", "arn": "ARN", "mcc": "MCC", "alerted_at": "Alerted", "received_at": "Received"}
