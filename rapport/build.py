"""From landing files to a finished build: what dbt finds before it starts, and what it leaves.

Belongs here: deciding whether a build is due, the two schemas that dbt reads (`landing`: views
on files; `control`: parameters as tables), the dbt command, and collecting rows that could not
be typed. Does not belong here: any model (`dbt_project`) or the published copy
(`rapport.publish`).

Parameters travel as tables because a changed `--vars` would make dbt parse everything again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from connectors import registry
from connectors.base import Rejected
from connectors.errors import BuildError
from connectors.landing import Landing
from connectors.quarantine import Quarantine
from rapport import dbt, mapping, restatement, strategy, strategy_versions
from rapport.config import Config, declared_streams
from rapport.custom import checked_strategy, custom_fields, handle_fields
from rapport.identity import claims, overrides, pins, state, suppressions, verdicts
from rapport.identity.lines import FOLDER, unmet
from rapport.status import stream_lines

BUILD_NAME = dbt.DATABASE_NAME
WAREHOUSE_NAME = "warehouse.duckdb"  # what is published
STAGING = "staging"
UNFINISHED = "unfinished"  # in build.json: when the build began that did not end yet
SNAPSHOT_STEP = timedelta(days=28)
BACKCAST_SNAPSHOTS = 13  # 13 steps of 28 days: the twelve months before the first build

Untyped = dict[tuple[str, str], list[tuple[str, int, str]]]
"""(source, stream) -> (key, seq, what could not be typed) of its rows."""

_LANDING_COLUMNS = {
    "_key": "varchar",
    "_seq": "bigint",
    "_op": "varchar",
    "_merged_into": "varchar",
    "_version": "timestamptz",
    "_loaded_at": "timestamptz",
    "_sync_id": "varchar",
    "record": "varchar",
}


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """What a build would do.

    Attributes:
        needed: False when nothing landed, the day and the configuration are those of the
            last published build.
        reason: why it is (not) needed, in words.
        as_of: the day whose end the published numbers describe.
        known_at: nothing loaded later is looked at.
        basis: `as_known` for today or later, `backcast` for a past day.
        restated: a day before `as_of` whose metrics are computed again, if one was asked for.
        is_part: only some models are built, on what the last build of all has read.
        full_refresh: staging is read again from the first landing file.
        fingerprint: what `remember` keeps for the next plan.
    """

    needed: bool
    reason: str
    as_of: date
    known_at: datetime
    basis: str
    full_refresh: bool
    fingerprint: Mapping[str, str]
    restated: date | None = None
    is_part: bool = False

    @property
    def arguments(self) -> list[str]:
        """Return the dbt command line, without project and profile folders.

        Unit tests of models tell about the models, not about this data: they stay with the
        tests of the project.
        """
        refresh = ["--full-refresh"] if self.full_refresh else []
        return ["build", *refresh, "--exclude-resource-type", "unit_test"]

    @property
    def snapshots(self) -> list[tuple[date, str]]:
        """Return the (as_of, basis) pairs this build computes, oldest first.

        A build that reads staging anew also rebuilds the twelve months before it, so that
        the first day shows trends; any other adds its own day. A part that asks for a past
        day computes that day alone.
        """
        if self.is_part and self.restated:
            return [(self.restated, "backcast")]
        steps = range(1, BACKCAST_SNAPSHOTS + 1) if self.full_refresh else ()
        past = {self.as_of - SNAPSHOT_STEP * step for step in steps}
        if self.restated:
            past.add(self.restated)
        return [*((day, "backcast") for day in sorted(past)), (self.as_of, self.basis)]


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What a build left: rows per `stg_`/mart/metric table, rows that could not be typed, and
    lines of `identity/` that came to nothing."""

    tables: Mapping[str, int]
    untyped: int
    unmet: Sequence[str] = ()


def plan(config: Config, as_of: date | None = None) -> BuildPlan:
    """Return what a build would do, without doing it.

    Args:
        as_of: None: the configured day. A later day: that one instead. An earlier day: it is
            computed again beside the configured one, which stays the published day.
    """
    day = max(as_of or config.as_of_date(), config.as_of_date())
    restated = as_of if as_of and as_of < day else None
    fingerprint = {
        "as_of": day.isoformat(),
        "landing": _landing_fingerprint(config),
        "staging": _digest(_staging_inputs(config), _models()),
        "strategy": _digest([strategy.fingerprint(config.strategy_path)]),
        "overrides": overrides.fingerprint(config.folder),
    }
    last = _remembered(config)
    changed = [name for name, value in fingerprint.items() if last.get(name) != value]
    database = config.home / BUILD_NAME
    reasons = {
        "as_of": f"the numbers of {day} are not there yet",
        "landing": "new records have landed",
        "staging": "sources, mappings or models have changed",
        "strategy": "strategy.yml has changed",
        "overrides": f"what people say in {FOLDER}/ has changed",
    }
    unfinished = bool(last.get(UNFINISHED))
    if not database.exists():
        reason = "this is the first build"
    elif unfinished:
        reason = "the last build did not come to its end"
    elif restated:
        reason = f"the numbers of {restated} are asked for again"
    elif changed:
        reason = "; ".join(reasons[name] for name in changed)
    else:
        reason = f"nothing has landed since the build of {day}"
    return BuildPlan(
        needed=bool(changed or restated or unfinished) or not database.exists(),
        reason=reason,
        as_of=day,
        known_at=datetime.now(UTC),
        basis="as_known" if day >= datetime.now(UTC).date() else "backcast",
        full_refresh="staging" in changed or not database.exists(),
        fingerprint=fingerprint,
        restated=restated,
    )


def plan_part(config: Config, as_of: date | None = None) -> BuildPlan:
    """Return what building some models again would do, on what the last build has read.

    Day and `known_at` are those of the last build, so that no number of another day moves. A
    later `as_of` is built as that day; an earlier one is computed beside it, alone.

    Raises:
        BuildError: the last build failed, or everything has to be built anew.
    """
    whole = plan(config, as_of)
    if whole.full_refresh or _remembered(config).get(UNFINISHED):
        raise BuildError(
            f"the tables of the last build cannot be gone on with: {whole.reason}. "
            "Run the job `metrics` once, then this."
        )
    with duckdb.connect(str(config.home / BUILD_NAME), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        rows = connection.execute("select as_of, known_at from control.run").fetchall()
    [(built, known_at)] = rows
    day = max(as_of or built, built)
    return replace(
        whole,
        needed=True,
        reason=f"a part of the build of {built} is asked for",
        as_of=day,
        known_at=known_at.astimezone(UTC),
        basis="as_known" if day >= datetime.now(UTC).date() else "backcast",
        fingerprint={},
        restated=as_of if as_of and as_of < day else None,
        is_part=True,
    )


def remember(config: Config, plan: BuildPlan) -> None:
    """Note that `plan` was built and published, so that the same build need not start again.

    A part changes nothing about which build of all is due.
    """
    _note(config, {**plan.fingerprint, UNFINISHED: ""})


def _note(config: Config, facts: Mapping[str, str]) -> None:
    path = config.home / "build.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(_remembered(config) | dict(facts), indent=1), encoding="utf-8")
    temporary.replace(path)


def prepare(config: Config, plan: BuildPlan) -> None:
    """Write the schemas `landing` and `control` into build.duckdb.

    Raises:
        ConfigError: strategy.yml is wrong, or a mapping refers to something that is not there.
    """
    config.home.mkdir(parents=True, exist_ok=True)
    _note(config, {UNFINISHED: plan.known_at.isoformat()})
    checked_strategy(config)  # a wrong one never was in force
    strategy_versions.record(config.strategy_path, config.home, plan.known_at)
    with duckdb.connect(str(config.home / BUILD_NAME)) as connection:
        connection.execute("begin")
        write_schemas(connection, config, plan)
        connection.execute("commit")


def write_schemas(connection: duckdb.DuckDBPyConnection, config: Config, plan: BuildPlan) -> None:
    """Write the schemas that dbt reads into an open database, in UTC."""
    connection.execute("set timezone = 'UTC'")
    connection.execute("create schema if not exists landing")
    connection.execute("drop schema if exists control cascade; create schema control")
    landing = Landing(config.home)
    for name, query in _landing_views(config, landing).items():
        connection.execute(f"create or replace view landing.{_quoted(name)} as {query}")
    for name, (columns, rows) in _control_tables(config, plan).items():
        _table(connection, f"control.{name}", columns, rows)
    state.load(connection, config.home)
    restatement.load(
        connection,
        config.home / WAREHOUSE_NAME,
        {
            f"{name}.{stream.name}": landing.stream(name, stream.name).files()
            for name in config.sources
            for stream in declared_streams(config, name)
        },
        reads_anew=plan.full_refresh,
    )


def run_dbt(config: Config, plan: BuildPlan) -> None:
    """Run the one dbt invocation of a build; raise `BuildError` with dbt's complaints."""
    failure = dbt.failure(dbt.run(config.home, plan.arguments), config.home)
    if failure:
        raise failure


def finish(config: Config, plan: BuildPlan) -> BuildResult:
    """Count the tables and bring rows that could not be typed to quarantine/."""
    with duckdb.connect(str(config.home / BUILD_NAME), read_only=True) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "select table_name from information_schema.tables "
                "where table_schema = 'main' and table_type = 'BASE TABLE' order by 1"
            ).fetchall()
        ]
        tables = {
            name: connection.execute(f"select count(*) from main.{_quoted(name)}").fetchall()[0][0]
            for name in names
        }
        untyped: Untyped = {}
        for name in names:
            if name.startswith("stg_"):
                for source, stream, *row in _untyped_rows(connection, name):
                    untyped.setdefault((source, stream), []).append(tuple(row))
        said_in_vain = unmet(connection)
    for name in config.sources:
        for stream in declared_streams(config, name):
            _quarantine_untyped(config.home, name, stream.name, untyped, plan.known_at)
    _note(config, {UNFINISHED: ""})
    return BuildResult(tables=tables, untyped=sum(map(len, untyped.values())), unmet=said_in_vain)


def unmet_lines(config: Config) -> list[str]:
    """Return the lines of `identity/` that came to nothing in the last build, with the reason.

    None before the first build, and while one is going on.
    """
    try:
        with duckdb.connect(str(config.home / BUILD_NAME), read_only=True) as connection:
            return unmet(connection)
    except duckdb.IOException:
        return []


def mapped_streams(config: Config, landing: Landing) -> list[mapping.MappedStream]:
    """Return every configured stream that carries `map:`, with its landing files."""
    return [
        replace(
            mapped,
            files=[str(path) for path in landing.stream(mapped.source, mapped.stream).files()],
        )
        for mapped in mapping.mapped_streams(config.sources.values(), config.path.name)
    ]


def _landing_views(config: Config, landing: Landing) -> dict[str, str]:
    views: dict[str, str] = {}
    for type_name in registry.TYPES:
        for stream in registry.module(type_name).STREAMS:
            parts = [
                _landing_query(name, stream.name, landing.stream(name, stream.name).files())
                for name, source in config.sources.items()
                if source.type == type_name
            ]
            views[f"{type_name}__{stream.name}"] = _union(parts) or _empty_landing()
    for type_name in custom_object_types():
        parts = [
            _landing_query(name, stream, landing.stream(name, stream).files())
            for name, stream, _ in _custom_objects(config)
            if config.sources[name].type == type_name
        ]
        views[f"{type_name}__custom_objects"] = _union(parts) or _empty_landing()
    streams = [stream for stream in mapped_streams(config, landing) if stream.files]
    for target, parts in mapping.queries(streams).items():
        views[f"mapped__{mapping.PLURAL[target]}"] = _union(parts) or mapping.empty_query(target)
    return views


def custom_object_types() -> list[str]:
    """Return the source types that take `objects:`; each has a view `<type>__custom_objects`."""
    return [
        type_name
        for type_name in registry.TYPES
        if "objects" in registry.module(type_name).Settings.__struct_fields__
    ]


def _custom_objects(config: Config) -> list[tuple[str, str, str]]:
    """Return (source, stream, object) for every object that rapport.yml adds."""
    found = []
    for name, source in config.sources.items():
        if source.settings.get("objects"):
            standard = {stream.name for stream in registry.module(source.type).STREAMS}
            found += [
                (name, stream.name, stream.object_name)
                for stream in declared_streams(config, name)
                if stream.name not in standard
            ]
    return found


def _landing_query(source: str, stream: str, files: Iterable[Path]) -> str:
    listing = ", ".join(f"'{_escaped(str(path))}'" for path in files)
    if not listing:
        return ""
    columns = ", ".join(_LANDING_COLUMNS)
    return (
        f"select '{source}' as _source, '{stream}' as _stream, {columns} "
        f"from read_parquet([{listing}])"
    )


def _empty_landing() -> str:
    columns = ", ".join(f"null::{kind} as {name}" for name, kind in _LANDING_COLUMNS.items())
    return f"select null::varchar as _source, null::varchar as _stream, {columns} where false"


def _union(parts: Iterable[str]) -> str:
    return "\nunion all\n".join(part for part in parts if part)


Table = tuple[Mapping[str, str], Sequence[tuple[Any, ...]]]


def _control_tables(config: Config, plan: BuildPlan) -> dict[str, Table]:
    chosen = strategy.parameters(config.strategy_path)
    lines = stream_lines(config)
    last_syncs: dict[str, list[str]] = {name: [] for name in config.sources}
    for line in lines:
        if line["last_sync"]:
            last_syncs[_source_of(line)].append(line["last_sync"])
    sources = [
        (
            name,
            source.type,
            source.silo,
            source.label,
            max(last_syncs[name], default=None),
            True,
        )
        for name, source in config.sources.items()
    ]
    streams = [
        (
            *line["place"].split(".", 1),
            line["type"],
            line["rows"],
            line["deletes"],
            sum(line["quarantined"].values()),
            line["late"],
            line["last_sync"],
            line["finished"],
            line["source_count"],
            line["held"],
            line["coverage"],
            line["missing"],
            line["extra"],
            line["reconciles"],
            line["unreconciled"],
            line["calls"],
            line["changes"],
            line["calls_per_change"],
            line["spans_left"],
        )
        for line in lines
    ]
    checked_strategy(config)
    told = overrides.load(config.folder, on=plan.known_at.date())
    custom = list(custom_fields(config))
    return {
        "run": ({"as_of": "date", "known_at": "timestamptz"}, [(plan.as_of, plan.known_at)]),
        "snapshots": ({"as_of": "date", "basis": "varchar"}, plan.snapshots),
        "sources": (
            {"source": "varchar", "source_type": "varchar", "silo": "varchar",
             "label": "varchar", "last_sync_at": "timestamptz", "is_configured": "boolean"},
            sources,
        ),
        "streams": (
            {"source": "varchar", "stream": "varchar", "source_type": "varchar",
             "rows": "bigint", "deletes": "bigint", "quarantined": "bigint", "late": "bigint",
             "last_sync_at": "timestamptz", "finished": "boolean", "source_count": "bigint",
             "held_count": "bigint", "coverage": "varchar", "missing": "bigint",
             "extra": "bigint", "reconciles": "varchar", "unreconciled": "varchar",
             "calls": "bigint", "changes": "bigint", "calls_per_change": "double",
             "spans_left": "bigint"},
            streams,
        ),
        "own_domains": ({"domain": "varchar"}, [(domain,) for domain in config.own_domains]),
        "identity_link": (
            {"line": "bigint", "place": "varchar", "action": "varchar", "left_type": "varchar",
             "left_value": "varchar", "right_type": "varchar", "right_value": "varchar",
             "reason": "varchar"},
            [
                (link.line, f"{overrides.LINKS}:{link.line}", link.action,
                 *overrides.side(link.left), *overrides.side(link.right), link.reason)
                for link in told.links
            ],
        ),
        "identity_identifier_flag": (
            {"line": "bigint", "id_type": "varchar", "value": "varchar",
             "beginning": "varchar", "ending": "varchar", "flag": "varchar", "reason": "varchar"},
            [
                (flag.line, flag.id_type, *overrides.pattern(flag.value), flag.flag, flag.reason)
                for flag in told.flags
            ],
        ),
        "reviews": (
            {"place": "varchar", "rule_id": "varchar", "left_key": "varchar",
             "right_key": "varchar", "verdict": "varchar", "reason": "varchar"},
            [
                (f"{verdicts.REVIEWS}:{one.line}", rule, one.left, one.right, one.verdict,
                 one.reason)
                for one in told.reviews
                for rule in one.rules
            ],
        ),
        "identity_claim": (
            {"line": "bigint", "place": "varchar", "network": "varchar", "handle": "varchar",
             "left_key": "varchar", "right_key": "varchar", "basis": "varchar",
             "evidence": "varchar", "author": "varchar", "asserted_at": "date",
             "expires_at": "date", "revoked_at": "date"},
            [
                (claim.line, claims.place(claim.line), *(claim.handle or (None, None)),
                 None if claim.handle else claim.left, claim.right, claim.basis, claim.evidence,
                 claim.author, claim.asserted_at, claim.expires_at, claim.revoked_at)
                for claim in told.claims
            ],
        ),
        "identity_suppression": (
            {"line": "bigint", "place": "varchar", "profile_key": "varchar", "digest": "varchar",
             "scope": "varchar", "basis": "varchar"},
            [
                (line.line, suppressions.place(line.line), line.profile_key, line.digest,
                 line.scope, line.basis)
                for line in told.suppressions
            ],
        ),
        "identity_pin": (
            {"line": "bigint", "place": "varchar", "subject": "varchar", "field": "varchar",
             "value": "varchar", "since": "date"},
            [
                (pin.line, pins.place(pin.line), pin.subject, pin.field, pin.value, pin.since)
                for pin in told.pins
            ],
        ),
        "link_policy": (
            {"source": "varchar", "is_own_space": "boolean", "basis": "varchar"},
            claims.policies(config.sources.values()),
        ),
        "handle_fields": (
            {"source": "varchar", "stream": "varchar", "field": "varchar", "network": "varchar"},
            list(handle_fields(config)),
        ),
        "behavior_weights": (
            {"behavior": "varchar", "weight": "double", "half_life_days": "double"},
            chosen.weights,
        ),
        "segment_rules": (
            {"segment_type": "varchar", "origin": "varchar", "field": "varchar"},
            chosen.segment_rules,
        ),
        "cadence_steps": (
            {"step": "varchar", "behavior": "varchar", "is_community_only": "boolean"},
            chosen.cadence_steps,
        ),
        "qualities": ({"quality": "varchar", "indicator": "varchar"}, chosen.qualities),
        "private_stems": ({"kind": "varchar", "stem": "varchar"}, chosen.private_stems),
        "service_minutes": ({"kind": "varchar", "minutes": "double"}, chosen.service_minutes),
        "goals": (
            {"goal": "varchar", "relationship": "varchar", "metric_table": "varchar",
             "metric": "varchar", "unit": "varchar", "is_additive": "boolean",
             "segment_type": "varchar", "segment": "varchar", "direction": "varchar",
             "target": "double", "due_on": "date", "owner": "varchar", "horizon": "varchar",
             "why": "varchar", "serves": "varchar", "signed_off_on": "date"},
            chosen.goals,
        ),
        "tier_programmes": (
            {"programme": "varchar", "owner": "varchar", "segment_type": "varchar",
             "segment": "varchar", "review_every": "varchar", "review_day": "bigint",
             "grace_days": "bigint"},
            chosen.tiers.programmes,
        ),
        "tiers": (
            {"programme": "varchar", "tier_rank": "bigint", "tier": "varchar", "perks": "varchar"},
            chosen.tiers.tiers,
        ),
        "tier_measures": (
            {"programme": "varchar", "measure": "varchar", "origin": "varchar",
             "field": "varchar", "days": "bigint"},
            chosen.tiers.measures,
        ),
        "tier_behaviors": (
            {"programme": "varchar", "measure": "varchar", "behavior": "varchar"},
            chosen.tiers.behaviors,
        ),
        "tier_shares": (
            {"programme": "varchar", "measure": "varchar", "part": "varchar", "whole": "varchar",
             "short_part": "varchar", "short_whole": "varchar",
             "short_at_least": "decimal(28, 9)", "prior_n": "decimal(28, 9)",
             "prior_share": "decimal(28, 9)"},
            chosen.tiers.shares,
        ),
        "tier_rules": (
            {"programme": "varchar", "tier_rank": "bigint", "clause": "bigint",
             "rule": "bigint", "measure": "varchar", "words": "varchar", "comparison": "varchar",
             "threshold": "decimal(28, 9)", "or_count": "decimal(28, 9)",
             "keep_threshold": "decimal(28, 9)", "keep_count": "decimal(28, 9)"},
            chosen.tiers.rules,
        ),
        "strategy_versions": (
            {"number": "bigint", "version": "varchar", "since": "timestamptz",
             "fingerprint": "varchar", "changes": "varchar"},
            strategy_versions.rows(config.home),
        ),
        "settings": (
            {"name": "varchar", "value": "varchar"},
            [
                *chosen.settings,
                ("phone_region", config.phone_region),
                ("currency", config.currency),
            ],
        ),
        "custom_fields": (
            {"source": "varchar", "stream": "varchar", "field": "varchar", "type": "varchar",
             "pii": "varchar"},
            [(n, s, f["name"], f.get("type", "text"), f.get("pii", "none")) for n, s, f in custom],
        ),
        "custom_objects": (
            {"source": "varchar", "stream": "varchar", "object_name": "varchar"},
            _custom_objects(config),
        ),
        "column_meanings": (
            {"source": "varchar", "stream": "varchar", "field": "varchar", "meaning": "varchar"},
            [(n, s, f["name"], f["meaning"]) for n, s, f in custom if f.get("meaning")],
        ),
    }  # fmt: skip


def _source_of(line: Mapping[str, Any]) -> str:
    return str(line["place"]).partition(".")[0]


def _table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Mapping[str, str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    shape = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"create or replace table {name} ({shape})")
    if rows:
        marks = ", ".join("?" for _ in columns)
        connection.executemany(f"insert into {name} values ({marks})", [list(row) for row in rows])


def _untyped_rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[Any, ...]]:
    """Return (source, stream, key, seq, what could not be typed) of a staging table."""
    columns = {row[0] for row in connection.execute(f"describe main.{_quoted(table)}").fetchall()}
    if "_error" not in columns:
        return []
    return connection.execute(
        f"select _source, _stream, _key, _seq, _error from main.{_quoted(table)} "
        "where _error is not null order by _source, _stream, _seq"
    ).fetchall()


def _quarantine_untyped(
    home: Path, source: str, stream: str, untyped: Untyped, seen_at: datetime
) -> None:
    """Write what a stream's records could not be typed as, in place of the last build's."""
    quarantine = Quarantine(home, source, stream)
    (quarantine.folder / f"{STAGING}.jsonl").unlink(missing_ok=True)
    rows = untyped.get((source, stream), [])
    if rows:
        records = Landing(home).stream(source, stream).records([seq for _, seq, _ in rows])
        rejected = [
            Rejected(key=key, reason="untyped", detail=detail, text=records.get(seq, b""))
            for key, seq, detail in rows
        ]
        quarantine.add(rejected, sync_id=STAGING, seen_at=seen_at)


def _landing_fingerprint(config: Config) -> str:
    """Digest of the number of landed rows per stream: equal when nothing landed."""
    landing = Landing(config.home)
    return _digest(
        f"{name}/{stream.name}/{landing.stream(name, stream.name).summary()['rows']}"
        for name in config.sources
        for stream in declared_streams(config, name)
    )


def _staging_inputs(config: Config) -> list[str]:
    sources = {name: [s.type, dict(s.settings)] for name, s in config.sources.items()}
    return [json.dumps([sources, config.own_domains, config.phone_region, config.currency],
                       sort_keys=True, default=str)]  # fmt: skip


def _models() -> Iterable[str]:
    for pattern in ("models/**/*", "macros/**/*", "seeds/**/*", "dbt_project.yml"):
        for path in sorted(dbt.PROJECT.glob(pattern)):
            if path.is_file() and path.suffix in {".sql", ".yml", ".csv", ".py"}:
                yield path.read_text(encoding="utf-8")
    # what models in Python keep from build to build was made by these
    for path in sorted((dbt.ROOT / "rapport" / "identity").glob("*.py")):
        yield path.read_text(encoding="utf-8")


def _digest(*parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for text in part:
            digest.update(text.encode() + b"\0")
    return digest.hexdigest()


def _remembered(config: Config) -> dict[str, str]:
    path = config.home / "build.json"
    if not path.exists():
        return {}
    remembered: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return remembered


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _escaped(text: str) -> str:
    return text.replace("'", "''")
