"""The shape of a subscription, which console and workers share."""

import base64

import pytest

from console.durations import parse_duration
from schemas.downstream.events import check_events, wants_event
from schemas.downstream.subscription import (
    Credentials,
    check_secret,
    check_url,
    generate_secret,
    rotate_secret,
    seal_credentials,
    subscription_binding,
    unseal_credentials,
)
from schemas.keyring import Keyring, Tampered

KEYRING = Keyring([b"k" * 32], b"m" * 32)
NOW = 1_795_000_000.0
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
    assert check_events(["alert.created", "alert.*", "*", "intake.*", "intake.books.unbalanced", "alert.created"]) == (
        "alert.created", "alert.*", "*", "intake.*", "intake.books.unbalanced",
    )  # fmt: skip
    for mistyped in ("alert.craeted", "intake.bokks", "*.unbalanced"):
        with pytest.raises(ValueError, match=mistyped.replace("*", r"\*")):
            check_events([mistyped])
    with pytest.raises(ValueError, match="at least one"):
        check_events([])


def test_a_pattern_matches_by_name() -> None:
    """`*` stands for any text, and a plain name for itself only."""
    assert wants_event(["alert.*"], "alert.updated")
    assert wants_event(["*"], "alert.created")
    assert not wants_event(["alert.created", "alert.resolved"], "alert.updated")


def test_notices_go_to_who_asks_for_them() -> None:
    """Everything about alerts is not everything about the intake."""
    assert wants_event(["intake.*"], "intake.alert.expiring")
    assert wants_event(["*", "intake.alert.expiring"], "intake.alert.expiring")
    assert not wants_event(["*", "alert.*", "intake.books.*"], "intake.alert.expiring")


def test_a_replaced_secret_signs_until_its_overlap_ends() -> None:
    """The new secret comes first, the former beside it, and later alone no more."""
    first, second = generate_secret(), generate_secret()
    rotated = rotate_secret(Credentials(secret=first, headers={"X-Key": "key"}), second, 3600, NOW)
    assert rotated.signing_secrets(NOW) == [second, first]
    assert rotated.signing_secrets(NOW + 3601) == [second]
    assert rotated.headers == {"X-Key": "key"}
    assert unseal_credentials(seal_credentials(rotated, OWN, KEYRING), OWN, KEYRING) == rotated


def test_a_rotation_without_overlap_ends_every_former_secret() -> None:
    """After a leak nothing but the new secret signs."""
    third = generate_secret()
    rotated = rotate_secret(Credentials(secret=generate_secret()), generate_secret(), 3600, NOW)
    assert rotate_secret(rotated, third, 0, NOW).signing_secrets(NOW) == [third]


def test_only_so_many_secrets_sign_at_once() -> None:
    """A receiver need not try more than four signatures."""
    credentials = Credentials(secret=generate_secret())
    for _ in range(3):
        credentials = rotate_secret(credentials, generate_secret(), 3600, NOW)
    assert len(credentials.signing_secrets(NOW)) == 4
    with pytest.raises(ValueError, match="former secrets"):
        rotate_secret(credentials, generate_secret(), 3600, NOW)


@pytest.mark.parametrize(
    ("text", "seconds"), [("24h", 86_400), ("90m", 5400), ("2d", 172_800), ("45", 45), ("0", 0), (" 5 s ", 5)]
)
def test_a_length_of_time(text: str, seconds: int) -> None:
    """People write 24h, 90m, 2d, or seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1h", "1.5h", "1w", "99999d", "\u0661h"])
def test_what_is_no_length_of_time(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="length of time"):
        parse_duration(text)
