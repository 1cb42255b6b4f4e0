"""What the configuration names: secrets and certificates."""

from collections.abc import Iterator
from pathlib import Path

from console.diagnosis.check import DAYS_LEFT, Check, check_expiry
from schemas.keyring import load_keyring
from schemas.settings.certificates import read_expiries
from schemas.settings.configuration import Configuration, Tls
from schemas.settings.door import Proxy
from schemas.settings.secret import ConfigurationError, Secret
from schemas.settings.sources import Basic

FRONT = (
    "ends TLS with the files as it read them last; when they have changed, have it read them again (nginx -s reload)"
)
SHORTEST_TOKEN = 24  # characters of the console's token
SHORTEST_SECRET = 16  # of a source's credential that stands alone, without a certificate


def check_secrets(configuration: Configuration) -> Iterator[Check]:
    """Check that every secret the configuration names is there, and that none is guessed that stands alone."""
    secrets: dict[str, Secret] = {}
    shortest: dict[str, int] = {}
    if configuration.console:
        secrets["console.token"] = configuration.console.token
        shortest["console.token"] = SHORTEST_TOKEN
    for source in configuration.sources:
        for credential in source.credentials:
            named = f"sources.{source.name}.{'password' if isinstance(credential, Basic) else credential.name}"
            secrets[named] = credential.password if isinstance(credential, Basic) else credential.value
            shortest[named] = SHORTEST_SECRET if source.certificate == "optional" else 0
    absent = []
    for name, secret in secrets.items():
        try:
            if len(secret.reveal(name)) < shortest[name]:
                absent.append(f"{name} is short enough to be guessed; make another with `openssl rand -hex 32`")
        except ConfigurationError as error:
            absent.append(str(error))
    try:
        load_keyring(configuration.sealing)
    except ConfigurationError as error:
        absent.append(str(error))
    yield Check("secrets", not absent, "; ".join(absent) or f"{len(secrets) + 2} present")


def check_certificates(tls: Tls | None, front: Proxy | None) -> Iterator[Check]:
    """Check the door's certificate files and the days they have left. nginx in front reads its own by itself."""
    if tls is None:
        yield Check("certificates", True, "none configured: a proxy ends TLS")
        return
    yield check_readable("tls.key", tls.key)
    for expiry in read_expiries(tls):
        if expiry.fault is not None:
            yield Check(f"tls.{expiry.file}", False, expiry.fault)
        elif expiry.ends is not None:
            # A list is replaced when it is due, not weeks before.
            yield check_expiry(f"tls.{expiry.file}", expiry.ends, 0 if expiry.file == "crl" else DAYS_LEFT)
    if front is not None and front.header == "nginx":
        yield Check("proxy in front", True, FRONT)


def check_readable(name: str, path: str) -> Check:
    """Check that a file can be read, without looking into it."""
    try:
        with Path(path).open("rb"):
            return Check(name, True, "readable")
    except OSError as error:
        return Check(name, False, f"{path} cannot be read ({error.strerror})")
