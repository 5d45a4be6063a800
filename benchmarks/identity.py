"""How right identity resolution is, on generated companies whose truth is known.

`python -m benchmarks.identity` writes `benchmarks/identity.md`; `--company` chooses others (people
and seed, as in `2000:7`), `--folder` keeps them.

Belongs here: landing a company, building the identity tables alone, comparing them with the
truth by rule and by trap. Does not belong here: any rule, and any number that a rule is tuned by
(rules are tuned on seed 7 and reported on others).

What can be found at all is said twice. *Evident*: the profiles of one person hang together by
values they share (no role mailbox, no placeholder), by what a source says of two records, or by
full names that agree in one and the same place of work. *Named*: the same, and by full names
that agree, whoever else bears them. The second is out of reach for anybody who may not be wrong:
most names have several bearers, so that a name alone is right less often than not.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import duckdb

from benchmarks.costs import ROOT, machine
from benchmarks.shares import Share
from rapport import build, config, dbt, demo
from rapport.identity.graph import Components
from rapport.identity.names import UNKNOWN, Name, Nicknames, verdict
from rapport.syncing import sync_selected
from sandbox.rates import PROFILES_ONLY
from sandbox.server import serve
from sandbox.world import SOURCES, World

PAGE = ROOT / "benchmarks" / "identity.md"
NOW = datetime(2026, 6, 30, tzinfo=UTC)
TUNED_ON, REPORTED_ON = 7, (11, 23)
COMPANIES = (
    *((2000, seed) for seed in (TUNED_ON, *REPORTED_ON)),
    *((20_000, seed) for seed in REPORTED_ON),
    (200_000, REPORTED_ON[0]),
)
"""Number of people and seed of each."""
PROFILES_ONLY_FROM = 100_000
"""People; in companies of so many or more next to nothing happens but that people come and change
(`sandbox.rates`), and the network is left out, whose limit of calls would take hours."""

STREAMS = (
    "crm.accounts", "crm.contacts", "crm.leads", "crm.users", "crm.cases", "forum.users",
    "hub.contacts", "hub.companies", "hub.owners", "hub.associations", "shop.customers",
    "shop.orders", "social.profiles",
)  # fmt: skip
"""The streams that show people or organizations."""

MODELS = ("+identity_person_map", "+identity_suggestion")
STATEMENTS = ("merged_record", "converted_lead")
CLAIM = "claimed_handle"
CROWDED_NUMBER = """
with holders as (
    select profile_key, value, name_key, profile.source, profile.stream, organization_key, person
    from identity_identifier
    inner join identity_identifier_book as book using (entity, id_type, value)
    inner join identity_name as name using (profile_key)
    inner join identity_profile as profile using (profile_key)
    inner join '{truth}/profiles.parquet' as truth using (profile_key)
    where id_type = 'phone' and flag = 'shared' and n_profiles > {most} and name_key is not null
)
select one.person, other.person
from holders as one
inner join holders as other
    on one.value = other.value and one.name_key = other.name_key
    and one.source = other.source and one.stream = other.stream
    and one.organization_key <> other.organization_key
    and one.profile_key < other.profile_key
where one.person is not null and other.person is not null
"""
"""Records of one list and one name that share a number with too many, and no organization."""
MOST_OF_A_FLAGGED_VALUE = 6
"""Profiles; pairs of a flagged value that more of them have are not looked at."""
NOBODYS = ("role", "placeholder")
MAILBOX_TRAPS = ("email_role", "email_placeholder", "shared_mailbox")
SWITCHBOARD = "phone_switchboard"


@dataclass
class Result:
    """One company measured.

    Attributes:
        links: pairs that are one person here: right when they are in truth.
        evident, named: pairs of one true person that could be found: right when found.
        accepted: the same as `links`, if every suggestion were accepted; `accepted_evident`,
            `accepted_named` likewise.
        every: all pairs of one true person (handles of other networks left out).
        by_sources, by_trap: true pairs that are evident: right when found.
        wrong_by_trap: pairs that are wrongly one person here and touch the trap.
        by_rule: pairs of a rule's own, joined or suggested, whatever else joins them.
        through: links made through what belongs to nobody, or with no claim.
        crowded: pairs of `CROWDED_NUMBER`, which no rule looks at.
        largest: profiles of the largest person.
    """

    seed: int
    people: int
    links: Share = field(default_factory=Share)
    evident: Share = field(default_factory=Share)
    named: Share = field(default_factory=Share)
    every: Share = field(default_factory=Share)
    accepted: Share = field(default_factory=Share)
    accepted_evident: Share = field(default_factory=Share)
    accepted_named: Share = field(default_factory=Share)
    by_sources: defaultdict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    by_trap: defaultdict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    wrong_by_trap: Counter[str] = field(default_factory=Counter)
    by_rule: defaultdict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    through: Counter[str] = field(default_factory=Counter)
    crowded: Share = field(default_factory=Share)
    largest: int = 0


def land(folder: Path, seed: int, people: int) -> None:
    """Sync a generated company into `folder`, and write its truth beside it."""
    is_large = people >= PROFILES_ONLY_FROM
    rates = PROFILES_ONLY if is_large else None
    streams = [name for name in STREAMS if not (is_large and name.startswith("social."))]
    with serve(port=0, world=World(people=people, seed=seed, now=NOW, rates=rates)) as sandbox:
        found = demo.write_config(folder, sandbox.credentials)
        for outcome in sync_selected(found, streams):
            if outcome.error is not None:
                raise outcome.error
        sandbox.write_truth(folder / "truth")


def resolve(folder: Path) -> None:
    """Build the identity tables of what was landed."""
    found = config.load(folder / config.CONFIG_NAME)
    (found.home / build.BUILD_NAME).unlink(missing_ok=True)
    plan = build.plan(found)
    build.prepare(found, plan)
    for command in ("seed", "run"):
        failure = dbt.failure(
            dbt.run(found.home, [command, "--full-refresh", "--select", *MODELS]), found.home
        )
        if failure:
            raise failure


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as resolved and in truth; `person` is who it really is."""

    key: str
    person_id: str
    person: str | None
    source: str
    name: Name


class Company:
    """The tables of a resolved company and its truth, read once."""

    def __init__(self, folder: Path) -> None:
        self._connection = duckdb.connect(str(folder / build.BUILD_NAME), read_only=True)
        truth = (folder / "truth").as_posix()
        self.profiles = {
            row[0]: Profile(
                row[0], row[1], row[2], row[3],
                Name(tuple(row[4].split()), tuple(row[5].split())) if row[4] else UNKNOWN,
            )
            for row in self.rows(
                "select map.profile_key, map.person_id, truth.person, profile.source, "
                "names.given, names.family from identity_person_map as map "
                "join identity_profile as profile using (profile_key) "
                f"left join '{truth}/profiles.parquet' as truth using (profile_key) "
                "left join identity_name as names using (profile_key) order by 1"
            )
        }  # fmt: skip
        self.nicknames = Nicknames(self.rows("select familiar, formal from nickname"))
        self.identifiers: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        for key, kind, value in self.rows(
            "select profile_key, replace(id_type, 'record_id', 'external_id'), value "
            "from identity_identifier join identity_identifier_book "
            f"using (entity, id_type, value) where entity = 'person' and flag not in {NOBODYS}"
        ):
            self.identifiers[key].add((kind, value))
        self.places: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        for key, kind, value in self.rows(
            "select profile_key, place_type, place from identity_workplace"
        ):
            self.places[key].add((kind, value))
        self.edges = self.rows(
            "select left_key, right_key, rule_id, id_type, state from identity_edge "
            "where entity = 'person' and state in ('live', 'suggested')"
        )
        self.judged = self.rows(
            "select edge.rule_id, coalesce(one.person, one.organization), "
            "coalesce(other.person, other.organization) from identity_edge as edge "
            f"join '{truth}/profiles.parquet' as one on edge.left_key = one.profile_key "
            f"join '{truth}/profiles.parquet' as other on edge.right_key = other.profile_key "
            "where edge.state in ('live', 'suggested')"
        )
        self.crowded = self.rows(CROWDED_NUMBER.format(truth=truth, most=MOST_OF_A_FLAGGED_VALUE))
        self.suggested = self.rows("select person_id, other_person_id from identity_suggestion")
        self.traps: defaultdict[str, set[str]] = defaultdict(set)
        for trap, source_type, stream, native_id in self.rows(
            f"select trap, source_type, stream, native_id from '{truth}/traps.parquet'"
        ):
            key = f"{SOURCES.get(source_type, source_type)}:{stream}:{native_id}"
            if key in self.profiles:
                self.traps[key].add(trap)
        namesakes = {
            person
            for (person,) in self.rows(
                f"select true_id from '{truth}/traps.parquet' where trap = 'same_full_name'"
            )
        }
        for profile in self.profiles.values():
            if profile.person in namesakes:
                self.traps[profile.key].add("same_full_name")

    def rows(self, query: str) -> list[tuple[str, ...]]:
        return self._connection.execute(query).fetchall()

    def close(self) -> None:
        self._connection.close()


def measure(folder: Path, seed: int, people: int) -> Result:
    """Compare what was resolved with the truth."""
    company = Company(folder)
    result = Result(seed, people)
    accepted = Components()
    for one, other in company.suggested:
        accepted.join(one, other)
    known = [profile for profile in company.profiles.values() if profile.person]

    for members in _grouped(known, "person_id").values():
        for one, other in combinations(members, 2):
            result.links.add(one.person == other.person)
            if one.person != other.person:
                for trap in company.traps[one.key] | company.traps[other.key]:
                    result.wrong_by_trap[trap] += 1
    together: defaultdict[str, list[Profile]] = defaultdict(list)
    for profile in known:
        together[accepted.find(profile.person_id)].append(profile)
    for members in together.values():
        for one, other in combinations(members, 2):
            result.accepted.add(one.person == other.person)

    said = {frozenset(edge[:2]) for edge in company.edges if edge[2] in STATEMENTS}
    # a handle of another network is nobody's without a claim
    found_in = [profile for profile in known if profile.source != "social"]
    for members in _grouped(found_in, "person").values():
        evident, named = _reachable(company, members, said)
        for one, other in combinations(members, 2):
            is_found = one.person_id == other.person_id
            is_accepted = accepted.find(one.person_id) == accepted.find(other.person_id)
            result.every.add(is_found)
            if named.find(one.key) == named.find(other.key):
                result.named.add(is_found)
                result.accepted_named.add(is_accepted)
            if evident.find(one.key) == evident.find(other.key):
                result.evident.add(is_found)
                result.accepted_evident.add(is_accepted)
                sources = "+".join(sorted((one.source, other.source)))
                result.by_sources[sources].add(is_found)
                for trap in company.traps[one.key] | company.traps[other.key]:
                    result.by_trap[trap].add(is_found)

    for rule, who, other_who in company.judged:
        if who and other_who:
            result.by_rule[rule].add(who == other_who)
    for who, other_who in company.crowded:
        result.crowded.add(who == other_who)
    for left, right, rule, id_type, state in company.edges:
        if state == "live" and rule != CLAIM:
            one, other = company.profiles[left], company.profiles[right]
            for what in _through(company, one, other, id_type):
                result.through[what] += 1
    sizes = Counter(profile.person_id for profile in company.profiles.values())
    result.largest = max(sizes.values())
    company.close()
    return result


def _grouped(profiles: Iterable[Profile], attribute: str) -> dict[str, list[Profile]]:
    groups: dict[str, list[Profile]] = {}
    for profile in profiles:
        groups.setdefault(getattr(profile, attribute), []).append(profile)
    return groups


def _reachable(
    company: Company, members: Sequence[Profile], said: set[frozenset[str]]
) -> tuple[Components, Components]:
    """Return how the profiles of one person hang together: evidently, and by bare names too."""
    evident, named = Components(), Components()
    for one, other in combinations(members, 2):
        is_evident = frozenset((one.key, other.key)) in said or not company.identifiers[
            one.key
        ].isdisjoint(company.identifiers[other.key])
        agree = verdict(one.name, other.name, company.nicknames) == "agree"
        if is_evident or (
            agree and not company.places[one.key].isdisjoint(company.places[other.key])
        ):
            evident.join(one.key, other.key)
            named.join(one.key, other.key)
        elif agree:
            named.join(one.key, other.key)
    return evident, named


def _through(company: Company, one: Profile, other: Profile, id_type: str) -> Iterable[str]:
    """Yield what a live pair must not have been joined by."""
    traps, more = company.traps[one.key], company.traps[other.key]
    if id_type == "email":
        yield from (trap for trap in MAILBOX_TRAPS if trap in traps and trap in more)
    if id_type == "phone" and SWITCHBOARD in traps and SWITCHBOARD in more:
        numbers = [
            {kind for kind in company.identifiers[profile.key] if kind[0] == "phone"}
            for profile in (one, other)
        ]
        if len(numbers[0]) == len(numbers[1]) == 1:
            yield SWITCHBOARD
    if "social" in (one.source, other.source):
        yield "handle"


def report(results: Sequence[Result]) -> str:
    """Return the page."""
    total: defaultdict[str, Share] = defaultdict(Share)
    for result in results:
        if result.seed != TUNED_ON:
            for rule, share in result.by_rule.items():
                total[rule].right += share.right
                total[rule].of += share.of
    crowded = Share(
        sum(one.crowded.right for one in results), sum(one.crowded.of for one in results)
    )
    lines = [
        "# Who is who: how right it is",
        "",
        f"{machine()}. Made by `python -m benchmarks.identity`; rules were tuned on seed"
        f" {TUNED_ON} and are reported on the others, but for guards added after a look at"
        " them: one name in one list and an organization's number (seed 23), a name that several"
        " organizations bear and three of a name on a crowded number (200,000 of seed 11). The"
        " companies are generated, and how often each trap occurs in them is a guess: read by"
        " trap, and measure your own data by"
        f" reviewing pairs. In companies of {PROFILES_ONLY_FROM:,} people and more next to nothing"
        " happens but that people come and change, and the network is left out.",
        "",
        "Pairs of profiles; *precision*: of those that are one person here, the share that is one"
        " in truth; *found*: of those that are one in truth, the share that is one here."
        " *Evident* pairs hang together by values that the person's profiles share (no role"
        " mailbox, no placeholder), by what a source says, or by agreeing full names in the same"
        " place of work. *Named* pairs, further, by agreeing full names alone; most names of"
        " these companies have several bearers, so a name alone is right less often than not."
        " Handles of other networks are left out: without a claim nobody may join them.",
        "",
        "| people | seed | precision | lower end | found of all | of evident | of named"
        " | largest | suggestions accepted: precision | of evident | of named |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {one.people:,} | {one.seed} | {one.links.share:.4f} | {one.links.low:.4f}"
            f" | {one.every.share:.3f} of {one.every.of:,}"
            f" | {one.evident.share:.3f} of {one.evident.of:,}"
            f" | {one.named.share:.3f} of {one.named.of:,} | {one.largest}"
            f" | {one.accepted.share:.4f} | {one.accepted_evident.share:.3f}"
            f" | {one.accepted_named.share:.3f} |"
            for one in results
        ),
        "",
        "Links through a role mailbox, a placeholder, a switchboard, or to a handle that nobody"
        " claimed: " + str(sum(sum(one.through.values()) for one in results)) + ".",
        "",
        "## By rule",
        "",
        "Pairs that a rule alone would join or suggest, seeds that nothing was tuned on;"
        " *lower end*: of the 95 % interval (Wilson). These are the measured columns of the seed"
        " `identity_rule`; `merged_record` shows only from the second sync on.",
        "",
        "| rule | pairs | precision | lower end |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {rule} | {share.of:,} | {share.share:.4f} | {share.low:.4f} |"
            for rule, share in sorted(total.items(), key=lambda item: -item[1].low)
        ),
        "",
        "## By sources",
        "",
        *_table("sources", [one.by_sources for one in results], results),
        "",
        "## By trap",
        "",
        "Evident pairs that touch a record with the trap, the share found; *wrong*: pairs that"
        " are wrongly one person and touch it.",
        "",
        "Most changes of employer that are not found show in nothing but a phone number that many"
        " strangers have: generated numbers are those kept for fiction, of which there are few. A"
        " name beside such a number is not enough: of pairs of records of one list that name two"
        f" organizations and share a name and a number of more than {MOST_OF_A_FLAGGED_VALUE}"
        f" people, {crowded.right:,} of {crowded.of:,} are one person.",
        "",
        *_table(
            "trap",
            [one.by_trap for one in results],
            results,
            wrong=[one.wrong_by_trap for one in results],
        ),
        "",
    ]
    return "\n".join(lines)


def _table(
    word: str,
    columns: Sequence[Mapping[str, Share]],
    results: Sequence[Result],
    *,
    wrong: Sequence[Counter[str]] | None = None,
) -> list[str]:
    heads = [f"{one.people:,}, seed {one.seed}" for one in results]
    names = sorted({name for column in columns for name in column})
    lines = [
        f"| {word} | " + " | ".join(heads) + (" | wrong |" if wrong else " |"),
        "| --- | " + "---: | " * (len(heads) + bool(wrong)),
    ]
    for name in names:
        cells = [
            f"{column[name].share:.3f} of {column[name].of:,}" if name in column else "-"
            for column in columns
        ]
        if wrong:
            cells.append(str(sum(found[name] for found in wrong)))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [line.rstrip() for line in lines]


def _company(text: str) -> tuple[int, int]:
    """Read `<people>:<seed>`."""
    people, seed = text.split(":")
    return int(people), int(seed)


def main() -> None:
    """Measure every company and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--company", type=_company, nargs="*", default=COMPANIES)
    parser.add_argument("--folder", type=Path, help="keep the companies here, and use what is")
    parser.add_argument("--measured", action="store_true", help="take what was resolved there")
    parser.add_argument("--print", action="store_true", help="do not write the page")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        results = []
        for people, seed in chosen.company:
            folder = (chosen.folder or Path(temporary)) / f"{seed}_{people}"
            if not (folder / "truth").exists():
                land(folder, seed, people)
            if not chosen.measured:
                resolve(folder)
            results.append(measure(folder, seed, people))
        page = report(results)
    if chosen.print:
        print(page)
    else:
        PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
