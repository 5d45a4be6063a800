"""Custom fields: which ones rapport.yml takes, and the segments that strategy.yml makes of them.

Belongs here: what the two files say of each other, known before anything is fetched. Does not
belong here: the shape of either file (`rapport.config`, `rapport.strategy`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from connectors.errors import ConfigError, suggestion
from rapport import mapping, private, strategy
from rapport.config import Config, declared_streams

HANDLE = "handle"
"""The `meaning` of a field in which people write who they are elsewhere."""

_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")  # it becomes part of SQL


def checked_strategy(config: Config) -> strategy.Strategy | None:
    """Return the strategy, its custom fields held against those that rapport.yml takes.

    None: there is no such file.

    Raises:
        ConfigError: the file is wrong, it names a field that nobody takes or that
            shows people, or a field claims a handle of no source or holds a private fact.
    """
    found = strategy.load(config.strategy_path)
    list(handle_fields(config))
    _refuse_private_fields(config, found.privacy.deny_classes if found else private.CLASSES)
    for segment in found.segments if found else ():
        if segment.source.custom is not None:
            _check_field(config, f"segments.{segment.name}.from", segment.source.custom)
    for name, programme in found.tier_programmes.items() if found else ():
        for measure, said in programme.measures.items():
            if said.custom is not None:
                place = f"tier_programmes.{name}.measures.{measure}"
                _check_field(config, place, said.custom)
    return found


def custom_fields(config: Config) -> Iterable[tuple[str, str, dict[str, Any]]]:
    """Yield (source, stream, field) for every custom field that rapport.yml adds, each once."""
    seen = set()
    for name, stream, field in (*_added_fields(config), *_mapped_fields(config)):
        if (name, stream, field["name"]) not in seen:
            seen.add((name, stream, field["name"]))
            yield name, stream, field


def handle_fields(config: Config) -> Iterable[tuple[str, str, str, str]]:
    """Yield (source, stream, field, source whose handle it holds) of fields that claim a handle.

    Raises:
        ConfigError: a field does not say which of the sources that is.
    """
    for name, stream, field in custom_fields(config):
        if field.get("meaning") != HANDLE:
            continue
        network = field.get("network")
        if network not in config.sources:
            raise ConfigError(
                f"{config.path.name}: sources.{name}.fields: `{field['name']}` is a handle of "
                f"`{network}`, which is no source.{suggestion(str(network), config.sources)} "
                f"Write as `network` one of: {', '.join(config.sources)}."
            )
        yield name, stream, field["name"], str(network)


def _added_fields(config: Config) -> Iterable[tuple[str, str, dict[str, Any]]]:
    """Yield those under `fields:`."""
    for name, source in config.sources.items():
        by_object = source.settings.get("fields")
        if not isinstance(by_object, Mapping):
            continue
        streams = {s.object_name: s.name for s in declared_streams(config, name)}
        for object_name, fields in by_object.items():
            for field in fields:
                entry: dict[str, Any] = {"name": field} if isinstance(field, str) else dict(field)
                if not _FIELD_NAME.fullmatch(str(entry.get("name"))):
                    raise ConfigError(
                        f"{config.path.name}: sources.{name}.fields.{object_name} names the field "
                        f"`{entry.get('name')}`. Field names hold letters, digits and `_`."
                    )
                yield name, streams.get(object_name, str(object_name)), entry


def _mapped_fields(config: Config) -> Iterable[tuple[str, str, dict[str, Any]]]:
    """Yield those that `map:` keeps as `custom`; an export tells no type."""
    for mapped in mapping.mapped_streams(config.sources.values(), config.path.name):
        for one in mapped.maps:
            for kept in mapping.kept_fields(one):
                entry = {"name": kept.name, "pii": kept.pii, "private": kept.private}
                yield mapped.source, mapped.stream, entry


def _refuse_private_fields(config: Config, classes: Collection[str]) -> None:
    """Raise `ConfigError` for a field, however it is taken, that holds a private fact."""
    where = config.path.name
    for source, stream, field in custom_fields(config):
        name = field["name"]
        way_out = f" If it is about something else, write `{{name: {name}, private: none}}`."
        place = f"{where}: {source}.{stream}"
        private.refuse_private(place, name, field.get("private"), classes, way_out)
    for mapped in mapping.mapped_streams(config.sources.values(), where):
        for told in mapped.maps:
            for name, said in _mapped_columns(told):
                way_out = (
                    f" If it is about something else, write `{{column: {name}, private: none}}`."
                )
                place = f"{where}: {mapped.source}.{mapped.stream}"
                private.refuse_private(place, name, said, classes, way_out)


def _mapped_columns(told: mapping.Map) -> Iterator[tuple[str, str | None]]:
    """Yield each field of the record that a mapping takes, and what it says of it."""
    for spec in told.columns.values():
        if isinstance(spec, str):
            yield spec, None
        elif isinstance(spec, mapping.Column):
            for name in (spec.column, *(spec.first_of or ())):
                if name is not None:
                    yield name, spec.private


def _check_field(config: Config, place: str, field: str) -> None:
    fields = [field for _, _, field in custom_fields(config)]
    known = {field["name"] for field in fields}
    where = f"{config.strategy_path.name}: {place}.custom is `{field}`"
    if field not in known:
        raise ConfigError(
            f"{where}, which no source in {config.path.name} takes."
            f"{suggestion(field, known)} Add it under `fields:` of its source."
        )
    if any(f["name"] == field and f.get("pii", "none") != "none" for f in fields):
        raise ConfigError(
            f"{where}, which shows people (its `pii` is not `none`). "
            "What strategy.yml reads stands in tables that name nobody; choose another field."
        )
