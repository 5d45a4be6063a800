"""Where the ledger of ids lies between two runs.

Belongs here: the files of a run's ledger, which run's count, and reading them back. Does not
belong here: what stands in a ledger (`ledger`).

    <home>/identity/<publication>/ledger.parquet, event.parquet        a ledger as it once was
                                  ledger_since.parquet, event_since.parquet  what changed since
                                  run.txt                              the run it is of

A folder per publication, named like it, written before the publication is swapped in: the one
rename that makes its tables the current ones also makes its ledger the one to go on from. So a
build that was never published moves no id, and neither a lost build.duckdb nor a full refresh
changes any.

A run that did only what was touched writes only that: the large files are links to those of the
publication before, until a tenth of them is outdated.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Set
from pathlib import Path

import duckdb
import pyarrow as pa

from connectors.landing import flush
from rapport.identity.ledger import EVENTS, LEDGER

TABLES = {"identity_ledger": LEDGER, "identity_event": EVENTS}
"""Table of a build -> its shape. The control schema has the last run's under the same names."""

RUN_NAME = "run.txt"
OUTDATED = 0.1
"""Share of a ledger that is written apart before all of it is written again."""

# What was written since stands for all that the ledger told of those profiles; a row without an id
# says that no id has the profile any more.
_WITH_CHANGES = {
    "identity_ledger": (
        "select * from {whole} where profile_key not in (select profile_key from {since}) "
        "union all by name select * from {since} where id is not null"
    ),
    "identity_event": "select * from {whole} union all by name select * from {since}",
}
_CHANGES = {
    "identity_ledger": """
        with keys as (
            select profile_key from {database}.main.identity_held union
            select profile_key from {since}
        ),
        held as (
            select {columns} from {database}.main.identity_ledger semi join keys using (profile_key)
        )
        select * from held
        union all by name
        select profile_key from keys anti join held using (profile_key)
    """,
    "identity_event": """
        from {database}.main.identity_event
        where occurred_at > (select coalesce(max(occurred_at), '-infinity') from {whole})
    """,
}

# Before keys had digests of addresses a ledger held the addresses: who is meant stays the same, and
# with the key the id.
_KEYS_OF_TODAY = {
    "identity_ledger": """* replace (
        case
            when regexp_matches(profile_key, '^[^:]+:[^:]+:mailto:.*@')
                then regexp_extract(profile_key, '^[^:]+:[^:]+:mailto:')
                    || sha256(regexp_extract(profile_key, '^[^:]+:[^:]+:mailto:(.+)$', 1))
            else profile_key
        end as profile_key
    )"""
}
_PUBLICATION = re.compile(r"\d{8}T\d{12}")


def current(home: Path) -> Path | None:
    """Return the folder of the ledger that the current publication was made with.

    If that one is lost, the newest there is; None before the first publication.
    """
    published = home / "published" / "current"
    if published.is_symlink() and (home / "identity" / published.readlink().name).is_dir():
        return home / "identity" / published.readlink().name
    return max(_folders(home), default=None)


def load(connection: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Make `control.identity_ledger`, `identity_event` and `identity_published`.

    None of them is there yet. The first two are views: a build that goes on from its own last one
    reads them but in passing. The last tells whose ids they are.
    """
    folder = current(home)
    for name, shape in TABLES.items():
        if folder:
            columns = _KEYS_OF_TODAY.get(name, "*")
            query = _read(folder, name)
            connection.execute(f"create view control.{name} as select {columns} from ({query})")
        else:
            connection.register("nothing", shape.empty_table())
            connection.execute(f"create table control.{name} as select * from nothing")
            connection.unregister("nothing")
    connection.execute("create table control.identity_published (run varchar)")
    if folder and (run := _run_of(folder)):
        connection.execute("insert into control.identity_published values (?)", [run])


def save(
    connection: duckdb.DuckDBPyConnection, database: str, home: Path, publication: str
) -> None:
    """Write what an attached build database holds, for `publication` to be swapped in with.

    A build without identity leaves nothing.
    """
    folder = home / "identity" / publication
    built = {
        name
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() "
            "where database_name = ? and schema_name = 'main'",
            [database],
        ).fetchall()
    }
    if not built & TABLES.keys():
        return
    folder.mkdir(parents=True, exist_ok=True)
    before = current(home)
    goes_on = before is not None and _goes_on(connection, database, built, before)
    for name, shape in TABLES.items():
        if name not in built:
            continue
        if not (goes_on and before and _add(connection, database, before, folder, name, shape)):
            columns = ", ".join(shape.names)
            _write(connection, f"select {columns} from {database}.main.{name}", _file(folder, name))
    if "identity_seen" in built:
        runs = connection.execute(
            f"select name from {database}.main.identity_seen where kind = 'run'"
        ).fetchall()
        for (run,) in runs:
            (folder / RUN_NAME).write_text(run, encoding="utf-8")
            flush(folder / RUN_NAME)


def _goes_on(
    connection: duckdb.DuckDBPyConnection, database: str, built: Set[str], before: Path
) -> bool:
    """Tell whether a build did only a part, on top of what a publication holds."""
    if not {"identity_held", "identity_delta", "identity_seen"} <= built or not _run_of(before):
        return False
    query = (
        f"select (select count(*) from {database}.main.identity_delta where change = 'whole') = 0 "
        f"and (select max(run) from {database}.control.identity_published) = ?"
    )
    return connection.execute(query, [_run_of(before)]).fetchall() == [(True,)]


def _add(
    connection: duckdb.DuckDBPyConnection,
    database: str,
    before: Path,
    folder: Path,
    name: str,
    shape: pa.Schema,
) -> bool:
    """Write what of a table is other than a publication's whole file; False if that is much."""
    whole = f"read_parquet({_literal(_file(before, name))})"
    connection.register("nothing", shape.empty_table())
    since = _since(before, name) or "nothing"
    query = _CHANGES[name].format(
        database=database, whole=whole, since=since, columns=", ".join(shape.names)
    )
    path = _file(folder, name, "_since")
    _write(connection, query, path)
    connection.unregister("nothing")
    counts = "select (select count(*) from read_parquet(?)) <= ? * (select count(*) from {})"
    [(is_little,)] = connection.execute(counts.format(whole), [str(path), OUTDATED]).fetchall()
    if is_little:
        os.link(_file(before, name), _file(folder, name))
    else:
        path.unlink()
    return bool(is_little)


def _write(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    connection.execute(
        f"copy (select * from ({query}) order by all) to {_literal(path)} (compression zstd)"
    )
    flush(path)


def _read(folder: Path, name: str) -> str:
    """Return the query of a table as a publication has it."""
    whole = f"read_parquet({_literal(_file(folder, name))})"
    since = _since(folder, name)
    return _WITH_CHANGES[name].format(whole=whole, since=since) if since else f"from {whole}"


def _since(folder: Path, name: str) -> str | None:
    path = _file(folder, name, "_since")
    return f"read_parquet({_literal(path)})" if path.exists() else None


def _run_of(folder: Path) -> str | None:
    path = folder / RUN_NAME
    return path.read_text(encoding="utf-8") if path.exists() else None


def forget(home: Path, publication: str) -> None:
    """Remove what was saved for a publication that did not come about."""
    shutil.rmtree(home / "identity" / publication, ignore_errors=True)


def prune(home: Path) -> None:
    """Remove the ledgers of publications that are not kept any more."""
    for folder in _folders(home):
        if not (home / "published" / folder.name).exists():
            forget(home, folder.name)


def _folders(home: Path) -> list[Path]:
    """Return the folders of ledgers; beside them may lie what people write."""
    kept = home / "identity"
    found = kept.iterdir() if kept.is_dir() else ()
    return [path for path in found if path.is_dir() and _PUBLICATION.fullmatch(path.name)]


def _file(folder: Path, table: str, kind: str = "") -> Path:
    return folder / f"{table.removeprefix('identity_')}{kind}.parquet"


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
