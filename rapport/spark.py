"""The same build on Spark, for those who outgrow one machine.

Belongs here: what Spark finds before dbt starts (views on the landing files and on the control
tables), the dbt commands, and the models in Python, which dbt does not run on a Spark session.
Does not belong here: what a model computes, or how the engines' SQL differs (`dbt_project`).

Needs the extra `spark` and Java 17. Where Spark runs and keeps its tables stands in
`dbt_project/profiles.yml`, target `spark`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from connectors import registry
from connectors.errors import BuildError
from connectors.landing import Landing
from connectors.landing import schema as landed_schema
from rapport import build
from rapport.build import BuildPlan
from rapport.config import Config
from rapport.dbt import PROJECT

JAVA_MAJOR = 17
DATABASE = "main"
KEY_HASH = """
create macro hash(text) as cast('0x' || substr(md5(text), 1, 15) as ubigint)
"""
"""`spark__key_hash`, for models in Python: tables of both are joined by such numbers."""


def missing() -> str | None:
    """Return in one line what Spark lacks here and how to get it; None when it can run."""
    if any(importlib.util.find_spec(name) is None for name in ("pyspark", "dbt.adapters.spark")):
        return "PySpark is missing: run `make spark`, or install the extra `spark`."
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    told = ""
    if java and Path(java).exists():
        told = subprocess.run(
            [java, "-version"], capture_output=True, text=True, check=False
        ).stderr
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found[1]) < JAVA_MAJOR:
        return (
            f"Java {JAVA_MAJOR} or later is missing "
            f"({f'found Java {found[1]}' if found else 'found none'}): install a JRE, for example "
            f"`apt-get install openjdk-{JAVA_MAJOR}-jre-headless`, or set JAVA_HOME."
        )
    return None


def build_tables(config: Config, plan: BuildPlan, select: Sequence[str] = ()) -> list[str]:
    """Build the selected models (none: all) on Spark from `config`'s landing.

    Staging is read from the first landing file. Spark stays up for the caller's own questions;
    the tables lie in the database `main`.

    Returns:
        The names of the seeds and models built, in order.

    Raises:
        BuildError: Spark cannot run here, or a model failed.
    """
    folder = config.home / "spark"
    return build_from(folder, prepare(config, plan, folder), select)


def prepare(config: Config, plan: BuildPlan, folder: Path) -> dict[str, str]:
    """Return view -> query of all that dbt finds before it starts, as `build.prepare` has it.

    Landing files of vendors are read where they lie. What a mapping or the configuration tells
    is small beside them: DuckDB writes it to `folder` as Parquet.
    """
    landing = Landing(config.home)
    views = {
        f"landing.{type_name}__{stream.name}": _landing_query(
            config, landing, type_name, stream.name
        )
        for type_name in registry.TYPES
        for stream in registry.module(type_name).STREAMS
    }
    with duckdb.connect() as connection:
        build.write_schemas(connection, config, plan)
        return copied(connection, folder, but=views) | views


def copied(
    connection: duckdb.DuckDBPyConnection, folder: Path, but: Collection[str] = ()
) -> dict[str, str]:
    """Write the schemas `landing` and `control`, except `but`, as Parquet; return their views."""
    target = folder.resolve() / "prepared"
    target.mkdir(parents=True, exist_ok=True)
    views = {}
    for (name,) in connection.execute(
        "select table_schema || '.' || table_name from information_schema.tables "
        "where table_schema in ('landing', 'control') order by 1"
    ).fetchall():
        if name not in but:
            path = target / f"{name}.parquet"
            connection.execute(f"copy (from {name}) to '{path}' (format parquet)")
            views[name] = f"select * from {_parquet(path)}"
    return views


def build_from(folder: Path, views: Mapping[str, str], select: Sequence[str] = ()) -> list[str]:
    """Build on Spark from `views` (name -> query), with all that Spark keeps in `folder`."""
    if lack := missing():
        raise BuildError(lack)
    os.environ["RAPPORT_SPARK_HOME"] = str(folder.resolve())
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    dbt = _Dbt(folder)
    schemas = sorted({name.partition(".")[0] for name in views} | {DATABASE})
    statements = [f"create schema if not exists {name}" for name in schemas]
    statements += [f"create or replace view {name} as {query}" for name, query in views.items()]
    dbt.invoke("run-operation", "run_statements", "--args", json.dumps({"statements": statements}))

    selected = dbt.list_names(select)
    python = [name for name in dbt.python_models() if name in selected]
    built: list[str] = []
    part = list(select)
    for index in range(len(python) + 1):
        later = [f"{name}+" for name in python[index:]]
        built += dbt.build(part, [*python, *later])
        if index < len(python):
            dbt.run_python(python[index])
            built.append(python[index])
            part = [f"{chosen},{python[index]}+" for chosen in select] or [f"{python[index]}+"]
    return built


class _Dbt:
    """dbt in this process, which the Spark session lives in."""

    def __init__(self, folder: Path) -> None:
        from dbt.cli.main import dbtRunner

        self._runner: Any = dbtRunner
        self._logs = folder / "logs"
        self._arguments = [
            *("--target", "spark", "--project-dir", str(PROJECT)),
            *("--profiles-dir", str(PROJECT)),
            *("--target-path", str(folder / "target"), "--log-path", str(self._logs)),
        ]
        self._manifest: Any = None
        self._manifest = self.invoke("parse")

    def invoke(self, command: str, *arguments: str) -> Any:
        """Run a dbt command and return its result; raise `BuildError` with the first complaint."""
        # a run leaves its compiled text in the manifest, and a later run would take it from there
        manifest = self._manifest and self._manifest.deepcopy()
        done = self._runner(manifest=manifest).invoke(
            ["--quiet", command, *arguments, *self._arguments]
        )
        if not done.success:
            said = done.exception or next(
                f"{run.node.name}: {run.message}" for run in done.result if run.status == "error"
            )
            raise BuildError(
                f"dbt failed on Spark: {' '.join(str(said).split())[:600]}. "
                f"The whole log is in {self._logs}."
            )
        return done.result

    def list_names(self, select: Sequence[str]) -> set[str]:
        chosen = ["--select", *select] if select else []
        found = self.invoke("ls", *chosen, "--resource-type", "model", "--output", "name")
        return set(found)

    def build(self, select: Sequence[str], exclude: Sequence[str]) -> list[str]:
        """Build seeds and models, without tests, and return their names."""
        chosen = [
            *(["--select", *select] if select else []),
            *(["--exclude", *exclude] if exclude else []),
        ]
        result = self.invoke(
            *("build", "--full-refresh", "--resource-type", "model", "--resource-type", "seed"),
            *chosen,
        )
        return [run.node.name for run in result]

    def python_models(self) -> list[str]:
        """Return the names of the models in Python, each after those it needs."""
        nodes = self._manifest.nodes
        order = TopologicalSorter(self._manifest.parent_map).static_order()
        return [
            nodes[key].name for key in order if key in nodes and nodes[key].language == "python"
        ]

    def run_python(self, name: str) -> None:
        """Run a model in Python on tables that Spark built, and give Spark its rows."""
        from pyspark.sql import SparkSession

        [node] = [node for node in self._manifest.nodes.values() if node.name == name]
        path = PROJECT / node.original_file_path
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        spark = SparkSession.builder.getOrCreate()
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(KEY_HASH)
            rows = module.model(_Session(spark, connection), connection)
            if isinstance(rows, pa.Table):
                rows = connection.from_arrow(rows)
            # Spark's whole numbers have a sign
            told = (
                f"cast({column} as bigint) as {column}" if type == "UBIGINT" else column
                for column, type in zip(rows.columns, rows.types, strict=True)
            )
            found = spark.createDataFrame(rows.project(", ".join(told)).to_arrow_table())
            found.write.mode("overwrite").saveAsTable(f"{DATABASE}.{name}")


class _Session:
    """What a model in Python asks dbt for, from Spark's tables as DuckDB's."""

    is_incremental = False

    def __init__(self, spark: Any, connection: duckdb.DuckDBPyConnection) -> None:
        self._spark = spark
        self._connection = connection

    def config(self, **settings: Any) -> None:
        """Nothing to set: it is always a table."""

    def ref(self, name: str) -> duckdb.DuckDBPyRelation:
        return self.source(DATABASE, name)

    def source(self, schema: str, name: str) -> duckdb.DuckDBPyRelation:
        return self._connection.from_arrow(self._spark.table(f"{schema}.{name}").toArrow())


def _landing_query(config: Config, landing: Landing, type_name: str, stream: str) -> str:
    landed = landed_schema()
    columns = ", ".join(landed.names)
    parts = [
        f"select '{name}' as _source, '{stream}' as _stream, {columns} "
        f"from {_parquet(landing.stream(name, stream).folder)}"
        for name, source in config.sources.items()
        if source.type == type_name and landing.stream(name, stream).files()
    ]
    types = {"int64": "bigint", "timestamp[us, tz=UTC]": "timestamp"}
    empty = ", ".join(
        f"cast(null as {types.get(str(field.type), 'string')}) as {field.name}" for field in landed
    )
    return " union all ".join(parts) or (
        f"select cast(null as string) as _source, cast(null as string) as _stream, {empty} "
        "where false"
    )


def _parquet(path: Path) -> str:
    return f"parquet.`{str(path.resolve()).replace('`', '``')}`"
