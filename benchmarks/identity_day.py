"""How still ids stand, on generated companies: `python -m benchmarks.identity_day FOLDER ...`.

Each folder is a company that `benchmarks.identity --folder` left there, landed and resolved. The
page is `benchmarks/identity_day.md`.

Belongs here: letting a day come over a company, building its identity again from the ledger of the
run before, and counting which profiles are under another id. Does not belong here: how right the
joins are (`benchmarks.identity`), or time and memory (`benchmarks.identity_scale`).
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.costs import ROOT, machine
from benchmarks.identity import MODELS
from rapport import build, dbt
from rapport.identity import state

PAGE = ROOT / "benchmarks" / "identity_day.md"
LEDGER_MODELS = (*MODELS, "+identity_event", "+identity_redirect", "+identity_seen")
NEW, CORRECTED = 0.01, 0.003
"""Shares of the profiles of people that come on the day, and that lose an address or a number."""

DICE = "(hash(profile_key || '{what}') % 1000000) / 1000000.0"
HELD_BACK = f"entity = 'person' and {DICE.format(what='new')} < {NEW}"
IS_CORRECTED = (
    "entity = 'person' and not is_address_only and "
    f"{DICE.format(what='corrected')} < {CORRECTED}"
)
PROFILES = """
create table {name} as
with shown as (
    select * replace (
        case when is_corrected then null else email end as email,
        case
            when is_corrected and email is not null then to_json(list_distinct(
                list_append(from_json(coalesce(past_emails, '[]'), '["VARCHAR"]'), email)
            ))::varchar
            else past_emails
        end as past_emails,
        case when is_corrected and email is null then null else phone end as phone
    )
    from (select * exclude (digest), {corrected} as is_corrected from every_profile)
    where {which}
)
select *, hash(shown) as digest from shown order by hash(profile_key || '{order}')
"""
"""What silos show of a company; `is_corrected` is a column that no model reads."""

METHOD = f"""\
The company's profiles are those of `benchmarks.identity`, as staging left them. The first build
sees them without a random {NEW:.0%} of the profiles of people; then, each on top of the ledger of
the one before, the same again, the same in another order with everything done anew, and
`--full-refresh`. On the day the {NEW:.0%} come, and {CORRECTED:.1%} of the others lose their
e-mail address, or their number where they have none. Only what changed is done again, as in any
build. *Changed*: profiles of people there before and after that are under another id. *Corrected
themselves*: of those, the ones that lost what held them to others. *With an
event*: those whose old or new id `identity_event` names in that run. *Lead on*: ids of the run
before that nobody has any more and that `identity_redirect` leads to one that somebody has.
"""


@dataclass(frozen=True)
class Count:
    """What a build changed: profiles there before and after, and ids that were given up."""

    what: str
    profiles: int
    changed: int
    corrected: int
    with_event: int
    retired: int
    lead_on: int

    def row(self, people: str) -> str:
        """Return the line of the table."""
        share = f"{self.changed / self.profiles:.4%}" if self.changed else "0"
        return (
            f"| {people} | {self.what} | {self.profiles:,} | {self.changed:,} | {share} "
            f"| {self.corrected:,} | {self.with_event:,} | {self.retired:,} | {self.lead_on:,} |"
        )


class Company:
    """A copy of a company, built again and again."""

    def __init__(self, origin: Path, home: Path) -> None:
        self.home = home
        shutil.copy(origin / build.BUILD_NAME, home)
        self._runs = 0
        with self._database() as session:
            session.execute("create table every_profile as from identity_profile")
            session.execute("drop table if exists identity_seen")
        self.show("same", f"not ({HELD_BACK})")
        self.run()

    def _database(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(self.home / build.BUILD_NAME))

    def show(self, order: str, which: str = "true", corrected: str = "false") -> None:
        """Let the next run see these profiles, in this order."""
        with self._database() as session:
            session.execute("drop table identity_profile")
            query = PROFILES.format(
                name="identity_profile", which=which, corrected=corrected, order=order
            )
            session.execute(query)

    def run(self, *how: str) -> None:
        """Build the identity tables on the profiles shown, from the ledger of the last run."""
        failure = dbt.failure(
            dbt.run(self.home, ["run", *how, "--select", *LEDGER_MODELS,
                                "--exclude", "+identity_profile"]),
            self.home,
        )  # fmt: skip
        if failure:
            raise failure
        self._runs += 1
        with self._database() as session:
            [(database,)] = session.execute("select current_database()").fetchall()
            state.save(session, database, self.home, f"20260630T{self._runs:012}")
            # tables before the first publication, views after it
            for name, kind in session.execute(
                "select table_name, table_type from information_schema.tables "
                "where table_schema = 'control' and table_name in "
                "('identity_ledger', 'identity_event', 'identity_published')"
            ).fetchall():
                session.execute(f"drop {'view' if kind == 'VIEW' else 'table'} control.{name}")
            state.load(session, self.home)
            session.execute("update control.run set known_at = known_at + interval 1 day")

    def counted(self, what: str, *how: str) -> Count:
        """Build, and compare the ids with those before."""
        with self._database() as session:
            session.execute("create or replace table before as from identity_person_map")
            session.execute("create or replace table events as from identity_event")
        self.run(*how)
        with self._database() as session:
            session.execute(
                "create or replace table moved as "
                "select profile_key, before.person_id as old_id, after.person_id as new_id "
                "from before inner join identity_person_map as after using (profile_key) "
                "where before.person_id <> after.person_id"
            )
            session.execute(
                "create or replace table named as "
                "select id from (from identity_event except all from events) union "
                "select other_id from (from identity_event except all from events)"
            )
            session.execute(
                "create or replace table retired as select distinct person_id as old_id "
                "from before where person_id not in (select person_id from identity_person_map)"
            )
            numbers = [
                session.execute(query).fetchall()[0][0]
                for query in (
                    "select count(*) from before "
                    "inner join identity_person_map using (profile_key)",
                    "select count(*) from moved",
                    "select count(*) from moved inner join every_profile using (profile_key) "
                    f"where {IS_CORRECTED}",
                    "select count(*) from moved where old_id in (from named) "
                    "or new_id in (from named)",
                    "select count(*) from retired",
                    "select count(*) from retired inner join identity_redirect using (old_id) "
                    "where current_id in (select person_id from identity_person_map)",
                )
            ]
        return Count(what, *numbers)


def measure(origin: Path) -> list[str]:
    """Return the rows of one company."""
    seed, _, people = origin.name.partition("_")
    with tempfile.TemporaryDirectory() as name:
        company = Company(origin, Path(name))
        counts = [company.counted("the same again")]
        company.show("shuffled", f"not ({HELD_BACK})")
        with duckdb.connect(str(company.home / build.BUILD_NAME)) as session:
            session.execute("drop table identity_seen")
        counts.append(company.counted("shuffled, all anew"))
        counts.append(company.counted("full refresh", "--full-refresh"))
        company.show("later", corrected=IS_CORRECTED)
        counts.append(company.counted("the day"))
    return [count.row(f"{int(people):,}, seed {seed}") for count in counts]


def main() -> None:
    """Measure the companies and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", help="<seed>_<people>")
    rows = [row for folder in parser.parse_args().folders for row in measure(folder)]
    page = [
        "# Who is who: how still ids stand",
        "",
        f"{machine()}. Made by `python -m benchmarks.identity_day`.",
        "",
        "| people | build | profiles | changed | share | corrected themselves | with an event"
        " | ids given up | lead on |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *rows,
        "",
        METHOD,
    ]
    PAGE.write_text("\n".join(page).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
