"""A request that gunicorn cannot read, or that breaks outside of the application: what to say of it.

gunicorn answers with a page, and logs a line, that quote what was wrong: a header's value perhaps, or a query. So each
of our listeners answers in its own form instead, with a status and a code, and nothing of the request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gunicorn.http import errors
from gunicorn.util import write_nonblock


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is the matter: an HTTP status with its phrase, a code for the log, and the log's word for why."""

    status: int
    phrase: str
    code: str
    why: str


# Whatever else is wrong with a request is 400, an unknown transfer coding too: 501 would say that it is our fault.
REASONS: dict[type[Exception], tuple[int, str, str]] = {
    errors.LimitRequestLine: (414, "URI Too Long", "URI_TOO_LONG"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large", "HEADERS_TOO_LARGE"),
    errors.ExpectationFailed: (417, "Expectation Failed", "EXPECTATION_FAILED"),
}
BAD_REQUEST = (400, "Bad Request", "BAD_REQUEST")
OWN_FAULTS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)


def judge_error(error: BaseException) -> Verdict:
    """Say whose fault an error is, and which."""
    if isinstance(error, errors.ParseException) and not isinstance(error, OWN_FAULTS):
        status, phrase, code = REASONS.get(type(error), BAD_REQUEST)
        return Verdict(status, phrase, code, code)
    return Verdict(500, "Internal Server Error", "SYSTEM_ERROR", type(error).__name__)


def write_answer(client: Any, verdict: Verdict, headers: Mapping[str, str], body: bytes) -> None:  # noqa: ANN401 - a socket
    """Write an answer that ends the connection, unless that is gone already."""
    lines = [
        f"HTTP/1.1 {verdict.status} {verdict.phrase}",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    try:
        write_nonblock(client, "\r\n".join([*lines, "", ""]).encode() + body)
    except (OSError, ValueError):
        return  # gone, or closed
