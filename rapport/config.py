"""rapport.yml: read, checked, with secrets taken from the environment.

Belongs here: the keys every installation shares, `${ENV_NAME}` substitution, errors that say
what to write instead, and the JSON Schema that editors use. Does not belong here: the keys of
one vendor (its connector's `Settings`) or what a mapping means (`rapport.mapping`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from connectors import registry
from connectors.base import Source, Stream
from connectors.errors import ConfigError, suggestion

CONFIG_NAME = "rapport.yml"
CONFIG_ENV = "RAPPORT_CONFIG"
DEFAULT_SOURCE_SCHEDULE = "*/30 * * * *"
DOCS_FIRST_STEPS = "docs/configure.md"

_ENV_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_COMMON_SOURCE_KEYS = ("type", "schedule", "label", "silo", "quota_reserve")
DEFAULT_QUOTA_RESERVE = 0.1
SILOS = ("crm", "forum", "support", "social", "orders", "other")


class Alerts(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a failed run is reported.

    Attributes:
        webhook: address that receives a JSON POST; without it failures are only logged.
    """

    webhook: str | None = None


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The top level of rapport.yml.

    Attributes:
        home: folder for landing, build, warehouse and report, relative to rapport.yml.
        as_of: `now`, or the day (YYYY-MM-DD) whose end the numbers describe.
        schedule: cron line of the job that builds and publishes the tables.
        own_domains: the organization's own e-mail domains; people there are staff.
        phone_region: two-letter country for phone numbers written without a country code.
        currency: ISO code for amounts whose source names none.
        strategy: path of strategy.yml, relative to rapport.yml.
        alerts: where a failed run is reported.
        sources: name -> one configured account at a vendor.
    """

    home: str = ".rapport"
    as_of: str = "now"
    schedule: str = "15 * * * *"
    own_domains: list[str] = []
    phone_region: str = "US"
    currency: str = "USD"
    strategy: str = "strategy.yml"
    alerts: Alerts = msgspec.field(default_factory=Alerts)
    sources: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """One entry of `sources:`; `settings` are the vendor's keys, secrets not yet filled in.

    Attributes:
        schedule: cron line of its sync.
        label: what people call it.
        silo: which kind of place it is: crm, forum, support, social, orders or other.
        quota_reserve: share of the vendor's calls a day that syncs leave to other programs.
    """

    name: str
    type: str
    schedule: str
    label: str
    silo: str
    quota_reserve: float
    settings: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Config:
    """A checked configuration.

    Attributes:
        path: the file it came from.
        home: absolute folder of everything Rapport writes.
        as_of: None for `now`, else the day whose end the numbers describe.
    """

    path: Path
    home: Path
    as_of: date | None
    schedule: str
    own_domains: tuple[str, ...]
    phone_region: str
    currency: str
    strategy_path: Path
    webhook: str | None
    sources: Mapping[str, SourceConfig]

    @property
    def folder(self) -> Path:
        """Folder that relative paths in the file start from."""
        return self.path.parent

    def as_of_date(self) -> date:
        """Return the day whose end the numbers describe (UTC today for `now`)."""
        return self.as_of or datetime.now(UTC).date()

    def source(self, name: str) -> SourceConfig:
        """Return the source called `name`; raise `ConfigError` with a suggestion otherwise."""
        if name not in self.sources:
            raise ConfigError(
                f"no source `{name}` in {self.path.name}."
                f"{suggestion(name, self.sources)} Sources: {', '.join(self.sources) or 'none'}."
            )
        return self.sources[name]

    def open(self, name: str) -> Source:
        """Return a ready source with its secrets filled in from the environment.

        Raises:
            ConfigError: an environment variable is missing or a key is wrong.
        """
        source = self.source(name)
        settings = _fill(source.settings, f"sources.{name}", self.path.name)
        return registry.open_source(
            name,
            source.type,
            settings,
            home=self.home,
            folder=self.folder,
            quota_reserve=source.quota_reserve,
        )

    def webhook_address(self) -> str | None:
        """Return the alert address with its environment variable filled in, if one is set."""
        if not self.webhook:
            return None
        filled: str = _fill(self.webhook, "alerts.webhook", self.path.name)
        return filled


def declared_streams(config: Config, name: str) -> Sequence[Stream]:
    """Return the streams of a source as configured, without a secret and without a request.

    Environment variables stay as they are written: they never decide which streams exist.
    """
    source = config.source(name)
    return registry.open_source(
        name, source.type, source.settings, home=config.home, folder=config.folder
    ).streams()


def find(path: str | Path | None = None) -> Path:
    """Return the rapport.yml to use: the given one, `$RAPPORT_CONFIG`, or the one here.

    Raises:
        ConfigError: there is none.
    """
    candidate = Path(path or os.environ.get(CONFIG_ENV) or CONFIG_NAME)
    if candidate.is_dir():
        candidate = candidate / CONFIG_NAME
    if not candidate.is_file():
        raise ConfigError(
            f"no `{candidate}` found. Try `rapport demo` to see everything on generated data, "
            f"add `--sandbox` to use a running `rapport sandbox`, "
            f"or write one by {DOCS_FIRST_STEPS}."
        )
    return candidate.resolve()


def load(path: str | Path | None = None) -> Config:
    """Read and check rapport.yml without touching a secret or the network.

    Raises:
        ConfigError: the file is absent, not YAML, or holds a key or value that is not known.
    """
    found = find(path)
    return parse(read_yaml(found), found)


def parse(tree: Any, path: Path) -> Config:
    """Check a configuration given as plain values, as if it stood in the file `path`."""
    from rapport import mapping

    where = path.name
    file = convert(tree or {}, _File, where)
    sources = {name: _source(name, entry, where) for name, entry in file.sources.items()}
    mapping.queries(mapping.mapped_streams(sources.values(), where))  # their mistakes show here
    return Config(
        path=path,
        home=(path.parent / _fill(file.home, "home", where)).resolve(),
        as_of=_as_of(file.as_of, where),
        schedule=file.schedule,
        own_domains=tuple(domain.lower().removeprefix("@") for domain in file.own_domains),
        phone_region=file.phone_region.upper(),
        currency=file.currency.upper(),
        strategy_path=path.parent / file.strategy,
        webhook=file.alerts.webhook,
        sources=sources,
    )


def convert(tree: Any, to: type[Any], where: str, prefix: str = "") -> Any:
    """Return `tree` as the struct `to`; raise `ConfigError` that names key, place and remedy."""
    try:
        return msgspec.convert(tree, to)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error), tree, to, where, prefix)) from None


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of rapport.yml for editors, every connector's keys included."""
    from rapport.mapping import MAP_SCHEMA

    schema: dict[str, Any] = msgspec.json.schema(_File)
    definitions = schema["$defs"]
    variants = []
    for type_name in registry.TYPES:
        settings = msgspec.json.schema(registry.module(type_name).Settings)
        definitions |= settings.pop("$defs", {})
        body = definitions.pop(settings["$ref"].rsplit("/", 1)[1])
        body["title"] = type_name
        body["properties"] = {
            "type": {"const": type_name},
            "schedule": {"type": "string", "default": DEFAULT_SOURCE_SCHEDULE},
            "label": {"type": "string"},
            "silo": {"enum": list(SILOS)},
            "quota_reserve": {
                "type": "number",
                "minimum": 0,
                "exclusiveMaximum": 1,
                "default": DEFAULT_QUOTA_RESERVE,
            },
            **body["properties"],
        }
        body["required"] = ["type", *body.get("required", [])]
        variants.append(body)
    for definition in definitions.values():
        if "map" in definition.get("properties", {}):
            definition["properties"]["map"] = MAP_SCHEMA
    definitions["_File"]["properties"]["sources"] = {
        "type": "object",
        "propertyNames": {"pattern": f"^{_SOURCE_NAME.pattern}$"},
        "additionalProperties": {"oneOf": variants},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": CONFIG_NAME,
    } | schema


class _StrictLoader(yaml.SafeLoader):
    """YAML that refuses a key written twice, and leaves days and times as they are written."""


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping_without_duplicates(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key `{key}` stands twice", key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(
    yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_duplicates
)


def read_yaml(path: Path) -> Any:
    """Return the plain values of a YAML file; raise `ConfigError` with line and column."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = _in_plain_words(str(error.problem))
        raise ConfigError(f"{path.name}{place}: {problem}. Mend the file there.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not readable as YAML: {error}.") from None


def _in_plain_words(problem: str) -> str:
    """Say of the parser's commonest complaints what is wrong in the file."""
    if re.match(r"expected <block end>, but found '(<block .*>|-|\?)'", problem):
        return "the indentation differs from the lines above"
    if problem == "mapping values are not allowed here":
        return "the indentation is deeper than above, or a text with `: ` in it needs quotes"
    return problem


def _as_of(value: str, where: str) -> date | None:
    if value == "now":
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ConfigError(
            f"{where}: as_of is `{value}`; write `now` or a day like `2026-06-30`."
        ) from None


def _source(name: str, entry: dict[str, Any], where: str) -> SourceConfig:
    if not _SOURCE_NAME.fullmatch(name):
        raise ConfigError(
            f"{where}: the source name `{name}` is part of ids and folder names; "
            "use a small letter, then small letters, digits and `_`."
        )
    kind = entry.get("type")
    if kind not in registry.TYPES:
        known = ", ".join(registry.TYPES)
        raise ConfigError(
            f"{where}: sources.{name} has type `{kind}`.{suggestion(str(kind), registry.TYPES)} "
            f"Known types: {known}."
        )
    silo = entry.get("silo", registry.module(kind).SILO)
    if silo not in SILOS:
        raise ConfigError(
            f"{where}: sources.{name}.silo is `{silo}`.{suggestion(str(silo), SILOS)} "
            f"Silos: {', '.join(SILOS)}."
        )
    reserve = entry.get("quota_reserve", DEFAULT_QUOTA_RESERVE)
    if not isinstance(reserve, int | float) or not 0 <= reserve < 1:
        raise ConfigError(
            f"{where}: sources.{name}.quota_reserve is `{reserve}`; write the share of the "
            "vendor's calls a day to leave to other programs, like `0.1`."
        )
    settings = {key: value for key, value in entry.items() if key not in _COMMON_SOURCE_KEYS}
    streams = settings.get("streams")
    declared = _struct_at(registry.module(kind).Settings, "streams", settings)
    if declared is not None and isinstance(streams, Mapping):
        for stream, given in streams.items():  # one by one, so that an error names the stream
            convert(given, declared, where, prefix=f"sources.{name}.streams.{stream}")
    convert(
        settings, registry.module(kind).Settings, where, prefix=f"sources.{name}"
    )  # keys and shapes only: environment variables stay as they are written
    return SourceConfig(
        name=name,
        type=kind,
        schedule=entry.get("schedule", DEFAULT_SOURCE_SCHEDULE),
        label=entry.get("label", name),
        silo=silo,
        quota_reserve=reserve,
        settings=settings,
    )


def _fill(value: Any, place: str, where: str) -> Any:
    """Return `value` with every `${NAME}` in its strings taken from the environment."""
    if isinstance(value, Mapping):
        return {key: _fill(inner, f"{place}.{key}", where) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill(inner, f"{place}[{i}]", where) for i, inner in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        name = match.group(1)
        if not os.environ.get(name):
            raise ConfigError(
                f"{where}: {place} needs the environment variable `{name}`, which is not set. "
                f"Set it (for example `export {name}=...`) and run again."
            )
        return os.environ[name]

    return _ENV_REFERENCE.sub(replacement, value)


def _explain(message: str, tree: Any, to: type[Any], where: str, prefix: str) -> str:
    """Turn msgspec's sentence into ours: place in dots, value in backticks, what to do."""
    text, _, at = message.partition(" - at `")
    path = at.rstrip("`").removeprefix("$").lstrip(".")
    place = ".".join(part for part in (prefix, path) if part)
    unknown = re.match(r"Object contains unknown field `(.+)`", text)
    if unknown:
        word = unknown.group(1)
        struct = _struct_at(to, path, tree)
        known = [field.encode_name for field in msgspec.structs.fields(struct)] if struct else []
        full = ".".join(part for part in (place, word) if part)
        listing = f" Known keys there: {', '.join(known)}." if known else ""
        return f"{where}: unknown key `{full}`.{suggestion(word, known)}{listing}"
    missing = re.match(r"Object missing required field `(.+)`", text)
    if missing:
        full = ".".join(part for part in (place, missing.group(1)) if part)
        return f"{where}: `{full}` is missing. Add it."
    return f"{where}: `{place or 'the file'}`: {text[0].lower() + text[1:]}."


def _struct_at(to: type[Any], path: str, tree: Any) -> type[Any] | None:
    """Return the struct type that stands at a msgspec error path, if it can be followed."""
    current: Any = to
    # msgspec writes `[...]` for a key of a mapping
    for part in filter(None, path.replace("[...]", "").split(".")):
        name = re.sub(r"\[.*\]$", "", part)
        tree = tree.get(name) if isinstance(tree, Mapping) and name else None
        if isinstance(current, type) and issubclass(current, msgspec.Struct) and name != "":
            fields = {f.encode_name: f.type for f in msgspec.structs.fields(current)}
            current = fields.get(name)
        current = _struct_in(current, tree)
        if current is None:
            return None
    return current if isinstance(current, type) and issubclass(current, msgspec.Struct) else None


def _struct_in(annotation: Any, tree: Any) -> type[Any] | None:
    """Return the struct inside `dict[str, X]`, `list[X]`, `X | Y` or `X` itself.

    Of several with a `kind`, the one that `tree` names.
    """
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        tag = annotation.__struct_config__.tag
        kind = tree.get("kind") if isinstance(tree, Mapping) else None
        return annotation if tag is None or tag == kind else None
    for argument in getattr(annotation, "__args__", ()):
        found = _struct_in(argument, tree)
        if found:
            return found
    return None
