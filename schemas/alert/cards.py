"""Card numbers: known by their network, its lengths and the Luhn sum; masked wherever they stand in clear text.

The number ranges are those that the networks publish (issuer identification numbers, ISO/IEC 7812). Where ranges
overlap the longer prefix wins.
"""

import re
from itertools import accumulate, chain, zip_longest

# Network, first and last prefix of a range (both included, equally long), lengths of its card numbers in digits.
_RANGES: tuple[tuple[str, int, int, tuple[int, ...]], ...] = (
    ("visa", 4, 4, (13, 16, 19)),
    ("mastercard", 51, 55, (16,)),
    ("mastercard", 2221, 2720, (16,)),
    ("amex", 34, 34, (15,)),
    ("amex", 37, 37, (15,)),
    ("discover", 6011, 6011, (16, 17, 18, 19)),
    ("discover", 644, 649, (16, 17, 18, 19)),
    ("discover", 65, 65, (16, 17, 18, 19)),
    ("diners", 300, 305, (14, 15, 16, 17, 18, 19)),
    ("diners", 3095, 3095, (14, 15, 16, 17, 18, 19)),
    ("diners", 36, 36, (14, 15, 16, 17, 18, 19)),
    ("diners", 38, 39, (14, 15, 16, 17, 18, 19)),
    ("jcb", 3528, 3589, (16, 17, 18, 19)),
    ("unionpay", 62, 62, (16, 17, 18, 19)),
    ("unionpay", 810, 817, (16, 17, 18, 19)),
    ("maestro", 50, 50, (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", 56, 58, (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", 639, 639, (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", 67, 67, (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", 6304, 6304, (13, 14, 15, 16, 17, 18, 19)),
    ("mir", 2200, 2205, (16, 17, 18, 19)),
    ("rupay", 60, 60, (16,)),
    ("rupay", 82, 82, (16,)),
    ("rupay", 508, 508, (16,)),
    ("troy", 9792, 9792, (16,)),
    ("elo", 636368, 636368, (16,)),
    ("hipercard", 637095, 637095, (16,)),
    ("napas", 9704, 9704, (16, 19)),
    ("uzcard", 8600, 8600, (16,)),
    ("humo", 9860, 9860, (16,)),
)
_PREFIXES = {
    str(prefix): (network, lengths) for network, first, last, lengths in _RANGES for prefix in range(first, last + 1)
}
_PREFIX_LENGTHS = sorted({len(prefix) for prefix in _PREFIXES}, reverse=True)

SHORTEST, LONGEST = 13, 19
# What people write between the digits of a card number: spaces, dashes, dots and the like, and what is not seen at all
# (soft hyphens, blanks without a width), up to three at once. Up to five between groups of three digits or more; with
# fewer, as in dates, what is so far apart does not belong together.
_BLANK = r"[\s._/+\-\u00ad\u200b-\u200d\u2010-\u2015\u2060\u2212\ufeff\uff0d]"
_WIDE = rf"(?<=\d\d\d){_BLANK}{{4,5}}(?=\d\d\d)"
# What stands in lists, too, only between groups of four.
_LISTED = rf"(?<=(?<!\d)\d{{4}}){_BLANK}?[,:|]{_BLANK}?(?=\d{{4}}(?!\d))"
_GAP = rf"(?:{_BLANK}{{1,3}}|{_WIDE}|{_LISTED})"
_UUID = r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9A-Za-z])"
_CANDIDATE = re.compile(rf"(?<!\d)\d(?:\d|{_GAP}\d){{12,18}}(?!\d)")
_UUID_OR_RUN = re.compile(rf"({_UUID})|\d+(?:{_GAP}\d+)*")


def card_network(digits: str) -> str | None:
    """Return the network of a card number or BIN (its first 6 digits or more), or None when no known range holds it."""
    found = _range_of(digits)
    return found[0] if found else None


def mask_cards(text: str) -> str:
    """Return the text with every card number masked: 4111111111111111 becomes 411111******1111. Its length is kept.

    A card number is 13 to 19 digits, perhaps with spaces, dashes and the like between, not next to a further digit,
    that begin as those of a known network do, are as many, and have a right Luhn sum. Longer runs (an ARN) and UUIDs
    stay.
    """
    return _UUID_OR_RUN.sub(_mask_run, text) if _CANDIDATE.search(text) else text


def _mask_run(match: re.Match[str]) -> str:
    """Mask in groups of digits: any groups that together make a card number, whatever digits stand before or after."""
    run = match[0]
    if match[1] is not None or len(run) < SHORTEST:
        return run
    places = [place for place, character in enumerate(run) if character.isdecimal()]
    values = [int(run[place]) for place in places]
    digits = "".join(map(str, values))
    starts = [nth for nth, place in enumerate(places) if nth == 0 or place - places[nth - 1] > 1]
    ends = {*starts, len(digits)}
    sums = _luhn_sums(values)
    masked: set[int] = set()
    for start in starts:
        _, lengths = _range_of(digits[start : start + SHORTEST]) or (None, ())
        for length in reversed(lengths):
            # The longest: what stands behind the number might be its security code.
            end = start + length
            if end in ends and (sums[end % 2][end] - sums[end % 2][start]) % 10 == 0:
                masked.update(places[start + 6 : end - 4])
                break
    return "".join("*" if place in masked else character for place, character in enumerate(run)) if masked else run


def _luhn_sums(values: list[int]) -> tuple[list[int], list[int]]:
    """Return the Luhn sums of the digits before each place, for numbers that end at an even place and at an odd one."""
    doubled = [value * 2 - 9 * (value > 4) for value in values]
    even = chain.from_iterable(zip_longest(doubled[::2], values[1::2], fillvalue=0))
    odd = chain.from_iterable(zip_longest(values[::2], doubled[1::2], fillvalue=0))
    return [0, *accumulate(even)], [0, *accumulate(odd)]


def is_card_number(digits: str) -> bool:
    """Tell whether digits begin, are as many, and sum up as those of a card number of a known network."""
    found = _range_of(digits)
    return found is not None and len(digits) in found[1] and has_luhn_sum(digits)


def has_luhn_sum(digits: str) -> bool:
    """Check the last digit by the Luhn algorithm (ISO/IEC 7812-1, annex B)."""
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(value * 2 - 9 * (value > 4) for value in values[1::2])) % 10 == 0


def _range_of(digits: str) -> tuple[str, tuple[int, ...]] | None:
    if not digits.isascii():
        digits = "".join(str(int(digit)) for digit in digits)
    for length in _PREFIX_LENGTHS:
        found = _PREFIXES.get(digits[:length])
        if found:
            return found
    return None
