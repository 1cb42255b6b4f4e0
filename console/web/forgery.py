"""Keep other sites from using a person's session: where a form comes from, and the anti-forgery token in it.

Three ways, each enough: the cookie is SameSite=Strict; the browser says where a request comes from (Sec-Fetch-Site,
Origin); and the form holds a token that only our own pages know (OWASP's synchroniser token).

Who has not signed in has the token in a cookie of its own. A link from elsewhere comes without the session's cookie, so
a session begun for the form would take the place of the one there is, and any site could sign people out.
"""

import hmac
import secrets
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app, g, request, session
from markupsafe import Markup

from console.web.problem import Problem

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
SUFFIX = "-form"  # of the name of the cookie for who has not signed in


def offer_fields(app: Flask) -> None:
    """Give templates ``csrf_field()``, the hidden field of a form, and ``csrf_token()``, for the header."""
    app.jinja_env.globals.update(csrf_field=csrf_field, csrf_token=offer_token)

    @app.after_request
    def keep(response: Response) -> Response:
        if "form_token" in g:
            secure = app.config["SESSION_COOKIE_SECURE"]
            response.set_cookie(name_cookie(), g.form_token, secure=secure, httponly=True, samesite="Strict")
        return response


def name_cookie() -> str:
    """Return the name of the cookie for who has not signed in."""
    return f"{current_app.config['SESSION_COOKIE_NAME']}{SUFFIX}"


def offer_token() -> str:
    """Return the anti-forgery token that a form of ours is to hold, made when it is first asked for."""
    token = read_token()
    if not token:
        token = secrets.token_urlsafe(32)
        if "token" in session:
            session["csrf"] = token
        else:
            g.form_token = token
    return token


def read_token() -> str:
    """Return the anti-forgery token that was offered; empty when none was."""
    if "token" in session:
        return str(session.get("csrf", ""))
    return str(g.get("form_token", request.cookies.get(name_cookie(), "")))


def csrf_field() -> Markup:
    """Return the hidden field that every form of ours has to hold."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, offer_token())


def check_form(request: Request) -> None:
    """Refuse a form that is not from a page of ours. Raises Problem."""
    check_origin(request, current_app.config["ORIGIN"])
    given, offered = request.headers.get(HEADER) or request.form.get(FIELD) or "", read_token()
    if not offered or not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), offered.encode()):
        raise refuse("The form is out of date, or not from a page of ours. Load the page again and repeat it.")


def check_origin(request: Request, origin: str | None) -> None:
    """Refuse what a browser says comes from elsewhere; a client that says nothing is none. Raises Problem.

    `origin` is the console's own as browsers see it; None when it is not configured, and then the Host header names it.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise refuse("The form comes from another site.")
    given = request.headers.get("Origin")
    if given is None:
        return
    own = given == origin if origin else urlsplit(given).netloc == request.host
    if not own:
        raise refuse(
            "The form comes from another origin. Behind a proxy, console.origin has to name the console's own."
        )


def refuse(detail: str) -> Problem:
    """Return the problem of a form that is not taken."""
    return Problem(HTTPStatus.FORBIDDEN, detail)
