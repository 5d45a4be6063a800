"""Which run's ids count: those of the publication that people have open."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from connectors.errors import PublishError
from rapport import build, config, publish
from rapport.build import BUILD_NAME
from rapport.config import Config
from rapport.identity import state
from rapport.identity.ledger import COMPONENTS, LEDGER, assign, changes
from tests.rapport.plans import plan

EDGES = pa.table(
    {n: pa.array([], pa.string()) for n in "left_key right_key rule_id state refusal".split()}
)


@pytest.fixture
def home(tmp_path: Path) -> Config:
    return config.parse({"home": "."}, tmp_path / "rapport.yml")


def built(home: Config, step: int, *groups: Sequence[str]) -> dict[str, str]:
    """Build as dbt would, one letter or text per profile, and return profile -> id."""
    build.prepare(home, plan(step))
    rows = [("person", key, group[0], group[0], 1) for group in groups for key in group]
    components = pa.Table.from_pylist(
        [dict(zip(COMPONENTS.names, row, strict=True)) for row in rows], schema=COMPONENTS
    )
    with duckdb.connect(str(home.home / BUILD_NAME)) as connection:
        previous = connection.sql("from control.identity_ledger").to_arrow_table()
        ledger = assign(previous.cast(LEDGER), components, plan(step).known_at)
        found = changes(previous, ledger, EDGES, plan(step).known_at)
        connection.register("ledger", ledger)
        connection.register("found", found)
        connection.execute("create or replace table identity_ledger as from ledger")
        connection.execute(
            "create or replace table identity_event as "
            "from control.identity_event union all from found"
        )
        connection.execute("create or replace table dim_person as from ledger")
    build.finish(home, plan(step))
    return {row["profile_key"]: row["id"] for row in ledger.to_pylist() if not row["retired_at"]}


def built_in_part(home: Config, step: int, groups: Sequence[Sequence[str]]) -> pa.Table:
    """Build on top of the publication, as a run that does only what is touched; return the ledger.

    The first does all anew.
    """
    built(home, step, *groups)
    with duckdb.connect(str(home.home / BUILD_NAME)) as connection:
        connection.execute(
            "create or replace table identity_held as "
            "with other as ((from identity_ledger except all from control.identity_ledger) "
            "union (from control.identity_ledger except all from identity_ledger)) "
            "select distinct profile_key from other"
        )
        change = "changed" if connection.sql("from control.identity_published") else "whole"
        connection.execute("create or replace table identity_delta as select ? as change", [change])
        connection.execute(
            "create or replace table identity_seen as select 'run' as kind, ? as name", [str(step)]
        )
        return connection.sql("from identity_ledger order by all").to_arrow_table()


def published_ids(home: Config, step: int) -> tuple[pa.Table, list[tuple[str, ...]]]:
    """Return the ledger that the next build would go on from, and the events."""
    build.prepare(home, plan(step))
    with duckdb.connect(str(home.home / BUILD_NAME)) as connection:
        return (
            connection.sql("from control.identity_ledger order by all").to_arrow_table(),
            connection.sql("from control.identity_event order by all").fetchall(),
        )


def test_a_part_of_a_run_writes_what_changed_and_all_is_read_back(home: Config) -> None:
    chance = random.Random(1)
    groups = [[f"p{number}", f"q{number}"] for number in range(60)]
    written = []
    for step in range(1, 9):
        ledger = built_in_part(home, step, groups)
        with duckdb.connect(str(home.home / BUILD_NAME), read_only=True) as connection:
            events = connection.sql("from identity_event order by all").fetchall()
        publish.publish(home, plan(step))
        assert published_ids(home, step + 1) == (ledger, events)
        folder = state.current(home.home)
        assert folder
        written.append((folder / "ledger_since.parquet").exists())
        group = chance.choice([group for group in groups if len(group) > 1])
        groups.append([group.pop()])  # one is taken out
        groups.pop(chance.randrange(len(groups)))  # and one person goes
    assert not written[0] and written.count(True) >= 4, "little is written apart"
    assert not all(written[1:]), "until it is a tenth"


def test_ids_go_on_from_the_published_run_alone(home: Config) -> None:
    first = built(home, 1, "ab", "c")
    publish.publish(home, plan(1))
    never_published = built(home, 2, "b", "ac")
    assert built(home, 3, "ab", "c") == first != never_published
    publish.publish(home, plan(3))
    assert built(home, 4, "xab", "c")["x"] == first["a"]


def test_a_publication_that_fails_leaves_the_ids_of_the_one_before(
    home: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = built(home, 1, "ab", "c")
    publish.publish(home, plan(1))
    built(home, 2, "abc")

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as at, pytest.raises(PublishError):
        at.setattr(publish, "_swap", full)
        publish.publish(home, plan(2))
    assert len(list((home.home / "identity").iterdir())) == 1
    assert built(home, 3, "ab", "c") == first


def test_a_ledger_from_when_keys_held_addresses_goes_on_without_them(home: Config) -> None:
    first = built(home, 1, ["shop:orders:mailto:ann@example.org", "a"], ["b"])
    publish.publish(home, plan(1))
    digest = hashlib.sha256(b"ann@example.org").hexdigest()
    then = built(home, 2, [f"shop:orders:mailto:{digest}", "a"], ["b"])
    assert then["a"] == then[f"shop:orders:mailto:{digest}"] == first["a"]
    assert then["b"] == first["b"]
    publish.publish(home, plan(2))
    with duckdb.connect(str(home.home / BUILD_NAME)) as connection:
        told = "select event, id from identity_event where event <> 'mint'"
        assert connection.sql(told).fetchall() == []
    folder = state.current(home.home)
    assert folder
    held = duckdb.sql(f"select profile_key from '{folder}/ledger.parquet'").fetchall()
    assert (f"shop:orders:mailto:{digest}",) in held
    assert not [key for (key,) in held if "@" in key]


@pytest.mark.parametrize(
    "lose",
    [
        lambda home: (home / BUILD_NAME).unlink(),
        lambda home: shutil.rmtree(home / "published"),
    ],
)
def test_ids_outlive_a_lost_database_and_lost_publications(
    home: Config, lose: Callable[[Path], object]
) -> None:
    built(home, 1, "b")
    publish.publish(home, plan(1))
    lose(home.home)
    # without its ledger the person would be named after the profile that is first now
    assert built(home, 2, "ab") == {"a": "per_92eb5ffee6ae2fec", "b": "per_92eb5ffee6ae2fec"}


def test_events_add_up_and_only_ledgers_of_kept_publications_stay(home: Config) -> None:
    of_people = "action,left,right,reason,author,date,expires\n"
    (home.home / "identity").mkdir()
    (home.home / "identity" / "links.csv").write_text(of_people)
    for step, groups in enumerate((("a", "b"), ("ab",), ("a", "b"), ("a", "b")), start=1):
        built(home, step, *groups)
        publish.publish(home, plan(step))
    folders = sorted(path for path in (home.home / "identity").iterdir() if path.is_dir())
    published = home.home / "published"
    assert [path.name for path in folders] == sorted(
        path.name for path in published.iterdir() if not path.is_symlink()
    )
    events = duckdb.sql(f"select event from '{folders[-1]}/event.parquet'").fetchall()
    assert sorted(event for (event,) in events) == ["merge", "mint", "mint", "restore", "split"]
    assert (home.home / "identity" / "links.csv").read_text() == of_people
