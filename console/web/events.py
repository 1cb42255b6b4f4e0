"""``GET /v1/events``: the events as a stream that a client can leave and take up again."""

from http import HTTPStatus

from flask import Blueprint, Response, request

from console.feed.events import read_place
from console.feed.feed import Feed, TooManyStreams
from console.feed.stream import stream_events, watch_client
from console.web.admission import watch_admission
from console.web.api import begin_part
from console.web.asked import read_choice, read_query, refuse
from console.web.problem import Problem
from schemas.downstream.events import check_events

MEDIA_TYPE = "text/event-stream"
STARTS = ("now", "oldest")


def create_feed_api(feed: Feed) -> Blueprint:
    """Return the route of the stream."""
    api = begin_part("feed")

    @api.get("/events")
    def events() -> Response:
        asked = read_query(request.args, {"types", "last_event_id", "start"})
        types = read_types(asked.get("types"))
        start = read_choice(asked, "start", STARTS)
        # The header is what a client says that reconnects: it counts more than the address it began with.
        resumed = request.headers.get("Last-Event-ID") or asked.get("last_event_id")
        horizon, last = feed.find_end()
        place = read_place(resumed, last) if resumed else 0 if start == "oldest" else horizon
        try:
            feed.enter()
        except TooManyStreams:
            detail = "As many streams are open as there may be. Try again later."
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "5"}) from None
        gone, lapsed = watch_client(request.environ.get("gunicorn.socket")), watch_admission()
        frames = stream_events(feed, place, types, lambda: gone() or lapsed())
        response = Response(frames, content_type=MEDIA_TYPE)
        response.headers["X-Accel-Buffering"] = "no"  # nginx would gather the frames
        response.call_on_close(feed.leave)
        return response

    return api


def read_types(text: str | None) -> tuple[str, ...]:
    """Return the types asked for, with ``*`` for any text; ``*`` when none are named. Raises Problem."""
    if text is None:
        return ("*",)
    try:
        return check_events(name.strip() for name in text.split(","))
    except ValueError as error:
        raise refuse(f"types: {error}") from error
