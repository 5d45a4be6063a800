"""What is found where something was planted, and where nothing was: `python -m
benchmarks.false_alarms`. The page is `benchmarks/false_alarms.md`.

Belongs here: small worlds at the level of the unified tables, with an effect and without, and how
often the metric tables tell of it. Does not belong here: the sandbox, which plants its effects in
vendors' records (`tests/test_road.py` finds them there).

All worlds stand in one warehouse and are built by one `dbt build`: a world is a source of cases, a
step of the ladder, a helper, an organization or a kind of party, which the tables tell apart.
"""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.costs import ROOT, machine
from benchmarks.metrics_company import AS_OF, empty
from rapport import dbt
from rapport.identity.reviews import wilson

PAGE = ROOT / "benchmarks" / "false_alarms.md"
SEED = 7
WORLDS, PLANTED = 600, 40
"""How many worlds per effect have none of it, and how many have it."""
END = datetime.fromisoformat(AS_OF).replace(tzinfo=UTC) + timedelta(hours=23, minutes=59)
TEAM = ("amy", "bo", "cy", "di")
TABLES = ("rel_journey", "rel_lifetime", "rel_disengagement", "rel_organization", "rel_track")
STRATEGY = """\
version: 2026-06
vision: {statement: A place where makers help makers, archetype: community}
event_definitions:
  defection: {quiet_days: 90}
"""

Rows = dict[str, list[dict[str, Any]]]
"""Unified table -> its rows; columns left out are null."""


@dataclass(frozen=True)
class Outcome:
    """What became of one effect.

    Attributes:
        stated: share of worlds without it in which chance alone may raise an alarm.
        why: where that share is from.
        alarms, worlds: without the effect; found, planted: with it.
    """

    effect: str
    told_by: str
    stated: float
    why: str
    alarms: int
    worlds: int
    found: int
    planted: int

    def row(self) -> str:
        """Return the line of the table."""
        low, high = wilson(self.alarms, self.worlds)
        stated = f"{self.stated:.2%}" if self.stated else "0"
        verdict = "held" if low <= self.stated else "exceeded"
        found = f"{self.found} of {self.planted}" if self.planted else ""
        return (
            f"| {self.effect} | {self.told_by} | {stated}: {self.why} | {self.alarms} of "
            f"{self.worlds} | {self.alarms / self.worlds:.1%} ({low:.1%} to {high:.1%}) "
            f"| {verdict} | {found} |"
        )


@dataclass
class Worlds:
    """Worlds of every effect in one set of rows.

    Attributes:
        sources: source -> silo, those of the cases being worlds.
        silence: world -> chance that its helper is silent for four weeks.
    """

    dice: random.Random
    rows: Rows = field(default_factory=dict)
    sources: dict[str, str] = field(
        default_factory=lambda: {"crm": "crm", "forum": "forum", "shop": "orders"}
    )
    silence: dict[str, float] = field(default_factory=dict)

    def add(self, table: str, **row: Any) -> None:
        self.rows.setdefault(table, []).append(row)

    def person(self, name: str, kind: str = "customer") -> None:
        self.add("dim_person", person_id=name, party_kind=kind, is_staff=kind == "staff")

    def act(self, key: str, actor: str, ago_h: float, kind: str, **columns: Any) -> None:
        at = END - timedelta(hours=ago_h)
        self.add(
            "fct_interaction",
            interaction_id=key, actor_person_id=actor, kind=kind, occurred_at=at, loaded_at=at,
            visibility="private", is_deleted=False, **columns,
        )  # fmt: skip

    # The worlds, each with its effect or without

    def service(self, world: str, has_effect: bool) -> None:
        """Sixty cases of one to four acts, each another's with one chance in four.

        Everything takes as long as chance has it; a hand-off costs six days more on average.
        """
        self.sources[world] = "support"
        self.person(f"asker of {world}")
        columns = {"source": world, "silo": "support", "channel": "case"}
        for number in range(60):
            case = f"{world}: case {number}"
            opened = 24 * (40 + 300 * self.dice.random())
            self.act(case, f"asker of {world}", opened, "case_opened", thread_id=case, **columns)
            owner, hours = self.dice.choice(TEAM), 0.0
            for act in range(self.dice.randrange(1, 5)):
                hours += self.dice.lognormvariate(1, 1)
                if act and self.dice.random() < 0.25:
                    owner = self.dice.choice([name for name in TEAM if name != owner])
                    hours += self.dice.expovariate(1 / 144) if has_effect else 0
                self.act(
                    f"{case}/{act}", owner, opened - hours, "case_comment", thread_id=case,
                    **columns,
                )  # fmt: skip
            hours += self.dice.lognormvariate(2, 1)
            at = END - timedelta(hours=opened)
            closed_at = at + timedelta(hours=hours)
            self.add(
                "fct_case", case_id=case, opened_at=at, closed_at=closed_at, loaded_at=at,
                is_deleted=False,
            )  # fmt: skip

    def helper(self, world: str, has_effect: bool) -> None:
        """Who answers once to five times a week, for 400 days or until 120 days ago."""
        name, weekly = f"helper of {world}", 1 + 4 * self.dice.random()
        self.person(name)
        self.silence[world] = math.exp(-4 * weekly)
        columns = {"source": "forum", "silo": "forum", "channel": "forum"}
        for ago in self._moments(weekly / 7, 120 if has_effect else 0, 400):
            key = f"{world}: {ago}"
            self.act(key, name, 24 * ago, "answer", thread_id=key, **columns)

    def house(self, world: str, has_effect: bool) -> None:
        """An organization of five of whom one deals with us most; twenty days ago that one may go.

        One of the others does go in every world, and the one who stays has always been at another
        organization, too.
        """
        self.add("dim_organization", organization_id=world)
        for number in range(5):
            name = f"{number} of {world}"
            self.person(name)
            gone = {0: 20 if has_effect else None, 4: 60}.get(number)
            self._stay(name, world, 600, gone)
            if number == 0:
                self._stay(name, f"{world}, elsewhere", 20 if has_effect else 900, None)
            for ago in self._moments(1 / 7 if number == 0 else 1 / 35, gone or 0, 300):
                self.act(
                    f"{name}: {ago}", name, 24 * ago, "email", source="crm", silo="crm",
                    channel="email", organization_id=world, direction="inbound",
                )  # fmt: skip

    def quality(self, world: str, has_effect: bool) -> None:
        """Mails that we answer and promises that we keep; in the last four weeks fewer of both."""
        name = f"customer of {world}"
        self.person(name, kind=world)
        columns = {"source": "crm", "silo": "crm", "channel": "email"}
        for ago in self._moments(1.5, 0, 56):
            is_worse = has_effect and ago < 28
            key = f"{world}: mail {ago}"
            self.act(key, name, 24 * ago, "email", thread_id=key, direction="inbound", **columns)
            hours = self.dice.lognormvariate(3.2 if is_worse else 1.8, 1)
            if self.dice.random() < (0.5 if is_worse else 0.85) and hours < 24 * ago:
                self.act(
                    f"{key}/answer", "amy", 24 * ago - hours, "email", thread_id=key,
                    direction="outbound", **columns,
                )  # fmt: skip
        for ago in self._moments(1.5, 0, 56):
            is_kept = self.dice.random() < (0.45 if has_effect and ago < 28 else 0.75)
            due = END - timedelta(days=ago)
            self.add(
                "fct_commitment", commitment_id=f"{world}: {ago}", source="crm", is_ours=True,
                person_id=name, due_at=due, outcome="kept" if is_kept else "late",
                fulfilled_at=due + timedelta(hours=-1 if is_kept else 5), loaded_at=due,
            )  # fmt: skip

    def _moments(self, daily: float, until: float, since: float) -> Iterator[float]:
        """Yield moments of chance, in days ago."""
        ago = since - self.dice.expovariate(daily)
        while ago > until:
            yield ago
            ago -= self.dice.expovariate(daily)

    def _stay(self, name: str, where: str, since: float, gone: float | None) -> None:
        came = END - timedelta(days=since)
        self.add(
            "bridge_person_organization", person_id=name, organization_id=where, basis="record",
            is_primary=True, stay_from=came, valid_from=came, is_current=gone is None,
            valid_to=None if gone is None else END - timedelta(days=gone),
        )  # fmt: skip


def names() -> list[tuple[str, bool]]:
    """Return every world and whether it has the effect."""
    return [(f"without {number:03}", False) for number in range(WORLDS)] + [
        (f"with {number:03}", True) for number in range(PLANTED)
    ]


def lives(seed: int) -> pa.Table:
    """Return the days on which 600 people came, per world.

    They come over 560 days and stay 100 days on average; with the effect, those who came four
    spans of 84 days ago stay two and a half times as long.
    """
    rng = np.random.default_rng(seed)
    people = 600
    parts = []
    for world, has_effect in names():
        age = rng.integers(0, 560, people)
        stays = rng.exponential(100, people) * np.where(has_effect & (age // 84 == 3), 2.5, 1)
        parts.append(
            pa.table(
                {
                    "world": [world] * people,
                    "person": np.arange(people),
                    "age": age,
                    "stays": stays.astype(int),
                }
            )
        )
    return pa.concat_tables(parts)


LIVES = f"""
insert into fct_interaction by name
select distinct
    world || ' ' || person || ' ' || ago as interaction_id, 'crm' as source, 'crm' as silo,
    'visit' as channel, world as kind, 'visitor ' || person as actor_person_id,
    timestamptz '{AS_OF} 12:00:00+00' - to_days(ago::int) as occurred_at,
    timestamptz '{AS_OF} 12:00:00+00' as loaded_at, 'private' as visibility, false as is_deleted
from (
    select *, age - least(turn * 30, stays) as ago
    from lives, range(60) as t(turn) where turn * 30 <= stays + 29
)
where ago >= 0
"""


def insert(connection: duckdb.DuckDBPyConnection, rows: Mapping[str, Sequence[Any]]) -> None:
    """Append rows to the unified tables."""
    for table, given in rows.items():
        columns = list(dict.fromkeys(name for row in given for name in row))
        told = pa.table({name: [row.get(name) for row in given] for name in columns})
        connection.register("told", told)
        connection.execute(f"insert into {table} by name select * from told")
        connection.unregister("told")


def build(folder: Path) -> tuple[Path, Worlds]:
    """Make all worlds and the metric tables of them; return the database and the worlds."""
    worlds = Worlds(random.Random(SEED))
    for name in TEAM:
        worlds.person(name, kind="staff")
    for make in (worlds.service, worlds.helper, worlds.house, worlds.quality):
        for world, has_effect in names():
            make(world, has_effect)
    database = empty(folder, STRATEGY, worlds.sources)
    with duckdb.connect(str(database)) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"delete from control.snapshots where as_of <> date '{AS_OF}'")
        insert(connection, worlds.rows)
        connection.register("lives", lives(SEED))
        connection.execute(LIVES)
        connection.execute(
            "insert into control.cadence_steps select distinct world, world, false from lives"
        )
    selection = [f"+{table},path:models/metrics" for table in TABLES]
    seeds = ("default_behavior_weights", "asking_kind", "track_indicator", "track_quality")
    arguments = ["build", "--select", *selection, *seeds]
    results = dbt.run(database.parent, [*arguments, "--exclude-resource-type", "unit_test", "test"])
    if failed := dbt.failure(results, database.parent):
        raise failed
    return database, worlds


def outcomes(database: Path, worlds: Worlds) -> list[Outcome]:
    """Return what the tables tell of every effect."""
    with duckdb.connect(str(database), read_only=True) as connection:

        def tell(effect: str, told_by: str, stated: float, why: str, query: str) -> Outcome:
            """Count the worlds of `query`, which gives world and whether there is an alarm."""
            told = dict(connection.execute(query).fetchall())
            without = [alarm for world, alarm in told.items() if world.startswith("without")]
            planted = [alarm for world, alarm in told.items() if world.startswith("with ")]
            return Outcome(
                effect, told_by, stated, why, sum(map(bool, without)), len(without),
                sum(map(bool, planted)), len(planted),
            )  # fmt: skip

        without = [worlds.silence[world] for world, has_effect in names() if not has_effect]
        found = [
            tell(
                "a hand-off that costs days", "`rel_journey.hand_offs_cost_time`", 0.001,
                "z of at least 3.09",
                "select split_part(process, ':', 1), hand_offs_cost_time from rel_journey where "
                "from_step = 'all' and window_days = 364 and hand_off_z is not null",
            ),
            tell(
                "the helper who leaves", "`rel_disengagement.level` quiet or gone",
                sum(without) / len(without), "four weeks of silence at their rates",
                "select split_part(person_id, ' of ', 2), level in ('quiet', 'gone') "
                "from rel_disengagement where person_id like 'helper of %'",
            ),
            tell(
                "the champion who changed employer", "`rel_organization.champion_left`", 0.0,
                "records, not chance",
                "select organization_id, champion_left and champion_person_id like '0 of %' "
                "from rel_organization where organization_id not like '%elsewhere'",
            ),
        ]  # fmt: skip
        for span, planted in ((28, "false"), (84, "cohort = '4' and delta_finding = 'longer'")):
            found.append(
                tell(
                    f"a cohort of {span} days that lives longer, or shorter",
                    "`rel_lifetime.delta_finding`", 0.05, "1 in 20 over all spans of a day",
                    "select step, bool_or(case when step like 'without%' "
                    f"then delta_finding <> 'no difference' else {planted} end) "
                    f"from rel_lifetime where quiet_days = 90 and cohort_type = 'arrival_{span}d' "
                    f"and step like '{'with' if span == 84 else 'without'}%' "
                    "and delta_days is not null group by step",
                )
            )  # fmt: skip
        indicators = connection.execute(
            "select indicator, given_by from rel_track where party_kind like 'with%' "
            "group by all having stddev_pop(z) > 0 order by all"
        ).fetchall()
        for indicator, given_by in indicators:
            found.append(
                tell(
                    f"a change in {indicator} by {given_by}", "`rel_track.trend`", 0.05,
                    "z beyond 1.96",
                    "select party_kind, bool_or(trend <> 'steady') from rel_track "
                    f"where indicator = '{indicator}' and given_by = '{given_by}' "
                    "and party_kind like 'with%' and z is not null group by party_kind",
                )
            )  # fmt: skip
    return found


def page(found: Sequence[Outcome]) -> str:
    """Return the page."""
    return "\n".join(
        [
            "# False alarms",
            "",
            f"Written by `python -m benchmarks.false_alarms` on {machine()}, seed {SEED}: "
            f"{WORLDS} small worlds without each effect and {PLANTED} with it, in one warehouse, "
            "their tables by one `dbt build`. A world counts where the table judges at all. The "
            "interval is that of 95 % (Wilson); *held*: the stated rate is not below it.",
            "",
            "| effect | told by | stated rate | alarms where there is none | rate | | found where "
            "planted |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *(one.row() for one in found),
            "",
        ]
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database, worlds = build(Path(folder))
        text = page(outcomes(database, worlds))
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
