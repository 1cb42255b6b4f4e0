"""Clients of Redis that never repeat a command by themselves, and find the primary through Sentinels if need be."""

from typing import Any
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from schemas.journal.redis_address import SENTINEL_SCHEME, SentinelAddress, parse_sentinels

SENTINEL_SECONDS = 0.5  # one Sentinel's time to answer; then the next one is asked


class PrimaryClient(redis.Redis):
    """A client of whichever server the Sentinels call the primary: every new connection asks them first."""

    def close(self) -> None:
        """Close the connections to the servers, and those to the Sentinels."""
        super().close()
        if isinstance(self.connection_pool, SentinelConnectionPool):
            self.connection_pool.sentinel_manager.close()


class Watchers(Sentinel):
    """The Sentinels of a service. When none of them knows a primary the error says so in few words."""

    def discover_master(self, service_name: str) -> Any:  # noqa: ANN401 - redis-py's, a host and a port
        """Ask one after the other. Raises redis.ConnectionError."""
        try:
            return super().discover_master(service_name)  # type: ignore[no-untyped-call]  # redis-py's
        except MasterNotFoundError:
            number = len(self.sentinels)
            raise MasterNotFoundError(f"none of {number} Sentinels knows a primary of {service_name}") from None


def connect_redis(url: str, *, timeout: float, connect_timeout: float) -> redis.Redis:
    """Return a client that connects at its first command and never repeats one by itself: who failed looks first.

    Seconds: `timeout` for every answer, `connect_timeout` for a connection. Raises ValueError for what is no address.
    """
    never = Retry(NoBackoff(), 0)
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": connect_timeout,
        "retry": never,
        "health_check_interval": 0,
        "protocol": 2,
    }
    if not url.startswith(SENTINEL_SCHEME):
        return redis.Redis.from_url(url, **options)
    address = parse_sentinels(url)
    asked = ask_sentinels(address, min(timeout, SENTINEL_SECONDS))
    manager: Any = Watchers(address.sentinels, sentinel_kwargs=asked)  # type: ignore[no-untyped-call]  # redis-py's
    client: redis.Redis = manager.master_for(
        address.service,
        redis_class=PrimaryClient,
        db=address.db,
        username=address.username,
        password=address.password,
        **options,
    )
    return client


def follow_primary(client: redis.Redis) -> None:
    """Ask the Sentinels whether the primary is another one by now, and if so leave the old one's connections.

    For some seconds after a failover an old primary that lives takes entries still, and all of them are lost. Raises
    redis.ConnectionError when no Sentinel knows a primary.
    """
    if isinstance(client.connection_pool, SentinelConnectionPool):
        client.connection_pool.get_master_address()  # type: ignore[no-untyped-call]  # redis-py's


def describe_broker(url: str) -> tuple[str, dict[str, Any]]:
    """Return an address as kombu spells it, and what its transport must be told besides."""
    if not url.startswith(SENTINEL_SCHEME):
        return url, {}
    address = parse_sentinels(url)
    login = ""
    if address.password is not None:
        login = f"{quote(address.username or '', safe='')}:{quote(address.password, safe='')}@"
    hosts = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in address.sentinels]
    spelt = ";".join(f"sentinel://{login}{host}/{address.db}" for host in hosts)
    return spelt, {"master_name": address.service, "sentinel_kwargs": ask_sentinels(address, SENTINEL_SECONDS)}


def ask_sentinels(address: SentinelAddress, seconds: float) -> dict[str, Any]:
    """Return the options of connections to the Sentinels."""
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
        "username": address.sentinel_username,
        "password": address.sentinel_password,
    }
