"""What people know of somebody better than every source.

Belongs here: reading `identity/pins.csv`. Does not belong here: which value of several is shown
where nobody pinned one (`dim_person_field`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from connectors.errors import ConfigError
from rapport.identity.lines import FOLDER, choice, day, rows

PINS = f"{FOLDER}/pins.csv"
FIELDS = ("display_name", "given_name", "family_name", "primary_email", "primary_phone", "title")
"""What can be pinned, as `dim_person` calls it."""

_COLUMNS = ("subject", "field", "value", "reason", "author", "date")
_PERSON = re.compile(r"per_[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One line of pins.csv; `subject` is a profile key or a person's id, retired or not."""

    line: int
    subject: str
    field: str
    value: str
    since: date


def load(folder: Path) -> list[Pin]:
    """Read the file.

    Raises:
        ConfigError: a line cannot be understood, or pins what another pins otherwise.
    """
    pins: dict[tuple[str, str], Pin] = {}
    for line, row in rows(folder, PINS, _COLUMNS):
        where = place(line)
        if not _PERSON.fullmatch(row["subject"]) and row["subject"].count(":") < 2:
            raise ConfigError(
                f"{where}: `subject` is `{row['subject']}`; write a person's id like "
                "`per_0123456789abcdef` or a profile key like `crm:contacts:0035g00000AbCdEEAV`."
            )
        choice(where, "field", row["field"], FIELDS)
        pin = Pin(line=line, subject=row["subject"], field=row["field"], value=row["value"],
                  since=day(where, "date", row["date"]))  # fmt: skip
        other = pins.setdefault((pin.subject, pin.field), pin)
        if other.value != pin.value:
            raise ConfigError(
                f"{where}: `{pin.field}` of `{pin.subject}` has another value in line "
                f"{other.line}. Remove one of them."
            )
    return list(pins.values())


def place(line: int) -> str:
    """Return where a pin stands."""
    return f"{PINS}:{line}"
