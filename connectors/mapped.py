"""Which columns of a record a stream's `map:` names.

Belongs here: the names alone, so that a column that is not there is missed before anything is
read. Does not belong here: what they mean, and whether the mapping is well formed
(`rapport.mapping`, which sees it first).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.errors import ConfigError


def mapped_columns(raw: Any) -> list[str]:
    """Return every column that a `map:` as it is written names, each once, in its order."""
    return list(dict.fromkeys(name for _, name in _named(raw)))


def check_taken(place: str, raw: Any, taken: Sequence[str]) -> None:
    """Raise `ConfigError`, naming `place`, if a mapped column is not on the allow-list `taken`."""
    left_out = [name for name in mapped_columns(raw) if name not in taken]
    if left_out and "*" not in taken:
        raise ConfigError(
            f"{place}: `map` names the column `{left_out[0]}`, which `fields` leaves out. "
            "Add it there."
        )


def _named(raw: Any) -> Iterator[tuple[str, str]]:
    """Yield (column of the target, column of the record); the target's is empty in `where`."""
    for one in raw if isinstance(raw, list) else [raw]:
        if not isinstance(one, Mapping):
            continue
        for target, told in (one.get("columns") or {}).items():
            spec = told if isinstance(told, Mapping) else {"first_of": told}
            found = spec.get("column") or spec.get("first_of") or []
            yield from ((target, name) for name in ([found] if isinstance(found, str) else found))
        yield from (("", name) for name in one.get("where") or {})
