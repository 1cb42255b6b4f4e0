"""What the configuration names: secrets and certificates."""

from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from console.diagnosis.check import Check, check_expiry
from schemas.configuration import Configuration, Tls
from schemas.keyring import load_keyring
from schemas.secret import ConfigurationError, Secret
from schemas.sources import Basic

SHORTEST_TOKEN = 24  # characters of the console's token


def check_secrets(configuration: Configuration) -> Iterator[Check]:
    """Check that every secret the configuration names is there, and that nobody guesses the console's token."""
    secrets: dict[str, Secret] = {}
    if configuration.console:
        secrets["console.token"] = configuration.console.token
    for source in configuration.sources:
        for credential in source.credentials:
            named = f"sources.{source.name}.{'password' if isinstance(credential, Basic) else credential.name}"
            secrets[named] = credential.password if isinstance(credential, Basic) else credential.value
    absent = []
    for name, secret in secrets.items():
        try:
            if len(secret.reveal(name)) < SHORTEST_TOKEN and name == "console.token":
                absent.append(f"{name} is short enough to be guessed; make another with `openssl rand -hex 32`")
        except ConfigurationError as error:
            absent.append(str(error))
    try:
        load_keyring(configuration.sealing)
    except ConfigurationError as error:
        absent.append(str(error))
    yield Check("secrets", not absent, "; ".join(absent) or f"{len(secrets) + 2} present")


def check_certificates(tls: Tls | None) -> Iterator[Check]:
    """Check the door's certificate files and the days they have left."""
    if tls is None:
        yield Check("certificates", True, "none configured: a proxy ends TLS")
        return
    for name, path in (("tls.certificate", tls.certificate), ("tls.client_ca", tls.client_ca)):
        try:
            certificates = x509.load_pem_x509_certificates(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            yield Check(name, False, f"{path} cannot be read ({error})")
            continue
        yield check_expiry(name, min(certificate.not_valid_after_utc for certificate in certificates))
    yield check_readable("tls.key", tls.key)
    if tls.crl:
        try:
            crl = x509.load_pem_x509_crl(Path(tls.crl).read_bytes())
        except (OSError, ValueError) as error:
            yield Check("tls.crl", False, f"{tls.crl} cannot be read ({error})")
        else:
            if crl.next_update_utc is not None:
                yield check_expiry("tls.crl", crl.next_update_utc, days_needed=0)


def check_readable(name: str, path: str) -> Check:
    """Check that a file can be read, without looking into it."""
    try:
        with Path(path).open("rb"):
            return Check(name, True, "readable")
    except OSError as error:
        return Check(name, False, f"{path} cannot be read ({error.strerror})")
