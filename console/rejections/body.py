"""Show the body of a rejection: as it came, without control characters, and without card numbers however written.

JSON may write any character as an escape, so a card number may stand in a body with not two of its digits side by side.
They are found in readings of the body, as whoever takes it apart would read it, and masked where they came from.
"""

import json
import re
from collections.abc import Iterator, Sequence

from console.report import strip_controls
from schemas.alert.cards import mask_cards

# An escape of JSON, for a character beyond U+FFFF a pair of them.
_PAIR = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf'\\(?:{_PAIR}|u[0-9a-fA-F]{{4}}|["\\/bfnrt])')
LEVELS = 3  # of JSON within a text of JSON
_BLANKS = dict.fromkeys((*range(32), *range(127, 160)), " ")

# A text, and for each of its characters, and for its end, where in the body it begins.
Reading = tuple[str, Sequence[int]]


def show_body(body: bytes) -> str:
    """Return a body as text fit for a screen: no control characters, no card numbers, broken UTF-8 replaced."""
    text = body.decode("utf-8", errors="replace")
    shown: list[str] = []
    done = 0
    for begin, end in find_digits(text):
        if begin >= done:
            shown += text[done:begin], "*"
            done = end
    return strip_controls("".join((*shown, text[done:])))


def find_digits(text: str) -> list[tuple[int, int]]:
    """Return where the digits to be masked begin and end: in order, what encloses another before it."""
    found: set[tuple[int, int]] = set()
    for copy, places in read_text(text):
        masked = mask_cards(copy)
        if masked != copy:
            changed = (nth for nth, (before, after) in enumerate(zip(copy, masked, strict=True)) if before != after)
            found.update((places[nth], places[nth + 1]) for nth in changed)
    return sorted(found, key=lambda span: (span[0], -span[1]))


def read_text(text: str) -> Iterator[Reading]:
    """Yield the readings: control characters are blanks in some, nothing in others, and escapes are undone or not."""
    reading: Reading = (text.translate(_BLANKS), range(len(text) + 1))
    yield from undo_escapes(reading)
    if strip_controls(text) != text:
        places = [place for place, character in enumerate(text) if strip_controls(character)]
        yield from undo_escapes(("".join(text[place] for place in places), [*places, len(text)]))


def undo_escapes(reading: Reading) -> Iterator[Reading]:
    """Yield a reading, and what it is with its escapes undone, level by level."""
    yield reading
    for _ in range(LEVELS):
        copy, places = reading
        pieces: list[str] = []
        kept: list[int] = []
        done = 0
        for match in _ESCAPE.finditer(copy):
            begin, end = match.span()
            pieces += copy[done:begin], json.loads(f'"{match[0]}"').translate(_BLANKS)
            kept.extend(places[done : begin + 1])
            done = end
        if not done:
            return
        reading = "".join((*pieces, copy[done:])), [*kept, *places[done:]]
        yield reading
