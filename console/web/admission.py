"""Who may look: a bearer token for programs, the same token as a password for a browser."""

import hmac
from http import HTTPStatus

from flask import Request

from console.web.problem import Problem

REALM = "alert-intake"


def admit_program(request: Request, token: str) -> None:
    """Demand ``Authorization: Bearer <token>`` (RFC 6750). Raises Problem."""
    given = request.authorization
    if given is None or given.type != "bearer" or not matches(given.token, token):
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "A bearer token is needed: Authorization: Bearer <token>.",
            {"WWW-Authenticate": f'Bearer realm="{REALM}"'},
        )


def admit_person(request: Request, token: str) -> None:
    """Demand the token as a bearer token, or as the password of HTTP Basic with any user name. Raises Problem."""
    given = request.authorization
    if given is not None and given.type == "basic" and matches(given.password, token):
        return
    if given is not None and given.type == "bearer" and matches(given.token, token):
        return
    raise Problem(
        HTTPStatus.UNAUTHORIZED,
        "Sign in with any user name and the console's token as password.",
        {"WWW-Authenticate": f'Basic realm="{REALM}", charset="UTF-8"'},
    )


def matches(given: str | None, token: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest((given or "").encode("utf-8", "surrogatepass"), token.encode())
