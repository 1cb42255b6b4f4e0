"""Errors in one shape: RFC 9457 problem+json for programs, the same as a page for people."""

from http import HTTPStatus

import psycopg_pool
import redis
import structlog
from flask import Flask, Request, Response, render_template, request
from werkzeug.exceptions import HTTPException

from console.report import encode_json
from console.unreachable import Unreachable

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger()


class Problem(Exception):
    """A request that cannot be answered as asked: an HTTP status, and in one sentence why."""

    def __init__(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def present_problem(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return the answer that tells of a problem. Its type is the HTTP status (RFC 9457, 4.2.1)."""
    document = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return Response(encode_json(document), status.value, headers, content_type=MEDIA_TYPE)


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
        return tell_problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The console failed; its log says why.")
