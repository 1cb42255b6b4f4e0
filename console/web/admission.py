"""Who may ask, and for what: programs show a bearer token, people sign in with one.

Nothing that only the browser adds by itself lets anybody change anything: the API knows no cookie, and a page believes
one only together with the anti-forgery token of a form of ours.
"""

from collections.abc import Callable
from http import HTTPStatus

from flask import Flask, Request, current_app, g

from console.access.admission import Admission
from console.access.caller import SAFE_METHODS, Caller, Role, role_needed
from console.web.forgery import check_form
from console.web.problem import Problem
from console.web.session import read_digest

REALM = "alert-intake"


class SignInNeeded(Problem):
    """Nobody has signed in. A browser is led to the sign-in, anything else gets a 401."""


def install_admission(app: Flask, admission: Admission, origin: str | None) -> None:
    """Let the functions below ask `admission`; give templates `caller`. `origin`: the console's own, if configured."""
    app.extensions["admission"] = admission
    app.config["ORIGIN"] = origin
    app.context_processor(lambda: {"caller": g.get("caller")})


def find_admission() -> Admission:
    """Return the admission of the application that answers the present request."""
    admission: Admission = current_app.extensions["admission"]
    return admission


def admit_program(request: Request, role: Role | None = None) -> Caller:
    """Demand ``Authorization: Bearer <token>`` (RFC 6750) of one who may do this. Raises Problem.

    Without `role` the method says which is needed.
    """
    given = request.authorization
    found = find_admission().recognise(given.token) if given is not None and given.type == "bearer" else None
    if found is None:
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "A bearer token is needed: Authorization: Bearer <token>.",
            {"WWW-Authenticate": f'Bearer realm="{REALM}"'},
        )
    return admit(*found, role or role_needed(request.method))


def admit_person(request: Request, role: Role | None = None) -> Caller:
    """Demand a session of one who may do this, and of a form that it is ours. Raises Problem.

    Without `role` the method says which is needed. A program may show its bearer token instead, and to look, the token
    as password of HTTP Basic; browsers repeat that by themselves, so with it nothing is changed.
    """
    admission = find_admission()
    safe = request.method in SAFE_METHODS
    given = request.authorization
    found = None
    if given is not None and given.type == "bearer":
        found = admission.recognise(given.token)
    elif given is not None and given.type == "basic" and safe:
        found = admission.recognise(given.password)
    elif (digest := read_digest()) is not None and (caller := admission.recognise_digest(digest)) is not None:
        found = caller, digest
        if not safe:
            check_form(request)
    if found is None:
        raise SignInNeeded(
            HTTPStatus.UNAUTHORIZED,
            "Sign in at /sign-in; to look with a program, any user name and a token as password.",
            {"WWW-Authenticate": f'Basic realm="{REALM}", charset="UTF-8"'},
        )
    return admit(*found, role or role_needed(request.method))


def admit(caller: Caller, digest: bytes, role: Role) -> Caller:
    """Demand the role, and remember who asks until the request is answered. Raises Problem."""
    g.caller, g.digest = caller, digest
    if not caller.may(role):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            f"This needs a token with the role {role}; {caller.name} has the role {caller.role}.",
        )
    return caller


def name_actor() -> str:
    """Return the name under which what the present request does is noted."""
    caller: Caller = g.caller
    return caller.name


def watch_admission() -> Callable[[], bool]:
    """Return a function that tells whether the caller of the present request is no longer admitted."""
    return find_admission().watch(g.digest)
