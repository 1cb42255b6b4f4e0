"""The shape of a subscription, which console and workers share."""

import base64

import pytest

from schemas.keyring import Keyring, Tampered
from schemas.subscription import (
    Credentials,
    check_events,
    check_secret,
    check_url,
    generate_secret,
    seal_credentials,
    subscription_binding,
    unseal_credentials,
    wants_event,
)

KEYRING = Keyring([b"k" * 32], b"m" * 32)
OWN = "01890a5d-ac96-774b-bcce-b302099a8057"
OTHER = "01890a5d-ac96-774b-bcce-b302099a8058"


def test_credentials_open_only_as_those_of_their_own_subscription() -> None:
    """Sealed credentials come back whole under their id, and under no other."""
    credentials = Credentials(secret=generate_secret(), basic=("user", "pass:word"), headers={"X-API-Key": "key"})
    sealed = seal_credentials(credentials, OWN, KEYRING)
    assert unseal_credentials(sealed, OWN, KEYRING) == credentials
    with pytest.raises(Tampered):
        unseal_credentials(sealed, OTHER, KEYRING)


def test_sealed_content_that_is_no_credentials_is_refused_without_quoting_it() -> None:
    """What opens and is of another shape raises Tampered, and nothing of it stands in the error."""
    sealed = KEYRING.seal(b'{"secret": "hunter2hunter2"}', subscription_binding(OWN))
    with pytest.raises(Tampered) as caught:
        unseal_credentials(sealed, OWN, KEYRING)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_generated_secret_has_32_bytes_and_differs_every_time() -> None:
    """Standard Webhooks wants 24 to 64 random bytes behind whsec_."""
    first, second = generate_secret(), generate_secret()
    check_secret(first)
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32
    assert first != second


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", base64.b64encode(b"x" * 32).decode()]
)
def test_a_weak_or_foreign_secret_is_refused(secret: str) -> None:
    """A secret that is too short, no base64 or without its prefix could not sign."""
    with pytest.raises(ValueError, match="secret"):
        Credentials(secret=secret)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X Key", "a"),
        ("", "a"),
        ("X-Key", ""),
        ("X-Key", "a\r\nX: b"),
        ("Webhook-Id", "a"),
        ("Host", "a"),
        ("X-Key", "\u20ac"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused(name: str, value: str) -> None:
    """A header with a broken name or value, or one that the delivery sets itself, fails when it is added."""
    with pytest.raises(ValueError, match="header"):
        Credentials(secret=generate_secret(), headers={name: value})


@pytest.mark.parametrize("basic", [("us:er", "p"), ("user", "p\n")])
def test_basic_credentials_that_cannot_be_sent_are_refused(basic: tuple[str, str]) -> None:
    """A colon in the user name would move into the password (RFC 7617, 2)."""
    with pytest.raises(ValueError, match="basic"):
        Credentials(secret=generate_secret(), basic=basic)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/",
        "https://",
        "a.example/hook",
        "https://u:p@a.example/",
        "https://a.example/#x",
        "http://a:99999/",
        "https://a b/",
    ],
)
def test_a_url_that_cannot_be_called_is_refused(url: str) -> None:
    """Only http and https URLs with a host, without credentials in them, are callable."""
    with pytest.raises(ValueError, match="url"):
        check_url(url)


def test_events_are_known_names_or_patterns() -> None:
    """An event that can never happen is a typing mistake; a pattern is kept."""
    assert check_events(["alert.created", "alert.*", "*", "intake.journal_lost", "alert.created"]) == (
        "alert.created", "alert.*", "*", "intake.journal_lost",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"alert\.craeted"):
        check_events(["alert.craeted"])
    with pytest.raises(ValueError, match="at least one"):
        check_events([])


def test_a_pattern_matches_by_name() -> None:
    """`*` stands for any text, and a plain name for itself only."""
    assert wants_event(["alert.*"], "alert.updated")
    assert wants_event(["*"], "intake.journal_lost")
    assert not wants_event(["alert.created", "alert.resolved"], "alert.updated")
