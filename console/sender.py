"""Be a sender: push a body through the door over mutual TLS, as Ethoca or a reseller would."""

import re
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson
import requests

from console.unreachable import Unreachable
from schemas.settings.secret import ConfigurationError

TIMEOUT = 30.0  # seconds; as long as Ethoca waits
_RESELLER = re.compile(rb'"(?:payload|providerId)"\s*:')


@dataclass(frozen=True, slots=True)
class Answer:
    """How the door answered one push. `milliseconds` is the sender's own waiting time."""

    status: int
    body: Any
    request_id: str | None
    milliseconds: float

    @property
    def acknowledged(self) -> bool:
        """Whether every alert of the push was acknowledged: the status says so, and no item of a list failed."""
        if self.status != requests.codes.ok or not isinstance(self.body, dict):
            return False
        answers = [self.body, *(item for item in self.body.get("alerts", ()) if isinstance(item, dict))]
        return not any(str(answer.get("status", "")).lower().startswith("fail") for answer in answers)


def guess_source(body: bytes) -> str:
    """Guess who would send this body, by names that only a reseller's envelope has."""
    return "reseller" if _RESELLER.search(body) else "ethoca"


class Sender:
    """A sender with one connection, kept alive. `settings` are those of ``var/run.env``. Raises ConfigurationError."""

    def __init__(self, source: str, settings: Mapping[str, str]) -> None:
        self._url = require(settings, "PUSH_URL").rstrip("/") + f"/push/{source}"
        self._headers = {"Content-Type": "application/json", **authenticate(source, settings)}
        certificate = (settings.get("CLIENT_CERT", ""), settings.get("CLIENT_KEY", ""))
        self._session = requests.Session()
        self._session.trust_env = False  # neither proxies nor .netrc: the certificate and header given here, no others
        self._session.verify = settings.get("CA_CERT") or True
        self._session.cert = certificate if all(certificate) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def push(self, body: bytes) -> Answer:
        """Push one body. Raises Unreachable or ConfigurationError."""
        began = time.perf_counter()
        try:
            answer = self._session.post(
                self._url, data=body, headers=self._headers, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.exceptions.SSLError as error:
            raise Unreachable(
                f"{self._url}: no TLS connection ({reason_of(error)}); check CA_CERT and CLIENT_CERT"
            ) from error
        except requests.RequestException as error:
            raise Unreachable(f"{self._url}: the door does not answer ({reason_of(error)}); is it up?") from error
        except OSError as error:
            raise ConfigurationError(f"CA_CERT, CLIENT_CERT or CLIENT_KEY cannot be read ({error})") from error
        milliseconds = (time.perf_counter() - began) * 1000
        return Answer(answer.status_code, read_answer(answer), answer.headers.get("X-Request-Id"), milliseconds)


def authenticate(source: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the header by which this source proves itself; none when none is set: the certificate alone, then."""
    basic = settings.get(f"{source.upper()}_BASIC")
    if basic:
        return {"Authorization": "Basic " + b64encode(basic.encode()).decode()}
    key = settings.get(f"{source.upper()}_API_KEY")
    return {"X-API-Key": key} if key else {}


def read_answer(answer: requests.Response) -> object:
    """Return the answer's JSON, or its text when it is none."""
    try:
        return orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return answer.text[:1000]


def require(settings: Mapping[str, str], name: str) -> str:
    """Return a setting. Raises ConfigurationError."""
    if not settings.get(name):
        raise ConfigurationError(f"{name} is not set; start `make run`, or set it as in its var/run.env")
    return settings[name]


def reason_of(error: Exception) -> str:
    """Return the innermost reason of a failed request, on one line."""
    reason: object = error
    while isinstance(reason, Exception) and reason.args:
        inner = getattr(reason, "reason", None) or reason.args[0]
        if not isinstance(inner, Exception):
            break
        reason = inner
    return " ".join(str(reason).split())[:200]
