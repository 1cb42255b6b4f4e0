"""Errors in one shape: RFC 9457 problem+json for programs, the same as a page for people."""

from http import HTTPStatus

import psycopg
import psycopg_pool
import redis
import structlog
from flask import Flask, Request, Response, render_template, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException

from console.report import encode_json
from console.unreachable import Unreachable

MEDIA_TYPE = "application/problem+json"
UNREADABLE = "The request cannot be read."
UNFIT = "The request holds a value that cannot be stored or looked for."
FAILED = "The console failed; its log says why."

log = structlog.get_logger()


class Problem(Exception):
    """A request that cannot be answered as asked: an HTTP status, and in one sentence why."""

    def __init__(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def describe_problem(status: HTTPStatus, detail: str) -> bytes:
    """Return the document that tells of a problem. Its type is the HTTP status (RFC 9457, 4.2.1)."""
    return encode_json({"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail})


def present_problem(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return the answer that tells of a problem."""
    return Response(describe_problem(status, detail), status.value, headers, content_type=MEDIA_TYPE)


def tell_problem(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return the answer that tells of a problem, as a page if the present request is a browser's for one."""
    if not wants_page(request):
        return present_problem(status, detail, headers)
    html = render_template("problem.html", title=status.phrase, status=status.value, detail=detail)
    return Response(html, status.value, headers, content_type="text/html; charset=utf-8")


def wants_page(request: Request) -> bool:
    """Tell whether a browser asks for a page: it names HTML, and not a place of the API."""
    accepts = request.accept_mimetypes
    return accepts.quality("text/html") > accepts.quality("application/json") and not request.path.startswith("/v1/")


def answer_problems(app: Flask) -> None:
    """Register the answers to everything that can go wrong."""

    @app.errorhandler(Problem)
    def expected(problem: Problem) -> Response:
        return tell_problem(problem.status, problem.detail, problem.headers)

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        status = HTTPStatus(error.code or 500)
        allowed = getattr(error, "valid_methods", None)
        headers = {"Allow": ", ".join(sorted(allowed))} if allowed else {}
        return tell_problem(status, status.description or status.phrase, headers)

    @app.errorhandler(ParseException)
    def unreadable(_error: ParseException) -> Response:
        return tell_problem(HTTPStatus.BAD_REQUEST, UNREADABLE)  # a body whose chunks are none; the error quotes them

    @app.errorhandler(psycopg.DataError)
    def unfit(error: psycopg.DataError) -> Response:
        # Such as a NUL in what was looked at nowhere before. Its message quotes the value: the log has the kind only.
        log.warning("data_refused", error=type(error).__name__, code=error.sqlstate)
        return tell_problem(HTTPStatus.BAD_REQUEST, UNFIT)

    @app.errorhandler(Unreachable)
    @app.errorhandler(psycopg_pool.PoolTimeout)
    @app.errorhandler(redis.RedisError)
    def unreachable(error: Exception) -> Response:
        log.error("server_unreachable", error=type(error).__name__, why=" ".join(str(error).split())[:300])
        detail = "A server behind the console does not answer. Try again later."
        return tell_problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "5"})

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("request_failed", exc_info=error)
        return tell_problem(HTTPStatus.INTERNAL_SERVER_ERROR, FAILED)
