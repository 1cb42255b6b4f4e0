"""Addresses of Redis: through Sentinels or straight, what is wrong with one, and what never shows."""

import pytest
import redis
from redis.sentinel import SentinelConnectionPool

from schemas.journal.redis_address import MalformedAddress, SentinelAddress, parse_sentinels, require_redis
from schemas.journal.redis_client import PrimaryClient, connect_redis, describe_broker
from schemas.settings.secret import ConfigurationError

ONE = (("sentinel.example", 26379),)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis+sentinel://sentinel.example/journal", SentinelAddress(ONE, "journal", 0)),
        (
            "redis+sentinel://:hidden@a:1,b:2,[::1]:3/journal/4",
            SentinelAddress((("a", 1), ("b", 2), ("::1", 3)), "journal", 4, password="hidden"),
        ),
        (
            "redis+sentinel://door:p%40ss%2Fword@sentinel.example/my%20journal?sentinel_password=s%26s",
            SentinelAddress(ONE, "my journal", 0, "door", "p@ss/word", sentinel_password="s&s"),
        ),
    ],
)
def test_address_is_taken_apart(url: str, address: SentinelAddress) -> None:
    """Every part is read, percent-decoded, with Sentinel's own port unless another is named."""
    assert parse_sentinels(url) == address


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis+sentinel://:hidden@sentinel:26379", "names no service"),
        ("redis+sentinel://:hidden@sentinel:26379/", "names no service"),
        ("redis+sentinel://:hidden@sentinel:26379/journal/x", "database"),
        ("redis+sentinel://:hidden@sentinel:66666/journal", "host:port"),
        ("redis+sentinel://:hidden@sentinel:port/journal", "host:port"),
        ("redis+sentinel://:hidden@a:1,,b:2/journal", "host:port"),
        ("redis+sentinel://:hid/den@sentinel:1/journal", "host:port"),
        ("redis+sentinel://:hid@den@sentinel:1/journal", "cannot be read"),
        ("redis+sentinel://:hidden@sentinel/journal?ssl=true", "sentinel_password only"),
        ("redis+sentinel://:hidden@sentinel/journal?hidden", "name=value"),
        ("rediss+sentinel://:hidden@sentinel/journal", "no Redis address"),
        ("http://:hidden@sentinel", "no Redis address"),
    ],
)
def test_malformed_address_is_one_line_without_the_secret(url: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the variable and what is wrong, and quotes nothing of the address."""
    monkeypatch.setenv("JOURNAL_URL", url)
    with pytest.raises(ConfigurationError, match=why) as error:
        require_redis("JOURNAL_URL")
    assert str(error.value).startswith("JOURNAL_URL")
    assert "\n" not in str(error.value)
    assert "hid" not in str(error.value)


def test_secrets_are_in_no_representation() -> None:
    """What may end in a log or a traceback names no password."""
    url = "redis+sentinel://:hidden@sentinel/journal?sentinel_password=concealed"
    shown = repr(parse_sentinels(url)) + repr(connect_redis(url, timeout=1.0, connect_timeout=1.0))
    assert "hidden" not in shown
    assert "concealed" not in shown


def test_client_of_sentinels_never_repeats_a_command() -> None:
    """A repeated append would be two entries: neither way of connecting retries by itself."""
    for url in ("redis://127.0.0.1:1/0", "redis+sentinel://127.0.0.1:1,127.0.0.1:2/journal"):
        with connect_redis(url, timeout=1.0, connect_timeout=1.0) as client:
            assert client.connection_pool.connection_kwargs["retry"].get_retries() == 0
            with pytest.raises(redis.ConnectionError) as error:
                client.ping()
            assert len(str(error.value)) < 120  # redis-py would describe every client of every Sentinel


def test_sentinels_are_asked_for_the_primary() -> None:
    """The client is one of the service's primary, in the database that the address names."""
    url = "redis+sentinel://a,b,c/journal/3"
    with connect_redis(url, timeout=1.0, connect_timeout=1.0) as client:
        assert isinstance(client, PrimaryClient)
        pool = client.connection_pool
        assert isinstance(pool, SentinelConnectionPool)
        assert (pool.service_name, pool.is_master, pool.connection_kwargs["db"]) == ("journal", True, 3)
        assert len(pool.sentinel_manager.sentinels) == 3


def test_broker_is_described_as_kombu_spells_it() -> None:
    """Each Sentinel is an address of its own with login and database; what they watch and their password go besides."""
    url, options = describe_broker("redis+sentinel://:p%40ss@a:1,[::1]:2/broker/4?sentinel_password=concealed")
    assert url == "sentinel://:p%40ss@a:1/4;sentinel://:p%40ss@[::1]:2/4"
    assert options["master_name"] == "broker"
    assert options["sentinel_kwargs"]["password"] == "concealed"
    assert describe_broker("redis://127.0.0.1:6379/1") == ("redis://127.0.0.1:6379/1", {})


def test_error_of_parsing_is_a_value_error() -> None:
    """Whoever catches what redis-py raises for a malformed address catches this too."""
    with pytest.raises(ValueError, match="service") as error:
        connect_redis("redis+sentinel://a", timeout=1.0, connect_timeout=1.0)
    assert isinstance(error.value, MalformedAddress)
