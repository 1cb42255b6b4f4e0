"""The table of merchants: a CSV file that says whose alert it is, by descriptor, MID or member id."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from schemas.alert.alert import Facts
from schemas.settings.secret import ConfigurationError

COLUMNS = ("match", "value", "merchant_id", "name")
MATCHES = ("mid", "member_id", "descriptor")


@dataclass(frozen=True, slots=True)
class Merchant:
    """A line of the table."""

    merchant_id: str
    name: str


@dataclass(slots=True)
class MerchantTable:
    """The merchants by (match, value); descriptors with a `*` at the end stand apart, by what comes before it."""

    exact: dict[tuple[str, str], Merchant] = field(default_factory=dict)
    prefixes: dict[str, Merchant] = field(default_factory=dict)
    lengths: list[int] = field(default_factory=list)

    def find_merchant(self, facts: Facts) -> tuple[Merchant, str] | None:
        """Return the merchant and what it was found by: the MID first, then the member id, then the descriptor.

        A descriptor that stands in the table as it is counts more than one with `*`, a longer such more than a shorter.
        """
        if not self.exact and not self.lengths:
            return None
        keys = (
            ("mid", facts.get("merchant_id")),
            ("mid", facts.get("caid")),
            ("member_id", facts.get("member_id")),
            ("descriptor", facts.get("merchant_descriptor")),
        )
        for match, value in keys:
            found = self.exact.get((match, fold_value(match, value))) if value else None
            if found:
                return found, match
        descriptor = fold_value("descriptor", facts.get("merchant_descriptor", "")) if self.lengths else ""
        for length in self.lengths:
            found = self.prefixes.get(descriptor[:length])
            if found:
                return found, "descriptor"
        return None


def fold_value(match: str, value: str) -> str:
    """Fold what may differ in a descriptor: case and blanks. An id is compared as it is."""
    return " ".join(value.upper().split()) if match == "descriptor" else value.strip()


def load_merchants(path: str) -> MerchantTable:
    """Read the table: UTF-8 CSV, its first line names the columns match, value, merchant_id, name.

    `match` is descriptor, mid or member_id. Only a `*` at the end of a descriptor stands for anything; one inside is a
    character, as card networks use it (`EXAMPLE*STORE`). Raises ConfigurationError, naming the line.
    """
    table = MerchantTable()
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", strict=True)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise ConfigurationError(f"{path}, line 1: the column {missing[0]} is missing")
            for row in reader:
                try:
                    add_line(table, row)
                except ValueError as error:
                    raise ConfigurationError(f"{path}, line {reader.line_num}: {error}") from error
    except csv.Error as error:
        raise ConfigurationError(f"{path}, line {reader.reader.line_num}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: the table of merchants cannot be read ({error})") from error
    table.lengths = sorted({len(prefix) for prefix in table.prefixes}, reverse=True)
    return table


def add_line(table: MerchantTable, row: dict[str, str | None]) -> None:
    """Add one line to the table. Raises ValueError with the reason when it cannot be used."""
    if "" in row:
        raise ValueError("more values than columns")
    if any("\0" in (value or "") for value in row.values()):
        raise ValueError("a NUL character")
    match, value, merchant_id, name = ((row[column] or "").strip() for column in COLUMNS)
    if match not in MATCHES:
        raise ValueError(f"match is {match!r}, not one of {', '.join(MATCHES)}")
    folded = fold_value(match, value.removesuffix("*") if match == "descriptor" else value)
    if not folded:
        raise ValueError("value is empty" if not value else "value is only a *, which would match every alert")
    if not merchant_id:
        raise ValueError("merchant_id is empty")
    merchant = Merchant(merchant_id, name)
    if match == "descriptor" and value.endswith("*"):
        before = table.prefixes.setdefault(folded, merchant)
    else:
        before = table.exact.setdefault((match, folded), merchant)
    if before != merchant:
        raise ValueError(f"{match} {value!r} already belongs to merchant {before.merchant_id!r}")
