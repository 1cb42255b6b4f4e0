"""What every answer says to browsers, and the one line that the log has of each request."""

import time
from http import HTTPMethod
from typing import Any

import structlog
from flask import Flask, Response, g, request

# Own scripts and styles only, nothing is loaded from or sent to elsewhere, nobody may frame it, and no answer is kept
# by anyone. Within our own pages the referrer stays, for without it browsers send forms with `Origin: null`.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}

log = structlog.get_logger()


def watch_requests(app: Flask, *, https: bool) -> None:
    """Give every answer its security headers, and log one line a request: who asked what, without its query."""
    app.extensions["headers"] = headers = SECURITY_HEADERS | (HTTPS_ONLY if https else {})

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        caller = g.get("caller")
        method = request.method if request.method in HTTPMethod.__members__ else "other"  # it may hold anything
        facts: dict[str, Any] = {"route": str(request.url_rule or ""), "method": method}
        facts |= {"caller": caller.name} if caller else {}
        milliseconds = round((time.perf_counter() - g.began) * 1000, 1)
        log.info("answered", status=response.status_code, ms=milliseconds, **facts)
        return response
