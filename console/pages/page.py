"""The pages for people, all of them behind the sign-in, and the words in which their templates speak."""

from flask import Blueprint, request
from flask.sansio.app import App

from console.pages.alerts import add_alerts
from console.pages.deadline import tell_deadline
from console.pages.overview import add_overview
from console.pages.rejections import MAX_FORM, add_rejections
from console.pages.subscriptions import add_subscriptions
from console.pages.window import Window, present_moment
from console.pages.words import (
    read_moment,
    say_count,
    say_moment,
    say_rate,
    say_span,
    say_when,
    say_words,
    show_json,
    show_value,
)
from console.web.admission import admit_person

FILTERS = {
    "count": say_count, "rate": say_rate, "span": say_span, "words": say_words, "moment": say_moment,
    "json_lines": show_json, "value": show_value, "read_moment": read_moment,
}  # fmt: skip


def create_page(window: Window) -> Blueprint:
    """Return the routes of every page."""
    page = Blueprint("page", __name__)
    most = 4 * window.configuration.door.max_body + MAX_FORM  # a form writes some characters as three

    @page.before_request
    def admit() -> None:
        request.max_content_length = request.max_form_memory_size = most
        admit_person(request)

    add_overview(page, window)
    add_alerts(page, window)
    add_rejections(page, window)
    add_subscriptions(page, window)
    page.record_once(lambda state: speak(state.app))
    return page


def speak(app: App) -> None:
    """Give templates their filters, and one present moment for a whole page."""
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.filters["when"] = lambda moment: say_when(read_moment(moment), present_moment())
    app.jinja_env.filters["deadline"] = lambda alert: tell_deadline(alert, present_moment())
    app.jinja_env.globals["present_moment"] = present_moment
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
