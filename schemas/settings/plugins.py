"""Plug-ins: functions of installed packages, found by entry point. When one is usable."""

import inspect
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

GROUP = "alert_intake.enrichers"


class PluginUnusable(Exception):
    """There is no plug-in under this name that could be called. The message says why, without quoting its code."""


def find_plugin(name: str) -> Callable[..., Any]:
    """Import the plug-in that is installed under this name. Raises PluginUnusable."""
    found = entry_points(group=GROUP, name=name)
    if len({point.value for point in found}) != 1:
        raise PluginUnusable(f"{len(found)} are installed under this name in {GROUP}")
    try:
        plugin: object = next(iter(found)).load()
    except Exception as error:
        raise PluginUnusable(f"it cannot be imported: {type(error).__name__}") from error
    if not callable(plugin):
        raise PluginUnusable("it is no function")
    try:
        inspect.signature(plugin).bind("alert", "rules")
    except TypeError as error:
        raise PluginUnusable("it cannot be called with an alert and rules") from error
    except ValueError:
        pass  # written in C, it may have no signature to look at
    return plugin
