"""The published copy: what analysts and the report open, swapped whole.

Belongs here: copying marts and metrics out of build.duckdb, and the swap. Does not belong here:
whether a build is good enough to publish (blocking checks, before this is called).

    <home>/published/<id>/warehouse.duckdb, marts/*.parquet   one folder per publication
    <home>/published/current -> <id>                          the swap: one rename of this link
    <home>/warehouse.duckdb  -> published/current/warehouse.duckdb
    <home>/marts             -> published/current/marts
    <home>/identity/<id>     the ids it was published with (`rapport.identity.state`)

Why links: DuckDB keeps a write-ahead log beside the *real* file. Somebody who opened the
previous publication read-write therefore logs beside the previous file; with a plain rename
their log would lie beside the new file and be replayed onto it. Open readers keep what they
opened; the next open sees the new one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from connectors.errors import PublishError
from connectors.landing import flush
from rapport.build import BUILD_NAME, WAREHOUSE_NAME, BuildPlan, remember
from rapport.config import Config
from rapport.dbt import PUBLISHED_PREFIXES
from rapport.identity import gate, state

STORAGE_VERSION = "v1.0.0"  # files of this version open in every DuckDB client since 1.0
KEPT_PUBLICATIONS = 2


@dataclass(frozen=True, kw_only=True)
class Published:
    """What was published: the link to open, rows per table, and the day they describe."""

    path: Path
    tables: Mapping[str, int]
    as_of: date


def publish(config: Config, plan: BuildPlan, *, accept_merges: bool = False) -> Published:
    """Copy marts and metrics to a new read-only file and swap it in with one rename.

    Args:
        accept_merges: somebody has looked at how many people the build makes one.

    Raises:
        MergesRefused: it makes too many people one; the old one stays.
        PublishError: nothing is built, the copy cannot be written (the old one stays), or what
            follows the swap fails (the new one stays).
    """
    build = config.home / BUILD_NAME
    if not build.exists():
        raise PublishError(
            f"nothing to publish: {build.name} is not there. Run `rapport build` first."
        )
    if not accept_merges:
        gate.refuse_bad_merges(build)
    folder = config.home / "published" / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    try:
        (folder / "marts").mkdir(parents=True)
        tables = _copy(build, folder, plan.as_of, plan.known_at)
        _swap(config.home, folder)
    except (OSError, duckdb.Error) as error:
        if _is_current(folder):
            raise PublishError(
                f"the new tables are in place under {folder.parent / 'current'}, but not all links "
                f"to them: {error}. Check permissions of the home folder and run `rapport build` "
                "again."
            ) from error
        shutil.rmtree(folder, ignore_errors=True)
        state.forget(config.home, folder.name)
        raise PublishError(
            f"publishing failed, the previous warehouse stays: {error}. "
            "Check free space and permissions of the home folder and run `rapport build` again."
        ) from error
    remember(config, plan)
    return Published(path=config.home / WAREHOUSE_NAME, tables=tables, as_of=plan.as_of)


def _copy(build: Path, folder: Path, as_of: date, known_at: datetime) -> dict[str, int]:
    rows: dict[str, int] = {}
    warehouse = folder / WAREHOUSE_NAME
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach {_literal(build)} as build (read_only)")
        connection.execute(
            f"attach {_literal(warehouse)} as published (storage_version '{STORAGE_VERSION}')"
        )
        for name in _tables(connection):
            # Sorted, so that equal rows make an equal file whatever the order of the build.
            connection.execute(
                f'create table published.main."{name}" as '
                f'select * from build.main."{name}" order by all'
            )
            connection.execute(
                f'copy published.main."{name}" '
                f"to {_literal(folder / 'marts' / f'{name}.parquet')} (compression zstd)"
            )
            rows[name] = connection.execute(
                f'select count(*) from published.main."{name}"'
            ).fetchall()[0][0]
        connection.execute(
            "create table published.main.publication as "
            "select ?::date as as_of, ?::timestamptz as known_at",
            [as_of, known_at],
        )
        rows["publication"] = 1
        for statement in _comments(connection):
            connection.execute(statement)
        connection.execute("detach published")
        state.save(connection, "build", folder.parent.parent, folder.name)
    for path in [warehouse, *(folder / "marts").iterdir()]:
        path.chmod(0o444)
        flush(path)
    return rows


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    names = connection.execute(
        "select table_name from duckdb_tables() "
        "where database_name = 'build' and schema_name = 'main' order by table_name"
    ).fetchall()
    return [name for (name,) in names if name.startswith(PUBLISHED_PREFIXES)]


def _comments(connection: duckdb.DuckDBPyConnection) -> list[str]:
    tables = connection.execute(
        "select 'table', table_name, null, comment from duckdb_tables() "
        "where database_name = 'build' and schema_name = 'main' and comment is not null "
        "union all select 'column', table_name, column_name, comment from duckdb_columns() "
        "where database_name = 'build' and schema_name = 'main' and comment is not null "
        "order by all"
    ).fetchall()
    statements = []
    for kind, table, column, comment in tables:
        if table.startswith(PUBLISHED_PREFIXES):
            target = f'published.main."{table}"' + (f'."{column}"' if column else "")
            statements.append(f"comment on {kind} {target} is {_literal(comment)}")
    return statements


def _swap(home: Path, folder: Path) -> None:
    published = folder.parent
    _link(published / "current", folder.name)
    for name in (WAREHOUSE_NAME, "marts"):
        link = home / name
        target = os.path.join("published", "current", name)  # noqa: PTH118 (a relative link)
        if not link.is_symlink() or link.readlink() != Path(target):
            _link(link, target)
    # A log that an old client left beside the link would be replayed onto the new file.
    wal = home / f"{WAREHOUSE_NAME}.wal"
    if wal.exists():
        wal.replace(published / f"stale-{folder.name}.wal")
    kept = sorted(path for path in published.iterdir() if path.is_dir() and not path.is_symlink())
    for old in kept[:-KEPT_PUBLICATIONS]:
        shutil.rmtree(old, ignore_errors=True)
    state.prune(home)


def _is_current(folder: Path) -> bool:
    """Say whether a publication is swapped in: readers open it already."""
    current = folder.parent / "current"
    return current.is_symlink() and current.readlink() == Path(folder.name)


def _link(link: Path, target: str) -> None:
    """Point `link` at `target` with one rename; a plain file or folder there makes way."""
    if link.exists() and not link.is_symlink():
        link.rename(link.with_name(f"{link.name}.before-links"))
    temporary = link.with_name(f".{link.name}.next")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
    flush(link.parent)


def _literal(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
