"""What every page works with."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
from flask import Response, g, render_template, url_for

from console.pages.certificates import Certificates
from console.pages.lookout import Lookout
from console.pool import ReadPool
from schemas.keyring import Keyring
from schemas.settings.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Window:
    """The settings, the servers and the lookout of this process."""

    configuration: Configuration
    keyring: Keyring
    pool: ReadPool
    journal: redis.Redis
    lookout: Lookout
    certificates: Certificates


def present_moment() -> datetime:
    """Return the moment of the present request, the same for everything on its page."""
    moment: datetime = g.setdefault("moment", datetime.now(UTC))
    return moment


def render_page(template: str, status: int = 200, **values: object) -> Response:
    """Return a page."""
    html = render_template(template, **values)
    return Response(html, status, content_type="text/html; charset=utf-8")


def link_list(endpoint: str, asked: dict[str, str], cursor: str | None) -> str:
    """Return the address of a list as it is asked for, from a place on; from its beginning when that is None."""
    rest: dict[str, Any] = {name: value for name, value in asked.items() if name != "cursor"}
    return url_for(endpoint, **rest | ({"cursor": cursor} if cursor else {}))
