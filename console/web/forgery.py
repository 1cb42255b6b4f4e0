"""Keep other sites from using a person's session: where a form comes from, and the anti-forgery token in it.

Three ways, each enough: the cookie is SameSite=Strict; the browser says where a request comes from (Sec-Fetch-Site,
Origin); and the form holds a token that only our own pages know (OWASP's synchroniser token).
"""

import hmac
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, Request, current_app
from markupsafe import Markup

from console.web.problem import Problem
from console.web.session import read_anti_forgery_token

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"


def offer_fields(app: Flask) -> None:
    """Give templates ``csrf_field()``, the hidden field of a form, and ``csrf_token()``, for the header."""
    app.jinja_env.globals.update(csrf_field=csrf_field, csrf_token=read_anti_forgery_token)


def csrf_field() -> Markup:
    """Return the hidden field that every form of ours has to hold."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, read_anti_forgery_token())


def check_form(request: Request) -> None:
    """Refuse a form that is not from a page of ours. Raises Problem."""
    check_origin(request, current_app.config["ORIGIN"])
    given = request.headers.get(HEADER) or request.form.get(FIELD) or ""
    if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), read_anti_forgery_token().encode()):
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
