"""Which types of sources exist, and how a configured one is opened.

Belongs here: finding a connector's module by its type, checking its settings, and
telling the session which of them are secret. Does not belong here: reading
rapport.yml (that is the caller's).

Every module or package in here that is not part of the framework is a connector, so a
new vendor is a new file or folder and nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import msgspec

import connectors
from connectors.base import Source
from connectors.errors import ConfigError, suggestion
from connectors.session import Session

FRAMEWORK = frozenset(
    "base budget catalog changes database discovery errors incremental landing mapped oauth "
    "pagination planning quarantine records redaction registry session sync tables".split()
)

TYPES: dict[str, str] = {
    found.name: f"connectors.{found.name}"
    for found in pkgutil.iter_modules(connectors.__path__)
    if found.name not in FRAMEWORK
}
"""Source type -> module, imported when first used."""

LEAST_SECRET = 8
"""Shorter words are not masked by themselves: they would be found everywhere."""

SECRET_SETTING = re.compile(
    r"(secret|token|password|api[_-]?key|private_key|authorization|cookie)$", re.IGNORECASE
)
"""Settings and headers whose values are masked everywhere."""


def module(type_: str) -> ModuleType:
    """Return the connector module of a source type; raise `ConfigError` if there is none."""
    if type_ not in TYPES:
        raise ConfigError(
            f"There is no source type `{type_}`.{suggestion(type_, TYPES)} "
            f"Known types: {', '.join(sorted(TYPES))}."
        )
    return importlib.import_module(TYPES[type_])


def open_source(
    name: str,
    type_: str,
    settings: Mapping[str, Any],
    *,
    home: Path,
    folder: Path | None = None,
) -> Source:
    """Check the settings of one source of rapport.yml and connect it, without a request.

    Args:
        name: the source's name in rapport.yml.
        type_: its `type`.
        settings: its other keys, environment variables already put in.
        home: where the shared budget of calls lives (`budgets/`).
        folder: base of relative paths in the settings, usually that of rapport.yml.

    Raises:
        ConfigError: an unknown, missing or mistyped setting; values are not repeated.
    """
    found = module(type_)
    fields = {field.name for field in msgspec.structs.fields(found.Settings)}
    given = dict(settings)
    if folder is not None and "folder" in fields:
        given.setdefault("folder", str(folder))
    for key in given:
        if key not in fields:
            raise ConfigError(
                f"sources.{name}: unknown key `{key}`.{suggestion(key, fields)} "
                f"Keys of type `{type_}`: {', '.join(sorted(fields - {'folder'}))}."
            )
    session = Session(
        name,
        secrets=list(_secrets(given)),
        limits=getattr(found, "limits", None),
        calls_per_window=getattr(found, "CALLS_PER_WINDOW", ()),
        budget_dir=home / "budgets",
    )
    try:
        checked = msgspec.convert(given, found.Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"sources.{name}: {_explain(str(error))}") from None
    return cast(Source, found.connect(name, checked, session))


def _secrets(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the secret settings, also those inside a block such as `auth:`."""
    for key, value in given.items():
        if isinstance(value, Mapping):
            # Below `streams` stand names of fields, which may well be called `token`.
            yield from _secrets(value) if key != "streams" else ()
        # `${NAME}` is a reference that nobody has filled in: not a secret.
        elif value and SECRET_SETTING.search(key) and "${" not in str(value):
            yield str(value)
            # What follows `Bearer` or `Token` is secret without it, too.
            yield from (word for word in str(value).split()[1:] if len(word) >= LEAST_SECRET)


def _explain(message: str) -> str:
    """Turn msgspec's words into ours; they name types and places, never values."""
    missing = re.match(r"Object missing required field `(.+?)`(?: - at `\$\.?(.*)`)?", message)
    if missing:
        where = f" in `{missing[2]}`" if missing[2] else ""
        return f"the key `{missing[1]}`{where} is missing. Add it to rapport.yml."
    unknown = re.match(r"Object contains unknown field `(.+?)`(?: - at `\$\.?(.*)`)?", message)
    if unknown:
        where = f" in `{unknown[2]}`" if unknown[2] else ""
        return f"unknown key `{unknown[1]}`{where}."
    what, _, place = message.partition(" - at `$")
    place = place.strip("`.")
    return f"{f'`{place}`: ' if place else ''}{what[:1].lower()}{what[1:]}."
