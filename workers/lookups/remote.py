"""The remote enrichers of a process: what the configuration names, each with its connections, cache and circuit."""

from functools import partial
from typing import Any

import orjson

from schemas.alert.alert import Alert
from schemas.settings.configuration import Configuration
from schemas.settings.enrichers import Lookup, Plugin
from workers.enrichers.enricher import Rules
from workers.enrichers.plugins import load_plugin
from workers.enrichers.rules import load_rules
from workers.lookups.asking import Refused, Remote
from workers.lookups.cache import AnswerCache
from workers.lookups.circuit import Circuit
from workers.lookups.exchange import open_session
from workers.lookups.lookup import look_up_order, name_subject


def open_remotes(configuration: Configuration) -> list[Remote]:
    """Return the remote enrichers, in the order in which they are asked. Raises ConfigurationError."""
    settings = configuration.enrichment
    remotes = [remote_lookup(configuration, lookup) for lookup in settings.lookups]
    plugins = [plugin for plugin in settings.plugins if plugin.remote]
    rules = load_rules(configuration) if plugins else Rules()
    return remotes + [remote_plugin(configuration, plugin, rules) for plugin in plugins]


def remote_lookup(configuration: Configuration, lookup: Lookup) -> Remote:
    """Return an order look-up. Its answer depends on the transaction, whichever alert speaks of it."""
    settings = configuration.enrichment.remote
    return Remote(
        name=lookup.name,
        ask=partial(look_up_order, open_session(lookup, settings.concurrency), lookup),
        subject=name_subject,
        timeout=lookup.timeout,
        cache=AnswerCache(lookup.cache_seconds),
        circuit=Circuit(settings.trip_failures, settings.trip_seconds),
    )


def remote_plugin(configuration: Configuration, plugin: Plugin, rules: Rules) -> Remote:
    """Return a plug-in. What its answer depends on is not known, so it is kept for one alert as it stands."""
    settings = configuration.enrichment.remote
    return Remote(
        name=plugin.name,
        ask=partial(ask_plugin, plugin.name, rules),
        subject=lambda alert: orjson.dumps([alert.id, alert.revision, alert.status, alert.facts]),
        timeout=plugin.timeout,
        cache=AnswerCache(plugin.cache_seconds),
        circuit=Circuit(settings.trip_failures, settings.trip_seconds),
    )


def ask_plugin(name: str, rules: Rules, alert: Alert) -> Any:  # noqa: ANN401 - whatever it returns is checked
    """Run a plug-in on a copy of the alert."""
    enricher = load_plugin(name)
    if enricher is None:
        raise Refused("the plug-in cannot be used")
    return enricher(alert.snapshot(), rules)
