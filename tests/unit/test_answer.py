"""What of a receiver's answer goes on record: nothing of what it was sent to know us by, or of whom it is about."""

import html
import json
import urllib.parse

import pytest

from schemas.downstream.subscription import SECRET_PREFIX, Credentials, Retiring, generate_secret
from workers.delivery.answer import ANSWER_KEPT, keep_answer, show_answer
from workers.outgoing.transport import ANSWER_READ

KEY = 'k"ey\\1'
PASSWORD = "pä/ss <&> 𝄞"
CREDENTIALS = Credentials(secret=generate_secret(), basic=("user", PASSWORD), headers={"X-API-Key": KEY})


def shown(text: str) -> str:
    """Return what is kept of an answer by who got these credentials."""
    return show_answer(text.encode(), CREDENTIALS)


@pytest.mark.parametrize("secret", [KEY, PASSWORD])
@pytest.mark.parametrize(
    "spell",
    [
        str,
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        lambda text: json.dumps(text)[1:-1].replace("\\u00e4", "\\u00E4").replace("/", "\\/"),
        lambda text: json.dumps(text)[1:-1].replace('\\"', "\\u0022").replace("<", "\\u003c").replace("&", "\\u0026"),
        urllib.parse.quote,
        urllib.parse.quote_plus,
        lambda text: urllib.parse.quote(text, safe="").lower().replace("%5c1", "%5C1"),
        html.escape,
        lambda text: html.escape(text).replace("&quot;", "&#34;"),
    ],
    ids=["itself", "json", "json-utf8", "php", "dotnet", "percent", "form", "small-hex", "html", "html-numbers"],
)
def test_no_spelling_of_a_credential_is_kept(secret: str, spell: object) -> None:
    """A receiver repeats what it was sent in its own way of writing; none of them is kept."""
    assert callable(spell)
    assert shown(f'{{"got": "{spell(secret)}"}} and no more') == '{"got": "[hidden]"} and no more'


def test_header_of_one_byte_a_character_is_not_kept() -> None:
    """A header goes out in ISO 8859-1: quoted as it came it is no UTF-8."""
    credentials = Credentials(secret=generate_secret(), headers={"X-API-Key": "schlüssel"})
    for content in ("schlüssel".encode("latin-1"), b"schl%FCssel", b"schl%fcssel"):
        assert show_answer(b"no: " + content, credentials) == "no: [hidden]"


def test_token_without_its_scheme_is_not_kept() -> None:
    """A receiver that refuses a token quotes it without the word before it."""
    credentials = Credentials(secret=generate_secret(), headers={"Authorization": "Bearer  to-ken/1"})
    assert show_answer(b"token to-ken/1 (to-ken%2F1) has ended", credentials) == "token [hidden] ([hidden]) has ended"


def test_signing_secrets_are_not_kept() -> None:
    """A receiver that says by which secret it verified does not write it into the log, nor the key within."""
    present, former = generate_secret(), generate_secret()
    credentials = Credentials(secret=present, retiring=(Retiring(former, 0.0),))
    for secret in (present, former):
        key = secret.removeprefix(SECRET_PREFIX)
        said = f"tried {secret}, {key}, {key.rstrip('=')} and {urllib.parse.quote(secret, safe='')}"
        assert show_answer(said.encode(), credentials) == "tried [hidden], [hidden], [hidden] and [hidden]"


def test_what_only_begins_like_a_credential_stays() -> None:
    """Hidden is what was sent, and nothing else."""
    assert shown('k"e and pä, %70') == 'k"e and pä, %70'


def test_credential_at_the_end_of_what_is_read_is_not_kept() -> None:
    """A long header that is repeated twice is cut where reading ends: its beginning is as good as half of it."""
    token = "".join(f"token{number:04}" for number in range(300))
    credentials = Credentials(secret=generate_secret(), headers={"Authorization": token})
    content = f"got {token} that is {token}".encode()[:ANSWER_READ]
    assert len(content) == ANSWER_READ
    assert keep_answer(show_answer(content, credentials), None) == "got [hidden] that is "


def test_contact_is_not_kept() -> None:
    """Personal data that a receiver was sent stays in the sealed body, wherever its answer quotes it."""
    contact = "José/5 +1 (555) 0100"
    answer = f"{contact} {json.dumps(contact)} {urllib.parse.quote(contact)}"
    assert keep_answer(shown(answer), contact) == '[hidden] "[hidden]" [hidden]'
    assert keep_answer("x" * (ANSWER_KEPT - 5) + contact, contact) == "x" * (ANSWER_KEPT - 5) + "[hidd"
    assert keep_answer("taken", None) == "taken"
    assert keep_answer("", contact) is None
