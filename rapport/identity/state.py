"""Where the ledger of ids lies between two runs.

Belongs here: the files of a run's ledger, which run's count, and reading them back. Does not
belong here: what stands in a ledger (`ledger`).

    <home>/identity/<publication>/ledger.parquet, event.parquet

A folder per publication, named like it, written before the publication is swapped in: the one
rename that makes its tables the current ones also makes its ledger the one to go on from. So a
build that was never published moves no id, and neither a lost build.duckdb nor a full refresh
changes any.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import duckdb

from connectors.landing import flush
from rapport.identity.ledger import EVENTS, LEDGER

TABLES = {"identity_ledger": LEDGER, "identity_event": EVENTS}
"""Table of a build -> its shape. The control schema has the last run's under the same names."""

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
    """Make `control.identity_ledger` and `control.identity_event`, which are not there yet.

    They are views: a build that goes on from its own last one reads them but in passing.
    """
    folder = current(home)
    for name, shape in TABLES.items():
        if folder:
            rows = f"read_parquet({_literal(_file(folder, name))})"
            columns = _KEYS_OF_TODAY.get(name, "*")
            connection.execute(f"create view control.{name} as select {columns} from {rows}")
        else:
            connection.register("nothing", shape.empty_table())
            connection.execute(f"create table control.{name} as select * from nothing")
            connection.unregister("nothing")


def save(
    connection: duckdb.DuckDBPyConnection, database: str, home: Path, publication: str
) -> None:
    """Write what an attached build database holds, for `publication` to be swapped in with.

    A build without identity leaves nothing.
    """
    folder = home / "identity" / publication
    built = connection.execute(
        "select table_name from duckdb_tables() where database_name = ? and schema_name = 'main'",
        [database],
    ).fetchall()
    for name in TABLES:
        if (name,) in built:
            folder.mkdir(parents=True, exist_ok=True)
            connection.execute(
                f"copy (select * from {database}.main.{name} order by all) "
                f"to {_literal(_file(folder, name))} (compression zstd)"
            )
            flush(_file(folder, name))


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


def _file(folder: Path, table: str) -> Path:
    return folder / f"{table.removeprefix('identity_')}.parquet"


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
