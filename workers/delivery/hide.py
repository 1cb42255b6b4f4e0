"""Hide: what a receiver repeats of what it was sent and must not be kept, however its answer spells it. Pure.

An answer may quote a request as it came, or as JSON, as part of a URL or in a page: in each the same value stands in
other letters. So what is looked for is each character in any of its spellings.
"""

import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache

HIDDEN = "[hidden]"
LEAST = 4  # characters by which the beginning of a value is known
LONGEST_SPELLING = 12  # characters, of one that a surrogate pair stands for


def hide_values(text: str, values: Iterable[str]) -> str:
    """Return the text without these values, the longest looked for first. An empty one is none."""
    wanted = sorted(filter(None, values), key=len, reverse=True)
    return re.sub("|".join(map(spell_value, wanted)), HIDDEN, text) if wanted and text else text


def drop_begun(text: str, values: Iterable[str]) -> str:
    """Return a text that was cut off without the value that it ends in the middle of, if it does."""
    for value in filter(None, values):
        for begun in re.finditer(spell_value(value[:LEAST]), text):
            at = begun.start()
            for character in value:
                found = re.compile(spell_character(character)).match(text, at)
                if found is None:
                    break
                at = found.end()
            if at > len(text) - LONGEST_SPELLING:
                return text[: begun.start()]
    return text


def spell_value(value: str) -> str:
    """Return the expression that finds a value in any spelling."""
    return "".join(map(spell_character, value))


@lru_cache(maxsize=1024)
def spell_character(character: str) -> str:
    """Return the expression that finds a character: itself, or as JSON, percent-encoding or HTML may write it.

    Nobody has a reason to write letters and digits of ASCII in another way. What cannot be printed became a space in
    the answer, and what was no UTF-8 there U+FFFD.
    """
    if character.isascii() and character.isalnum():
        return character
    itself = character if character.isprintable() else " "
    units = character.encode("utf-16-be", "surrogatepass").hex()
    escaped = {
        json.dumps(character)[1:-1],
        "".join("\\u" + units[at : at + 4] for at in range(0, len(units), 4)),
        "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogatepass")),
        html.escape(character),
        f"&#{ord(character)};",
    }
    if character.isascii():
        escaped.add("\\" + itself)  # "\/"
    elif character <= "\xff":
        escaped |= {f"%{ord(character):02x}", "\ufffd"}  # of ISO 8859-1, in which headers are sent
    if character == " ":
        escaped.add("+")
    spellings = sorted(escaped - {itself}, key=len, reverse=True)
    return f"(?:(?i:{'|'.join(map(re.escape, spellings))})|{re.escape(itself)})"
