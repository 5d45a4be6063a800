"""Which strategy.yml was in force when, and what each version changed.

Belongs here: the file `<home>/strategy_versions.json`, which only grows, and telling two versions
apart. Does not belong here: what the keys mean (`rapport.strategy`).

A version begins with the first build that reads it. Comments and order make no new one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rapport.config import read_yaml

FILE_NAME = "strategy_versions.json"
NO_VERSION = "none"

Row = tuple[int, str, str, str, str]
"""(number from 1, version, ISO time of the first build that read it, fingerprint, changes)."""


def record(path: Path, home: Path, at: datetime) -> None:
    """Append the strategy at `path` to the versions of `home`, if it is not the last one.

    Nothing is noted as long as there was never a file; its removal is a version, too.
    """
    versions = _read(home)
    values = _flat(read_yaml(path) or {}) if path.exists() else {}
    known = versions[-1]["values"] if versions else {}
    if values == known:
        return
    versions.append({"since": at.isoformat(), "values": values})
    temporary = home / f"{FILE_NAME}.tmp"
    temporary.write_text(json.dumps(versions, indent=1), encoding="utf-8")
    temporary.replace(home / FILE_NAME)


def rows(home: Path) -> list[Row]:
    """Return every version, oldest first; the first one's changes are what it says."""
    found: list[Row] = []
    before: Mapping[str, str] = {}
    for number, version in enumerate(_read(home), 1):
        values = version["values"]
        fingerprint = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
        changes = "; ".join(_changes(before, values))
        name = values.get("version", NO_VERSION)
        found.append((number, name, version["since"], fingerprint, changes))
        before = values
    return found


def _read(home: Path) -> list[dict[str, Any]]:
    path = home / FILE_NAME
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for key in sorted({*before, *after} - {"version"}):
        if key not in after:
            yield f"{key} is gone, was {before[key]}"
        elif key not in before:
            yield f"{key} is {after[key]}"
        elif before[key] != after[key]:
            yield f"{key} is {after[key]}, was {before[key]}"


def _flat(tree: Any, place: str = "") -> dict[str, str]:
    """Return place in dots -> value as text; entries of a list go by what they are called."""
    if isinstance(tree, Mapping):
        pairs = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list) and all(isinstance(one, Mapping) for one in tree):
        pairs = [
            (str(one.get("id", one.get("name", one.get("metric", number)))), one)
            for number, one in enumerate(tree)
        ]
    else:
        return {place: tree if isinstance(tree, str) else json.dumps(tree)}
    flat: dict[str, str] = {}
    for key, value in pairs:
        flat |= _flat(value, f"{place}.{key}" if place else key)
    return flat
