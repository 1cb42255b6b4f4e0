"""Rejections for people: list them, see why, correct and replay one, or discard it with a note."""

from http import HTTPStatus

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from console.connections import open_database
from console.pages.window import Window, link_list, render_page
from console.paging import BadCursor
from console.rejections.queries import STATES, Sought, list_rejections, read_rejection
from console.rejections.replay import Desk, NoSuchRejection, discard_rejection, replay_rejection
from console.unreachable import Refused
from console.web.admission import name_actor
from console.web.asked import read_choice, read_query
from console.web.problem import Problem
from schemas.journal.append import JournalUnavailable
from schemas.journal.room import JournalFull

SHOWN = 50
MAX_FORM = 16 * 1024  # bytes, beside the body of the alert
REASONS = ("unreadable", "no_alert_id", "unknown_source", "unsealable", "poisoned", "unstorable")


def add_rejections(page: Blueprint, window: Window) -> None:
    """Add ``/rejections``, ``/rejections/<id>`` and what can be done there."""

    @page.get("/rejections")
    def rejections() -> Response:
        asked = read_query(request.args, ("state", "reason", "source", "cursor", "any"))
        state = read_choice(asked, "state", STATES) or (None if asked.get("any") else "open")
        sought = Sought(state=state, reason=asked.get("reason"), source=asked.get("source"))
        with window.pool.connection() as database:
            try:
                found = list_rejections(database, sought, SHOWN, asked.get("cursor"))
            except BadCursor as error:
                raise Problem(HTTPStatus.BAD_REQUEST, f"{error}. Begin the list anew.") from error
        following = link_list("page.rejections", asked, found.next_cursor) if found.next_cursor else None
        sources = [source.name for source in window.configuration.sources]
        return render_page("rejections.html", rejections=found.rows, asked=asked, state=state, following=following,
                           states=STATES, reasons=REASONS, sources=sources)  # fmt: skip

    @page.get("/rejections/<rejection_id>")
    def rejection(rejection_id: str) -> Response:
        asked = read_query(request.args, ("done",))
        return show(rejection_id, done=read_choice(asked, "done", ("replayed", "discarded")))

    @page.post("/rejections/<rejection_id>/replay")
    def replay(rejection_id: str) -> AnyResponse:
        corrected = request.form.get("body") if request.form.get("how") == "corrected" else None
        try:
            with open_database(writable=True) as database:
                desk = Desk(database, window.journal, window.configuration, window.keyring, name_actor())
                replay_rejection(desk, rejection_id, None if corrected is None else corrected.encode())
        except NoSuchRejection as error:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no rejection with this id.") from error
        except Refused as error:
            return show(rejection_id, wrong=str(error), body=corrected, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        except JournalFull as error:
            return show(rejection_id, wrong=str(error), body=corrected, status=HTTPStatus.SERVICE_UNAVAILABLE)
        except JournalUnavailable:
            return show(rejection_id, wrong=UNCERTAIN, body=corrected, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return redirect(url_for("page.rejection", rejection_id=rejection_id, done="replayed"), 303)

    @page.post("/rejections/<rejection_id>/discard")
    def discard(rejection_id: str) -> AnyResponse:
        note = request.form.get("note", "")
        try:
            with open_database(writable=True) as database:
                discard_rejection(database, rejection_id, note, name_actor())
        except NoSuchRejection as error:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no rejection with this id.") from error
        except Refused as error:
            return show(rejection_id, wrong=str(error), note=note, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        return redirect(url_for("page.rejection", rejection_id=rejection_id, done="discarded"), 303)

    def show(
        rejection_id: str,
        *,
        wrong: str | None = None,
        body: str | None = None,
        note: str = "",
        done: str | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        with window.pool.connection() as database:
            found = read_rejection(database, rejection_id, window.keyring)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no rejection with this id.")
        return render_page(
            "rejection.html", status.value, rejection=found, wrong=wrong, body=body, note=note, done=done
        )


UNCERTAIN = (
    "the journal did not confirm the entry. The rejection stays open; replaying it again is safe, for an entry that is "
    "there twice ends as a duplicate"
)
