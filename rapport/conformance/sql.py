"""The stage of a database: one table, read in the four ways in which rapport.yml can say so.

    by_time    by its change stamp           marked   the same, with a column that marks deletes
    by_number  by a number that only grows   whole    a query that is read from end to end

SQLite; PostgreSQL if the source's `url` names one and its programs are installed here. One
PostgreSQL serves all plays of a process, each has a database of its own.

Belongs here: the table, and what is true of it. Does not belong here: what goes wrong with it
(`database_faults`).
"""

from __future__ import annotations

import atexit
import itertools
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa

from rapport.conformance import stage
from rapport.conformance.postgres import PASSWORD, Cluster, postgres_programs, running
from sandbox.clock import Clock

LOCK_WAIT_S = 0.3
_numbers = itertools.count(1)


class _Told(Clock):
    """A clock that tells the database what time it is."""

    def __init__(self, now: datetime, tell: Callable[[datetime], None]) -> None:
        super().__init__(now)
        self._tell = tell

    def advance(self, *, days: float = 0, seconds: float = 0) -> datetime:
        now = super().advance(days=days, seconds=seconds)
        self._tell(now)
        return now


class Stage(stage.Stage):
    """A table of orders, with who placed them, when they changed and whether they are gone."""

    type = "sql"
    kind = "database"
    streams = ("by_time", "marked", "by_number", "whole")
    limits: ClassVar = {
        "connectors.tables.FIRST_ROWS": stage.ROWS_PER_PAGE,
        "connectors.tables.MOST_ROWS_PER_PAGE": stage.ROWS_PER_PAGE,
        "connectors.database.LOCK_WAIT_S": LOCK_WAIT_S,
    }

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.clock = _Told(self.clock.now(), self._tell)
        is_asked = str(settings.get("url", "")).startswith("postgres")
        self.is_postgres = is_asked and postgres_programs() is not None
        self.settings = {
            "url": "",
            "clock": "select told from moment",
            "streams": {
                "by_time": {"table": "orders", "key": "id", "cursor": "changed_at"},
                "marked": {"table": "orders", "key": "id", "cursor": "changed_at",
                           "deleted": {"column": "gone"}},
                "by_number": {"table": "orders", "key": "id", "cursor": "number",
                              "cursor_type": "number"},
                "whole": {"query": "select * from orders where gone = 0", "key": "id",
                          "snapshot": True},
            },
        }  # fmt: skip
        alone = {f"{stream}.{ability}": "no column tells what is deleted"
                 for stream in ("by_time", "by_number")
                 for ability in ("deletes", "restores")}  # fmt: skip
        lacks = {
            "merges": "a table does not tell of merges",
            **alone,
            **{f"{stream}.purges": "only a snapshot, or --full-refresh, finds what left no trace"
               for stream in ("by_time", "marked", "by_number")},
            "by_number.late": "a number that is given before another and committed after it is "
            "never seen: read by time, or the whole table, where writers overlap",
        }  # fmt: skip
        if not self.is_postgres:
            lacks |= {
                "connection": "an SQLite file has no connection that could be lost",
                "retypes": "SQLite has no types to change",
            }
        vars(self)["lacks"] = lacks  # which follow from the settings here
        self.made = self.given = 0

    @contextmanager
    def playing(self) -> Iterator[None]:
        with super().playing(), ExitStack() as stack:
            if self.is_postgres:
                name = f"stage_{next(_numbers)}"
                server = _server()
                engine = sa.create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
                with engine.connect() as connection:
                    connection.exec_driver_sql(f"create database {name}")
                engine.dispose()
                address = server.url(name)
                self.secrets.add(PASSWORD)
                self.settings |= {
                    "url": address.set(password=None).render_as_string(), "password": PASSWORD,
                }  # fmt: skip
            else:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                path = Path(folder, "orders.db")
                path.touch()
                address = sa.URL.create("sqlite", database=str(path))
                self.settings["url"] = str(address)
            self.engine = sa.create_engine(address, poolclass=sa.NullPool)
            self.connection = stack.enter_context(self.connected())
            stamp = "timestamptz" if self.is_postgres else "text"
            if self.is_postgres:
                self.run("set time zone 'UTC'")
                self.run("set datestyle = 'ISO'")
            self.run(f"create table orders (id integer, name text, changed_at {stamp}, "
                     "number integer, gone integer, version integer)")  # fmt: skip
            self.run(f"create table moment (told {stamp})")
            self.run("insert into moment values (:at)", at=self.text(self.clock.now()))
            try:
                yield
            finally:
                self.engine.dispose()

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """Yield a connection that commits each statement, unless one begins a transaction."""
        with self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def run(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement and return its rows, if it has any."""
        result = self.connection.execute(sa.text(statement), values)
        return [row._asdict() for row in result] if result.returns_rows else []

    def _tell(self, now: datetime) -> None:
        self.run("update moment set told = :at", at=self.text(now))

    def text(self, at: datetime) -> Any:
        return at if self.is_postgres else f"{at:%Y-%m-%dT%H:%M:%S}+00:00"

    # Verbs

    def create(self, count: int, *, tied: bool = False) -> list[str]:
        made = []
        for _ in range(count):
            self.made += 1
            made.append(str(self.made))
            self.insert(self.connection, self.made, self.now(tied))
        return made

    def insert(self, connection: sa.Connection, key: int, at: datetime) -> None:
        """Put a row into the table, by some connection."""
        connection.execute(
            sa.text("insert into orders (id, name, changed_at, number, gone, version) "
                    "values (:id, :name, :at, :number, 0, 1)"),
            {"id": key, "name": f"Weaver {key}", "at": self.text(at), "number": self.number()},
        )  # fmt: skip

    def change(self, names: Collection[str], *, tied: bool = False) -> None:
        for name in names:
            self._set(name, "version = version + 1", self.now(tied))

    def delete(self, names: Collection[str]) -> None:
        for name in names:
            self._set(name, "gone = 1", self.now(False))

    def restore(self, names: Collection[str]) -> None:
        for name in names:
            self._set(name, "gone = 0, version = version + 1", self.now(False))

    def purge(self, names: Collection[str]) -> None:
        """Remove rows that leave no trace."""
        for name in names:
            self.run("delete from orders where id = :id", id=int(name))

    def living(self) -> list[str]:
        rows = self.run("select id from orders where gone = 0 order by id")
        return [str(row["id"]) for row in rows]

    def truth(self, stream: str) -> stage.Truth:
        is_told = stream in ("marked", "whole")
        rows = self.run(f"select * from orders{' where gone = 0' if is_told else ''}")
        return {str(row["id"]): row for row in rows}

    def agrees(self, stream: str, record: dict[str, Any], true: Any) -> bool:
        told = {name: value for name, value in record.items() if name != "changed_at"}
        return told == {name: value for name, value in true.items() if name != "changed_at"}

    def _set(self, name: str, what: str, at: datetime) -> None:
        self.run(f"update orders set {what}, changed_at = :at, number = :number where id = :id",
                 at=self.text(at), number=self.number(), id=int(name))  # fmt: skip

    def number(self) -> int:
        self.given += 1
        return self.given

    def now(self, tied: bool) -> datetime:
        return self.clock.now() if tied else self.clock.advance(seconds=1)


@cache
def _server() -> Cluster:
    """Return the PostgreSQL of this process, started when it is first needed."""
    stack = ExitStack()
    server = stack.enter_context(running())
    atexit.register(stack.close)
    return server


def make(settings: Mapping[str, Any]) -> Stage:
    """Return a stage for a source with these settings; only the kind of database counts."""
    return Stage(settings)
