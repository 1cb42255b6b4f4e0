"""What was done by hand, described."""

from typing import Any

from console.web.openapi.kinds import NUMBER, OPTIONAL, TEXT, TIME, Schema, page, record
from console.web.openapi.requests import listing, query

FILTERS = [
    query("actor", TEXT, "Only by the token of this name, or by this user of the command."),
    query("action", TEXT, "Only this: replay, discard, retry delivery, change subscription, revoke token, ..."),
    query("subject", TEXT, "Only what was done to the thing of this id."),
    query("since", TIME, "Done then or later."),
    query("until", TIME, "Done before then."),
]
SCHEMAS: dict[str, Schema] = {
    "Operation": record(id=NUMBER, at=TIME, actor=TEXT, action=TEXT, subject=TEXT, note=OPTIONAL)
}
PATHS: dict[str, Any] = {
    "/v1/operations": {"get": listing("operations", "List what was done by hand", FILTERS, page("Operation"))}
}
