"""Which columns of a record a stream's `map:` names.

Belongs here: their names, so that a column that is not there is missed before anything is read,
and what being mapped tells of what a column can show of a person. Does not belong here: whether
the mapping is well formed, and what becomes of it (`rapport.mapping`, which sees it first).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.discovery import guess_pii
from connectors.errors import ConfigError

_DIRECT = {
    "name", "given_name", "family_name", "email", "phone",
    "birth_date", "personal_number", "house_number", "street", "postcode", "city",
}  # fmt: skip
"""Columns of a person that say who it is."""
_REFERENCES = {"person", "to_person", "owner", "organization", "parent", "external_id"}


def mapped_columns(raw: Any) -> list[str]:
    """Return every column that a `map:` as it is written names, each once, in its order."""
    return list(dict.fromkeys(name for _, _, name in _named(raw)))


def guess_column(name: str, raw: Any) -> tuple[str, str]:
    """Guess the `pii` class of a database's or an export's column; return it with its ground.

    Args:
        name: of the column.
        raw: the stream's `map:` as it is written, or None.
    """
    uses = [(to, target) for to, target, column in _named(raw) if column == name]
    told = next((target for to, target in uses if to == "person" and target in _DIRECT), None)
    if told is not None:
        return "direct", f"guess: mapped to `{told}` of a person"
    pii, basis = guess_pii(name)
    if pii == "none" and name.lower() == "name":
        return "direct", "guess: `name` in the name"
    if pii == "none" and (found := [t for to, t in uses if _is_reference(to, t)]):
        return "pseudonym", f"guess: mapped to `{found[0]}`"
    return pii, basis


def _is_reference(to: str, target: str) -> bool:
    return target in _REFERENCES or (to, target) == ("person", "id")


def check_taken(place: str, raw: Any, taken: Sequence[str]) -> None:
    """Raise `ConfigError`, naming `place`, if a mapped column is not on the allow-list `taken`."""
    left_out = [name for name in mapped_columns(raw) if name not in taken]
    if left_out and "*" not in taken:
        raise ConfigError(
            f"{place}: `map` names the column `{left_out[0]}`, which `fields` leaves out. "
            "Add it there."
        )


def _named(raw: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (target, its column, column of the record); the second is empty in `where`."""
    for one in raw if isinstance(raw, list) else [raw]:
        if not isinstance(one, Mapping):
            continue
        for target, told in (one.get("columns") or {}).items():
            spec = told if isinstance(told, Mapping) else {"first_of": told}
            found = spec.get("column") or spec.get("first_of") or []
            for name in [found] if isinstance(found, str) else found:
                kept = name.get("name", "") if isinstance(name, Mapping) else name
                yield one.get("to", ""), target, kept
        yield from ((one.get("to", ""), "", name) for name in one.get("where") or {})
