"""What happens to a table while it is read, and between one sync and the next.

Belongs here: faults that need a database. Does not belong here: the table (`sql`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from rapport.conformance.faults import Act, Fault, live
from rapport.conformance.laws import ENDS
from rapport.conformance.play import Play
from rapport.conformance.sql import Stage


def _table(play: Play) -> Stage:
    assert isinstance(play.stage, Stage)
    return play.stage


def _late_commit(play: Play) -> None:
    """Commit rows minutes after they were stamped, when younger ones were read already."""
    stage = _table(play)
    play.sync()
    for _ in range(3):
        at = stage.clock.now()
        keys = range(stage.made + 1, stage.made + 4)
        stage.made += len(keys)
        if stage.is_postgres:
            with stage.engine.begin() as connection:
                for key in keys:
                    stage.insert(connection, key, at)
                live(play)
                play.attempt()
        else:  # which lets nobody else write meanwhile: they come later, with the same stamps
            live(play)
            play.attempt()
            for key in keys:
                stage.insert(stage.connection, key, at)
        stage.clock.advance(seconds=60)
        live(play)
        play.attempt()


def _column_added(play: Play) -> None:
    """Add a column, fill it for some rows without a stamp, and take it away again."""
    stage = _table(play)
    play.sync()
    stage.run("alter table orders add column region text")
    stage.run("update orders set region = 'north' where id % 2 = 0")
    live(play)
    play.attempt()
    stage.change(stage.living())  # no stamp tells of the column: a change of the row does
    stage.run("update orders set changed_at = :at, number = number + 1000 where gone = 1",
              at=stage.text(stage.now(False)))  # fmt: skip
    play.attempt()


def _column_gone(play: Play) -> None:
    """Let the cursor, or the key, be called something else for a while."""
    stage = _table(play)
    play.sync()
    for name in ("changed_at", "number", "id"):
        stage.run(f"alter table orders rename column {name} to other")
        play.attempt()
        stage.run(f"alter table orders rename column other to {name}")
        live(play)
        play.attempt()


def _retyped(play: Play) -> None:
    """Let the key be a text and the mark a boolean from now on."""
    stage = _table(play)
    play.sync()
    stage.run("alter table orders alter column version type numeric(10, 2)")
    live(play)
    play.attempt()
    stage.run("alter table orders alter column version type integer")
    stage.run("alter table orders alter column changed_at type timestamp "
              "using changed_at at time zone 'UTC'")  # fmt: skip
    live(play)
    play.attempt()


def _key_updated(play: Play) -> None:
    """Give a row another primary key: the old one is gone without a trace, the new one is new."""
    stage = _table(play)
    play.sync()
    old = stage.living()[4]
    stage.made += 1
    at, number = stage.text(stage.now(False)), stage.number()
    stage.run("update orders set id = :new, changed_at = :at, number = :number where id = :old",
              new=stage.made, at=at, number=number, old=int(old))  # fmt: skip
    live(play)
    play.attempt()


def _locked(play: Play) -> None:
    """Let another program lock the whole table for longer than anybody waits."""
    stage = _table(play)
    play.sync()
    live(play)
    with stage.engine.connect() as connection:
        if stage.is_postgres:
            connection.exec_driver_sql("lock table orders in access exclusive mode")
        else:
            stage.connection.commit()
            connection.exec_driver_sql("begin exclusive")
        tried = play.attempt()
        connection.rollback()
    if tried.error is None:
        play.breaks(ENDS, "a locked table was read")


def _at_page(play: Play, number: int, act: Callable[[], object]) -> None:
    """Sync, and do something just after a page was read."""
    pages = 0

    def look(_: Any) -> None:
        nonlocal pages
        pages += 1
        if pages == number:
            act()

    play.attempt(on_progress=look)


def _connection_killed(play: Play) -> None:
    """End the connection between two pages of a query."""
    stage = _table(play)

    def kill() -> None:
        stage.run("select pg_terminate_backend(pid) from pg_stat_activity "
                  "where datname = current_database() and pid <> pg_backend_pid()")  # fmt: skip

    for number in (1, 2, 4):
        stage.change(stage.living())
        _at_page(play, number, kill)
        live(play)


def _timed_out(play: Play) -> None:
    """Let the table be slow, and the server break off what takes long."""
    stage = _table(play)
    [database] = stage.run("select current_database() as name")
    play.sync()
    live(play)
    stage.run(f"alter database {database['name']} set statement_timeout = '20ms'")
    stage.run("alter table orders rename to stored")
    stage.run("create view orders as select stored.* from stored, pg_sleep(0.1) nap")
    tried = play.attempt()
    if tried.error is None:
        play.breaks(ENDS, "a query that was broken off was taken for an answer")
    stage.run("drop view orders")
    stage.run("alter table stored rename to orders")
    stage.run(f"alter database {database['name']} reset statement_timeout")


def _during(change: Callable[[Stage], object]) -> Act:
    """Let the table change between two pages."""

    def act(play: Play) -> None:
        stage = _table(play)
        for number in (1, 2, 4):
            stage.change(stage.living()[::2])
            _at_page(play, number, lambda: change(stage))
            live(play)

    return act


def _written(stage: Stage) -> None:
    living = stage.living()
    try:
        stage.create(3)
        stage.change([living[0], living[len(living) // 2], living[-1]])
        stage.delete([living[2], living[-3]])
    except sa.exc.OperationalError:  # SQLite lets nobody write while somebody reads
        stage.connection.rollback()


def _ahead(play: Play) -> None:
    """Set the database's clock years ahead of ours."""
    play.stage.clock.advance(days=1500)
    for _ in range(2):
        live(play)
        play.attempt()


def _behind(play: Play) -> None:
    """Stamp rows an hour in the future, which wait until that hour has come."""
    stage = _table(play)
    play.sync()
    stage.made += 1
    at = stage.clock.now()
    stage.insert(stage.connection, stage.made, at.replace(hour=(at.hour + 1) % 24))
    live(play)
    play.attempt()
    stage.clock.advance(seconds=3_700)
    live(play)


FAULTS: Sequence[Fault] = (
    Fault(id="late_commit", words="rows committed minutes after their stamps", act=_late_commit,
          needs=("database", "late")),
    Fault(id="column_added", words="a column more", act=_column_added, needs=("database",)),
    Fault(id="column_renamed", words="cursor or key called something else for a while",
          act=_column_gone, needs=("database",)),
    Fault(id="column_retyped", words="columns of another type", act=_retyped,
          needs=("database", "retypes")),
    Fault(id="key_updated", words="a row under another primary key", act=_key_updated,
          needs=("database", "purges")),
    Fault(id="locked", words="the table locked by another program", act=_locked,
          needs=("database",)),
    Fault(id="connection_killed", words="the connection ended between two pages",
          act=_connection_killed, needs=("database", "connection")),
    Fault(id="query_timed_out", words="the server breaks every query off", act=_timed_out,
          needs=("database", "connection")),
    Fault(id="written_under_walk", words="rows written between two pages", act=_during(_written),
          needs=("database",)),
    Fault(id="database_ahead", words="a database's clock years ahead of ours", act=_ahead,
          needs=("database",)),
    Fault(id="stamped_ahead", words="a row stamped an hour in the future", act=_behind,
          needs=("database",)),
)  # fmt: skip
