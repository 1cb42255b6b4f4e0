"""Where a Redis is: the address of one server, or of Sentinels, which know the server that is the primary now.

``redis+sentinel://[[user]:password@]host[:port][,host[:port]...]/service[/db][?sentinel_password=...]``: the hosts are
Sentinels (port 26379 unless said otherwise), user and password those of the servers they watch. Sentinels with a
password of their own: ``sentinel_password`` and, if need be, ``sentinel_username``. Everything is percent-encoded.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from schemas.settings.configuration import require_address
from schemas.settings.secret import ConfigurationError

SENTINEL_SCHEME = "redis+sentinel://"
SENTINEL_PORT = 26379
SYNTAX = f"{SENTINEL_SCHEME}[[user]:password@]host:port[,host:port...]/service[/db]"
ADDRESS = re.compile(
    re.escape(SENTINEL_SCHEME) + r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?(?P<hosts>[^@/?#]*)"
    r"(?:/(?P<service>[^/?#]*))?(?:/(?P<db>[^/?#]*))?(?:\?(?P<query>[^#]*))?"
)
HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]\s]+))(?::(?P<port>[0-9]{1,5}))?")


class MalformedAddress(ValueError):
    """An address that cannot be used. The message says what is wrong with it, without quoting it: it holds secrets."""


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """An address of the form above, taken apart. The secrets are in no representation of it."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    db: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)


def require_redis(variable: str) -> str:
    """Return the address in JOURNAL_URL or BROKER_URL. Raises ConfigurationError, with one line that quotes nothing."""
    url = require_address(variable)
    if url.startswith(SENTINEL_SCHEME):
        try:
            parse_sentinels(url)
        except MalformedAddress as error:
            raise ConfigurationError(f"{variable}: {error}; the form is {SYNTAX}") from error
    elif not url.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigurationError(f"{variable} is no Redis address such as redis://host:6379/0 or {SYNTAX}")
    return url


def parse_sentinels(url: str) -> SentinelAddress:
    """Take an address apart. Raises MalformedAddress."""
    found = ADDRESS.fullmatch(url)
    if found is None:
        raise MalformedAddress("it cannot be read; percent-encode :, @, /, ? and # in names and passwords")
    if not found["service"]:
        raise MalformedAddress("it names no service, the name under which the Sentinels watch the primary")
    if found["db"] and not found["db"].isdecimal():
        raise MalformedAddress("the database at its end is no number")
    try:
        options = dict(parse_qsl(found["query"] or "", strict_parsing=bool(found["query"])))
    except ValueError:
        raise MalformedAddress("what follows its ? is not of the form name=value") from None
    if set(options) - {"sentinel_username", "sentinel_password"}:
        raise MalformedAddress("after its ? it may name sentinel_username and sentinel_password only")
    return SentinelAddress(
        sentinels=tuple(parse_host(host) for host in found["hosts"].split(",")),
        service=unquote(found["service"]),
        db=int(found["db"] or 0),
        username=unquote(found["user"]) if found["user"] else None,
        password=unquote(found["password"]) if found["password"] else None,
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
    )


def parse_host(text: str) -> tuple[str, int]:
    """Return host and port of one Sentinel."""
    found = HOST.fullmatch(text)
    port = int(found["port"] or SENTINEL_PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise MalformedAddress("one of its Sentinels is not of the form host:port")
    return unquote(found["v6"] or found["name"]), port
