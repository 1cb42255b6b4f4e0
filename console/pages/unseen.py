"""What could not be seen: a server that does not answer costs its own part of what is shown, not the rest."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg_pool
import redis
import structlog

from console.unreachable import Unreachable

UNREACHABLE = (Unreachable, psycopg.Error, psycopg_pool.PoolTimeout, redis.RedisError, OSError)

log = structlog.get_logger()


@contextmanager
def surviving(what: str) -> Iterator[None]:
    """Go on when a server does not answer, and whatever else happens: nobody would start the thread again."""
    try:
        yield
    except UNREACHABLE as error:
        log.warning("not_seen", what=what, why=type(error).__name__)
    except Exception:
        log.exception("lookout_failed", what=what)
