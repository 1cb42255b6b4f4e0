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
    decode = json.JSONDecoder.decode

    def decode_or_die(decoder: json.JSONDecoder, text: str, *where: Any) -> Any:  # noqa: ANN401 - the signature of json's
        """Decode, unless the text holds the marker. Every decoder comes by here, that of `json.loads` too."""
        if MARKER in text:
            os.kill(os.getpid(), signal.SIGSEGV)
        return decode(decoder, text, *where)

    json.JSONDecoder.decode = decode_or_die  # type: ignore[method-assign, assignment]  # it takes whatever the original takes
