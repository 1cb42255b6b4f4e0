"""The enrichers of the configuration, from where the doctor stands: plug-ins, and the servers of order look-ups."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from console.diagnosis.check import DAYS_LEFT, Check
from schemas.settings.enrichers import Enrichment, Lookup, Plugin
from schemas.settings.plugins import PluginUnusable, find_plugin
from schemas.settings.secret import ConfigurationError
from schemas.settings.sources import Basic


def check_enrichers(settings: Enrichment) -> Iterator[Check]:
    """Check each plug-in and each order look-up. None is asked anything."""
    for plugin in settings.plugins:
        yield check_plugin(plugin)
    for lookup in settings.lookups:
        yield check_lookup(lookup)


def check_plugin(plugin: Plugin) -> Check:
    """Check that a plug-in can be imported and called as enrichers are."""
    name = f"plug-in {plugin.name}"
    try:
        find_plugin(plugin.name)
    except PluginUnusable as error:
        return Check(name, False, f"{error}; install it beside the workers, and where you call this command")
    return Check(name, True, "can be called" + (", in the enrich workers" if plugin.remote else ""))


def check_lookup(lookup: Lookup) -> Check:
    """Check that the secret of a look-up is there, its server answers, and its certificate is that of its name."""
    name = f"look-up {lookup.name}"
    try:
        reveal_credential(lookup)
        return Check(name, True, reach_server(lookup))
    except ConfigurationError as error:
        return Check(name, False, str(error))
    except ssl.SSLError as error:
        why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason
        return Check(name, False, f"the certificate is refused ({why}); service_ca trusts an authority of yours")
    except (OSError, ValueError) as error:  # ValueError: a name that can be no host's
        kind = "no answer in time" if isinstance(error, TimeoutError) else getattr(error, "strerror", None)
        return Check(name, False, f"its server cannot be reached from here ({kind or type(error).__name__})")


def reveal_credential(lookup: Lookup) -> None:
    """Raise ConfigurationError unless the look-up's secret is there."""
    credential = lookup.credential
    if credential is not None:
        secret = credential.password if isinstance(credential, Basic) else credential.value
        secret.reveal(f"enrichment.lookups.{lookup.name}.credential")


def reach_server(lookup: Lookup) -> str:
    """Connect as a look-up does, and say what was found. Sends nothing. Raises OSError; ssl.SSLError is one."""
    parts = urlsplit(lookup.url)
    host = parts.hostname or ""
    encrypted = parts.scheme == "https"
    with socket.create_connection((host, parts.port or (443 if encrypted else 80)), lookup.timeout) as plain:
        if not encrypted:
            return "answers; not encrypted, as allow_http allows"
        context = ssl.create_default_context(cafile=lookup.service_ca or DEFAULT_CA_BUNDLE_PATH)
        with context.wrap_socket(plain, server_hostname=host) as wrapped:
            ends = ssl.cert_time_to_seconds(str((wrapped.getpeercert() or {})["notAfter"]))
    days = (ends - datetime.now(UTC).timestamp()) / 86400
    soon = "" if days > DAYS_LEFT else "; its owner should renew it"
    return f"answers; certificate verified, {days:.0f} days left{soon}"
