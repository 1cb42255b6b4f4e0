"""Sign-in for people: a page that takes a token and gives a session, and the way out."""

from http import HTTPStatus
from io import BytesIO

import structlog
from flask import Blueprint, Flask, Response, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from console.web.admission import SignInNeeded, find_admission
from console.web.attempts import Attempts
from console.web.forgery import check_form
from console.web.problem import Problem, tell_problem, wants_page
from console.web.session import begin_session, end_session, read_digest
from schemas.listener.gathering import BODY_BYTES

MAX_BODY = BODY_BYTES
FIRST_PAGE = "/"
WRONG = "This token admits nobody: it is unknown, was revoked, or has expired."
TOO_OFTEN = "This token admits nobody, and too many wrong ones have come from this address within a minute."

log = structlog.get_logger()


def create_sign_in() -> Blueprint:
    """Return the routes ``/sign-in`` and ``/sign-out``."""
    pages = Blueprint("sign_in", __name__)
    attempts = Attempts()

    @pages.get("/sign-in")
    def show_form() -> AnyResponse:
        after = choose_next(request.args.get("next"))
        digest = read_digest()
        if digest is not None and find_admission().recognise_digest(digest):
            return redirect(after, HTTPStatus.SEE_OTHER.value)
        return show("sign_in.html", next=after)

    @pages.post("/sign-in")
    def sign_in() -> AnyResponse:
        require_form_at_hand()
        check_form(request)
        address, after = request.remote_addr or "", choose_next(request.form.get("next"))
        found = find_admission().recognise(request.form.get("token", "").strip())
        if found is None:
            # Behind a proxy all have one address, so a right token is taken however many wrong ones came before it.
            if wait := attempts.wait(address):
                refused = show("sign_in.html", HTTPStatus.TOO_MANY_REQUESTS, next=after, wrong=TOO_OFTEN)
                refused.headers["Retry-After"] = str(int(wait) + 1)
                return refused
            attempts.note_failure(address)
            log.warning("sign_in_refused", peer=address)
            return show("sign_in.html", HTTPStatus.UNAUTHORIZED, next=after, wrong=WRONG)
        g.caller, digest = found
        begin_session(digest)
        log.info("signed_in", caller=g.caller.name, role=g.caller.role, peer=address)
        return redirect(after, HTTPStatus.SEE_OTHER.value)

    @pages.post("/sign-out")
    def sign_out() -> AnyResponse:
        require_form_at_hand()
        check_form(request)
        end_session()
        return redirect(url_for("sign_in.show_form"), HTTPStatus.SEE_OTHER.value)

    return pages


def lead_to_sign_in(app: Flask) -> None:
    """Register the answer to a person who has not signed in."""

    @app.errorhandler(SignInNeeded)
    def needed(problem: SignInNeeded) -> AnyResponse:
        if "HX-Request" in request.headers:  # htmx would put the form into a corner of the page
            return tell_problem(problem.status, problem.detail, {"HX-Redirect": url_for("sign_in.show_form")})
        if not wants_page(request):
            return tell_problem(problem.status, problem.detail, problem.headers)
        here = request.full_path.rstrip("?") if request.method == "GET" else None
        way = url_for("sign_in.show_form", next=here)
        if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
            # Another site led here, so the browser left out the cookie, which is SameSite=Strict. From a page of ours
            # it is sent, and the sign-in leads on whoever has signed in. Not straight back to here: that would count as
            # a reload, which still comes from the other site.
            return show("onward.html", next=way)
        return redirect(way, HTTPStatus.SEE_OTHER.value)


def require_form_at_hand() -> None:
    """Refuse a form that a thread would have to wait for, from people who may be anybody. Raises Problem."""
    request.max_content_length = request.max_form_memory_size = MAX_BODY
    if (request.content_length or 0) <= MAX_BODY and not isinstance(request.environ["wsgi.input"], BytesIO):
        raise Problem(HTTPStatus.BAD_REQUEST, "The form did not come whole, or does not say its length.")


def show(template: str, status: HTTPStatus = HTTPStatus.OK, **values: str) -> Response:
    """Return a page."""
    return Response(render_template(template, **values), status.value, content_type="text/html; charset=utf-8")


def choose_next(wanted: str | None) -> str:
    """Return where to go after the sign-in: a path of ours, else the first page. Never another site's address."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or not wanted.isprintable():
        return FIRST_PAGE
    return wanted
