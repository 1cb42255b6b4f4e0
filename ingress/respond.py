"""Answers as Flask gives them, and what is answered where no route leads."""

from http import HTTPMethod

from flask import Response
from werkzeug.exceptions import HTTPException

from ingress.acknowledge import Answer, Fault, Refused

# Reason codes of what is refused before a source is known.
CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


def respond(answer: Answer) -> Response:
    """Turn an answer into Flask's."""
    return Response(answer.body, answer.status, dict(answer.headers), content_type="application/json")


def refuse_unrouted(error: HTTPException, method: str) -> Refused:
    """Word what Flask says of a request that no view takes. Nothing of it is repeated that may hold anything."""
    named = method if method in HTTPMethod.__members__ else "this method"
    status = error.code or 500
    methods = getattr(error, "valid_methods", None)
    fault = Fault(CODES.get(status, "BAD_REQUEST"), f"{error.name}: {named} is not answered at this path")
    return Refused(status, fault, {"Allow": ", ".join(sorted(methods))} if methods else {})
