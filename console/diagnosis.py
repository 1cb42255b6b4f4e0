"""The checks of `alert-intake doctor`: each says what it looked at, whether that is well, and what to do if not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from console.connections import Database, open_database, open_redis
from console.unreachable import Unreachable
from schemas.configuration import Configuration, Journal, Tls, load_configuration, require_address
from schemas.durability import examine_durability, read_info
from schemas.keyring import load_keyring
from schemas.secret import ConfigurationError, Secret
from schemas.sources import Basic

DAYS_LEFT = 14
CLOCK_SECONDS = 2.0
POSTGRES_VERSION = 150000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `found` is what is there, and when it is not well, what to do."""

    name: str
    well: bool
    found: str


def examine(pending_migrations: Callable[[str], list[str]]) -> Iterator[Check]:
    """Yield every check, in the order in which one would mend them. A server that does not answer is a check, too."""
    settings = Journal()
    try:
        configuration = load_configuration()
        settings = configuration.journal
        yield Check("configuration", True, f"{len(configuration.sources)} sources")
        yield from check_secrets(configuration)
        yield from check_certificates(configuration.tls)
    except ConfigurationError as error:
        yield Check("configuration", False, str(error))
    run_ids: dict[str, str] = {}
    for variable in ("JOURNAL_URL", "BROKER_URL"):
        try:
            with open_redis(variable) as client:
                run_ids[variable] = read_info(client, "server").get("run_id", "")
                if variable == "JOURNAL_URL":
                    for finding in examine_durability(client, settings):
                        yield Check(f"journal {finding.name}", finding.well, finding.found)
                else:
                    yield Check("broker", True, "answers")  # nothing in it matters
                seconds, microseconds = client.time()
                yield check_clock(f"clock of {variable}", datetime.fromtimestamp(seconds + microseconds / 1e6, UTC))
        except (Unreachable, ConfigurationError) as error:
            yield Check(variable, False, str(error))
    if len(run_ids) == 2:
        apart = len(set(run_ids.values())) == 2  # whatever names and databases the addresses give
        advice = "two" if apart else "one and the same: a full journal would stop the ticks that drain it; use two"
        yield Check("journal and broker are different instances", apart, advice)
    try:
        with open_database() as database:
            yield from check_postgres(database)
            pending = pending_migrations(require_address("DATABASE_URL"))
            yield Check("migrations", not pending, f"missing: {', '.join(pending)}; run `alert-intake migrate`"
                        if pending else "all applied")  # fmt: skip
    except (Unreachable, ConfigurationError) as error:
        yield Check("DATABASE_URL", False, str(error))


def check_secrets(configuration: Configuration) -> Iterator[Check]:
    """Check that every secret the configuration names is there."""
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
            secret.reveal(name)
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


def check_expiry(name: str, ends: datetime, days_needed: int = DAYS_LEFT) -> Check:
    """Check that something is valid for long enough."""
    days = (ends - datetime.now(UTC)).total_seconds() / 86400
    return Check(name, days > days_needed, f"{days:.0f} days left" + ("; renew it" if days <= days_needed else ""))


def check_readable(name: str, path: str) -> Check:
    """Check that a file can be read, without looking into it."""
    try:
        with Path(path).open("rb"):
            return Check(name, True, "readable")
    except OSError as error:
        return Check(name, False, f"{path} cannot be read ({error.strerror})")


def check_postgres(database: Database) -> Iterator[Check]:
    """Check that the database keeps what it commits, and is new enough."""
    row = database.execute(SELECT_SETTINGS).fetchone() or {}
    new_enough = row["version"] >= POSTGRES_VERSION
    yield Check("postgres version", new_enough, row["shown"] + ("" if new_enough else ": 15 or newer is needed"))
    for name, wanted in (
        ("fsync", {"on"}),
        ("full_page_writes", {"on"}),
        ("synchronous_commit", {"on", "remote_write", "remote_apply"}),
    ):
        well = row[name] in wanted
        advice = "" if well else ": a power failure could undo what was committed; set it on"
        yield Check(f"postgres {name}", well, row[name] + advice)
    yield check_clock("clock of DATABASE_URL", row["clock"])


def check_clock(name: str, theirs: datetime) -> Check:
    """Check that a server's clock and ours agree within two seconds."""
    apart = abs((theirs - datetime.now(UTC)).total_seconds())
    well = apart < CLOCK_SECONDS
    return Check(name, well, f"{apart:.2f} s apart" + ("" if well else "; let both hosts use NTP"))


SELECT_SETTINGS = """
    SELECT current_setting('server_version_num')::integer AS version, current_setting('server_version') AS shown,
           current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
           current_setting('synchronous_commit') AS synchronous_commit, clock_timestamp() AS clock
"""
