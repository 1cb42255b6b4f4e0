"""Loaded by every Python program of the stack under test: a body with the marker kills the drain that parses it.

What a segmentation fault in a parser would do, on demand. Nothing in the product knows of it.
"""

import json
import os
import signal
import sys
from typing import Any

MARKER = "KILL-WHO-PARSES-THIS"

if "drain" in sys.orig_argv:
    parse = json.loads

    def parse_or_die(text: Any, **options: Any) -> Any:  # noqa: ANN401 - the signature of json's
        """Parse, unless the text holds the marker."""
        found = text.encode() if isinstance(text, str) else bytes(text)
        if MARKER.encode() in found:
            os.kill(os.getpid(), signal.SIGSEGV)
        return parse(text, **options)

    json.loads = parse_or_die  # type: ignore[assignment]  # it takes whatever the original takes
