"""Read a length of time as people write it: 24h, 90m, 2d, 45s, or seconds without a unit."""

import re

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST = 366 * 86_400


def parse_duration(text: str) -> float:
    """Return the seconds. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,9})\s*([smhd]?)", text.strip())
    seconds = int(found[1]) * UNITS[found[2]] if found else LONGEST + 1
    if seconds > LONGEST:
        raise ValueError("a length of time such as 24h, 90m or 2d, a year at most")
    return float(seconds)
