"""What two CRMs and a forum tell without anything else, column by column.

Belongs here: the page docs/alone.md, from a real build of these sources and from `alone.yml`. Does
not belong here: what a column means (`rapport.reference`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml

from connectors.sync import sync_stream
from rapport import build, dbt, demo
from rapport.dbt import ROOT
from sandbox.server import serve

SOURCE_TYPES = ("salesforce", "hubspot", "discourse")
PEOPLE, SEED = 150, 11
NOW = datetime(2026, 6, 30, tzinfo=UTC)
PAGE = ROOT / "docs" / "alone.md"
DECLARED = Path(__file__).with_name("alone.yml")
OTHERS = "others"

_HEAD = """# What three sources tell alone

Salesforce, HubSpot and Discourse, and nothing else: no shop, no social network, no `strategy.yml`.
Which columns of the relationship tables hold a value then, and what would light the others? What
nobody knows is null and never 0. This page is written from a build of the sandbox with these three
sources, for one day: a column is lit if any row has a value.
"""


@dataclass(frozen=True, kw_only=True)
class Lit:
    """A relationship table as it was built: its rows, and its columns with and without a value."""

    rows: int
    known: Sequence[str]
    unknown: Sequence[str]


def built(home: Path) -> Path:
    """Read a sandbox of the three sources into `home`, build one day; return the database."""
    with serve(people=PEOPLE, seed=SEED, port=0, now=NOW, vendors=SOURCE_TYPES) as sandbox:
        config = demo.write_config(home, sandbox.credentials)
        config.strategy_path.unlink()
        for name in config.sources:
            source = config.open(name)
            for stream in source.streams():
                sync_stream(source, stream, config.home)
    # the twelve months before would light nothing more
    plan = replace(build.plan(config), full_refresh=False)
    build.prepare(config, plan)
    results = dbt.run(config.home, ["build", "--exclude-resource-type", "test", "unit_test"])
    if failed := dbt.failure(results, config.home):
        raise failed
    return config.home / build.BUILD_NAME


def lit(database: Path) -> dict[str, Lit]:
    """Return relationship table -> which of its columns hold a value in any row."""
    found = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        tables: dict[str, list[str]] = dict(
            connection.execute(
                "select table_name, list(column_name order by column_index) "
                "from duckdb_columns() where schema_name = 'main' "
                "and starts_with(table_name, 'rel_') group by 1 order by 1"
            ).fetchall()
        )
        for table, columns in tables.items():
            counts = ", ".join(f"count({column})" for column in columns)
            [(rows, *values)] = connection.execute(
                f"select count(*), {counts} from {table}"
            ).fetchall()
            told = dict(zip(columns, values, strict=True))
            found[table] = Lit(
                rows=rows,
                known=[column for column in columns if told[column]],
                unknown=[column for column in columns if not told[column]],
            )
    return found


def remedies() -> dict[str, str]:
    """Return name -> in words what would light a column."""
    found: dict[str, str] = _declared()["remedies"]
    return found


def unlit(found: Mapping[str, Lit], *, by_the_demo: bool = False) -> dict[tuple[str, str], str]:
    """Return (table, column) -> name of what would light it, as declared.

    Args:
        found: the tables, for the names of their columns.
        by_the_demo: only what the whole demo lights.
    """
    declared = _declared()
    chosen = declared["by_the_demo"] if by_the_demo else declared["remedies"]
    pairs: dict[tuple[str, str], str] = {}
    for table, told in declared["unlit"].items():
        columns = [*found[table].known, *found[table].unknown]
        named = {name for names in told.values() if names != OTHERS for name in names}
        for remedy, names in told.items():
            if remedy in chosen:
                lights = [one for one in columns if one not in named] if names == OTHERS else names
                pairs |= {(table, name): remedy for name in lights}
    return pairs


def page(found: Mapping[str, Lit]) -> str:
    """Return the page.

    Raises:
        KeyError: nobody declared what would light a column.
    """
    words, why = remedies(), unlit(found)
    known = sum(len(one.known) for one in found.values())
    total = known + sum(len(one.unknown) for one in found.values())
    whole = sum(not one.unknown for one in found.values())
    sections = [
        f"Of {total} columns in {len(found)} tables {known} are lit; {whole} tables are whole.",
        "| to light | columns |\n| --- | --- |\n"
        + "\n".join(
            f"| {text} | {sum(remedy == name for remedy in why.values())} |"
            for name, text in words.items()
        ),
    ]
    for table, one in found.items():
        lines = [f"## {table}", f"{len(one.known)} of {len(one.known) + len(one.unknown)} lit."]
        if one.known:
            lines.append(", ".join(f"`{column}`" for column in one.known))
        by_remedy: dict[str, list[str]] = {}
        for column in one.unknown:
            by_remedy.setdefault(why[table, column], []).append(f"`{column}`")
        if by_remedy:
            rows = [f"| {', '.join(names)} | {words[name]} |" for name, names in by_remedy.items()]
            lines.append("\n".join(["| unknown | what would light it |", "| --- | --- |", *rows]))
        sections.append("\n\n".join(lines))
    return "\n\n".join([_HEAD.strip(), *sections]) + "\n"


def _declared() -> dict[str, Any]:
    declared: dict[str, Any] = yaml.safe_load(DECLARED.read_text(encoding="utf-8"))
    return declared


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        PAGE.write_text(page(lit(built(Path(folder)))), encoding="utf-8")
