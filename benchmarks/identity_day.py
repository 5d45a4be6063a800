"""How still ids stand, on generated companies: `python -m benchmarks.identity_day FOLDER ...`.

Each folder is a company that `benchmarks.identity --folder` left there, landed and resolved. The
page is `benchmarks/identity_day.md`.

Belongs here: letting a day come over a company, building its identity again from the ledger of the
run before, counting which profiles are under another id and whether truth asked for it, and how
right the rules on past addresses are, for which nothing but time gives cause. Does not belong here:
how right all other joins are (`benchmarks.identity`), or time and memory
(`benchmarks.identity_scale`).
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.costs import ROOT, machine
from benchmarks.identity import MODELS
from benchmarks.shares import Share
from rapport import build, dbt
from rapport.identity import state

PAGE = ROOT / "benchmarks" / "identity_day.md"
LEDGER_MODELS = (*MODELS, "+identity_event", "+identity_redirect", "+identity_seen")
NEW, CORRECTED = 0.01, 0.003
"""Shares of the profiles of people that come on the day, and that lose an address or a number."""

DICE = "(hash(profile_key || '{what}') % 1000000) / 1000000.0"
HELD_BACK = f"entity = 'person' and {DICE.format(what='new')} < {NEW}"
IS_CORRECTED = f"entity = 'person' and not is_address_only and {DICE.format(what='corrected')} < "
MANY = 0.1
"""The share of corrections on which rules are measured: of those of a day there are too few."""
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

JUDGED = """
create or replace table judged as
with here as (
    select profile_key, person_id, person
    from identity_person_map
    inner join '{truth}/profiles.parquet' using (profile_key)
    where person is not null
),

met as (
    select moved.profile_key, other.profile_key as other_key, mine.person = other.person as is_right
    from moved
    inner join here as mine using (profile_key)
    inner join here as other on moved.new_id = other.person_id
    left join before on other.profile_key = before.profile_key
    where before.person_id is distinct from moved.old_id
),

parted as (
    select moved.profile_key, other.profile_key as other_key, mine.person <> other.person
    from moved
    inner join here as mine using (profile_key)
    inner join before on moved.old_id = before.person_id
    inner join here as other on before.profile_key = other.profile_key
    where other.person_id <> moved.new_id
)

select profile_key, bool_and(is_right) as is_right
from (from met union all from parted)
group by profile_key
"""
"""Of the profiles under another id, whether all that each met there, or left, is as in truth."""

BY_RULE = """
select edge.rule_id, one.person = other.person as is_right
from identity_edge as edge
inner join '{truth}/profiles.parquet' as one on edge.left_key = one.profile_key
inner join '{truth}/profiles.parquet' as other on edge.right_key = other.profile_key
where edge.rule_id like 'past_%' and edge.state in ('live', 'suggested')
    and one.person is not null and other.person is not null
"""

METHOD = f"""\
The company's profiles are those of `benchmarks.identity`, as staging left them. The first build
sees them without a random {NEW:.0%} of the profiles of people; then, each on top of the ledger of
the one before, the same again, the same in another order with everything done anew, and
`--full-refresh`. On the day the {NEW:.0%} come, and {CORRECTED:.1%} of the others lose their
e-mail address, which becomes one they had before, or their number where they have none; of who is
known by nothing but an address it is the key, and stays. Only what changed is done again, as in any
build. *Changed*: profiles of people there before and after that are under another id. *Corrected
themselves*: of those, the ones that lost what held them to others. *Asked for*: those that met only
profiles of their own person in truth, or left only those of others. *With an event*: those whose
old or new id `identity_event` names in that run. *Lead on*: ids of the run before that nobody has
any more and that `identity_redirect` leads to one that somebody has.
"""


@dataclass(frozen=True)
class Count:
    """What a build changed: profiles there before and after, and ids that were given up."""

    what: str
    profiles: int
    changed: int
    corrected: int
    asked_for: int
    with_event: int
    retired: int
    lead_on: int

    def row(self, people: str) -> str:
        """Return the line of the table."""
        share = f"{self.changed / self.profiles:.4%}" if self.changed else "0"
        return (
            f"| {people} | {self.what} | {self.profiles:,} | {self.changed:,} | {share} "
            f"| {self.corrected:,} | {self.asked_for:,} | {self.with_event:,} "
            f"| {self.retired:,} | {self.lead_on:,} |"
        )


class Company:
    """A copy of a company, built again and again."""

    def __init__(self, origin: Path, home: Path) -> None:
        self.home = home
        self._truth = origin / "truth"
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
            session.execute(JUDGED.format(truth=self._truth))
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
                    f"where {IS_CORRECTED}{CORRECTED}",
                    "select count(*) from judged where is_right",
                    "select count(*) from moved where old_id in (from named) "
                    "or new_id in (from named)",
                    "select count(*) from retired",
                    "select count(*) from retired inner join identity_redirect using (old_id) "
                    "where current_id in (select person_id from identity_person_map)",
                )
            ]
        return Count(what, *numbers)

    def past_rules(self) -> dict[str, Share]:
        """Return how right the rules on past addresses are in the last build."""
        found: defaultdict[str, Share] = defaultdict(Share)
        with self._database() as session:
            for rule, is_right in session.execute(BY_RULE.format(truth=self._truth)).fetchall():
                found[rule].add(is_right)
        return found


def measure(origin: Path) -> tuple[list[str], Mapping[str, Share]]:
    """Return the rows of one company, and how right the rules on past addresses are there."""
    seed, _, people = origin.name.partition("_")
    with tempfile.TemporaryDirectory() as name:
        company = Company(origin, Path(name))
        counts = [company.counted("the same again")]
        company.show("shuffled", f"not ({HELD_BACK})")
        with duckdb.connect(str(company.home / build.BUILD_NAME)) as session:
            session.execute("drop table identity_seen")
        counts.append(company.counted("shuffled, all anew"))
        counts.append(company.counted("full refresh", "--full-refresh"))
        company.show("later", corrected=f"{IS_CORRECTED}{CORRECTED}")
        counts.append(company.counted("the day"))
        company.show("later", corrected=f"{IS_CORRECTED}{MANY}")
        company.run()
        rules = company.past_rules()
    return [count.row(f"{int(people):,}, seed {seed}") for count in counts], rules


def main() -> None:
    """Measure the companies and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", help="<seed>_<people>")
    rows: list[str] = []
    total: defaultdict[str, Share] = defaultdict(Share)
    for folder in parser.parse_args().folders:
        found, rules = measure(folder)
        rows += found
        for rule, share in rules.items():
            total[rule].right += share.right
            total[rule].of += share.of
    page = [
        "# Who is who: how still ids stand",
        "",
        f"{machine()}. Made by `python -m benchmarks.identity_day`.",
        "",
        "| people | build | profiles | changed | share | corrected themselves | asked for"
        " | with an event | ids given up | lead on |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *rows,
        "",
        METHOD,
        "## Rules on past addresses",
        "",
        f"Pairs that each would join where {MANY:.0%} of the profiles have another address; as of"
        " the other rules (`benchmarks.identity`). Whose address somebody typed by mistake is in no"
        " generated company: that is what the guards are for, and tests.",
        "",
        "| rule | pairs | precision | lower end |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {rule} | {share.of:,} | {share.share:.4f} | {share.low:.4f} |"
            for rule, share in sorted(total.items())
        ),
    ]
    PAGE.write_text("\n".join(page).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
