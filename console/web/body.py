"""Read the body of a request, strictly: a JSON object of the fields that are known, or nothing."""

from http import HTTPStatus
from typing import Any

import orjson
from flask import request

from console.web.asked import read_query, refuse
from console.web.problem import Problem

MAX_BODY = 256 * 1024  # bytes


def read_json_body(limit: int) -> bytes:
    """Return the body of at most `limit` bytes, which may be empty. Raises Problem; 413 for a longer one."""
    read_query(request.args, ())
    request.max_content_length = limit
    body = request.get_data()
    if body and not request.is_json:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The content type must be application/json.")
    return body


def read_object(*, required: bool = True) -> dict[str, Any]:
    """Return the body, a JSON object; unless it is required, no body is an empty one. Raises Problem."""
    try:
        document = orjson.loads(read_json_body(MAX_BODY) or (b"" if required else b"{}"))
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise refuse("The body must be a JSON object.")
    return document


def read_note() -> str:
    """Return the note of ``{"note": "why"}``. Raises Problem."""
    document = read_object()
    note = document.pop("note", None)
    if document or not isinstance(note, str):
        raise refuse('The body must be {"note": "why it is discarded"}.')
    return note
