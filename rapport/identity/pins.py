"""What people know of somebody better than every source.

Belongs here: reading `identity/pins.csv`. Does not belong here: which value of several is shown
where nobody pinned one (`dim_person_field`, `dim_organization_field`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from connectors.errors import ConfigError
from rapport.identity.ledger import PREFIXES
from rapport.identity.lines import FOLDER, choice, day, digested, rows

PINS = f"{FOLDER}/pins.csv"
FIELDS = {
    "person": (
        *("display_name", "given_name", "family_name"),
        *("primary_email", "primary_phone", "title"),
    ),
    "organization": ("name", "industry"),
}
"""What can be pinned, as `dim_person` and `dim_organization` call it."""

_COLUMNS = ("subject", "field", "value", "reason", "author", "date")


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One line of pins.csv.

    `subject` is a profile key, or the id of a person or an organization, retired or not.
    """

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
        choice(where, "field", row["field"], [name for names in FIELDS.values() for name in names])
        [entity] = [entity for entity, names in FIELDS.items() if row["field"] in names]
        is_id = re.fullmatch(rf"{PREFIXES[entity]}_[0-9a-f]{{16}}", row["subject"])
        if not is_id and row["subject"].count(":") < 2:
            raise ConfigError(
                f"{where}: `subject` is `{row['subject']}`; write the id of the {entity}, like "
                f"`{PREFIXES[entity]}_0123456789abcdef`, or a profile key like "
                "`crm:contacts:0035g00000AbCdEEAV`."
            )
        pin = Pin(
            line=line,
            subject=digested(row["subject"]),
            field=row["field"],
            value=row["value"],
            since=day(where, "date", row["date"]),
        )
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
