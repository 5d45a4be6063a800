"""The headline numbers that a run prints when it is done, as a dictionary and in a terminal.

Belongs here: which numbers are worth a line. Does not belong here: looking them up
(`rapport.report.facts`) or how one value reads (`rapport.report.words`).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rapport.config import Config
from rapport.report import FOLDER, PAGE_NAME, advice, facts, panels, relations, words
from rapport.report.facts import Facts
from rapport.report.figures import number
from rapport.report.relations import Organization, Person
from rapport.report.warehouse import Row
from rapport.status import stream_lines

LISTED = 5
KINDS_PRINTED = 8
HELP = (
    "questions",
    "answered_share",
    "median_first_response_hours",
    "solved_share",
    "answers",
    "helpers",
    "top_helper_share",
    "helper_absence_factor",
)


def numbers(config: Config) -> dict[str, Any]:
    """Return the headline numbers of the published day as plain values, ready for JSON.

    Shares are 0 to 1, durations are hours, gaps are days; null means unknown, and `unknown`
    says why.

    Raises:
        BuildError: nothing is published yet.
        ConfigError: strategy.yml is wrong.
    """
    return _plain(config, facts.read(config))


def _plain(config: Config, found: Facts) -> dict[str, Any]:
    community = found.community or {}
    organizations = relations.to_look_after(found.organizations)
    people = relations.to_keep(found.people.values())
    quarantine = {
        line["place"]: line["quarantined"] for line in stream_lines(config) if line["quarantined"]
    }
    reasons: Counter[str] = Counter()
    for by_reason in quarantine.values():
        reasons.update(by_reason)
    return {
        "as_of": found.as_of.isoformat(),
        "basis": found.basis,
        "known_at": found.known_at,
        "metric_version": found.metric_version,
        "people": found.totals["people"],
        "staff": found.totals["staff"],
        "bots": found.totals["bots"],
        "organizations": found.totals["organizations"],
        "interactions": found.totals["interactions"],
        "interactions_by_kind": {row["kind"]: row["n"] for row in found.kinds},
        "purchases": found.totals["purchases"],
        "cases": found.totals["cases"],
        "deals": found.totals["deals"],
        "forum_people_linked_to_crm": {
            "share": facts.forum_linked_share(found),
            "n": found.forum_linked["n"],
        },
        "forum_people_linked_by_source": {
            row["source"] or "any": {"share": row["share"], "n": row["n"]}
            for row in found.forum_known
        },
        "linked_share_by_silo": {
            row["silo"]: {"share": row["linked_share"], "n": row["n"]}
            for row in found.linked_by_silo
        },
        "active_people": community.get("active"),
        "quick_ratio": community.get("quick_ratio"),
        "answered_7d_share": community.get("answered_7d_share"),
        "answered_7d_n": community.get("questions_7d"),
        "help": {
            name: {column: community.get(column + suffix) for column in HELP}
            for name, suffix in panels.WINDOWS
        },
        "verdict": community.get("verdict"),
        "organizations_to_look_after": {
            "total": len(organizations),
            "first": [_organization(one) for one in organizations[:LISTED]],
        },
        "people_drifting": {
            "total": len(people),
            "first": [_person(one) for one in people[:LISTED]],
        },
        "fourth_purchase": _fourth_purchase(found),
        "quarantine": dict(reasons),
        "quarantine_by_stream": {place: dict(by) for place, by in quarantine.items()},
        "unknown": [{"what": item.what, "why": item.why} for item in found.unknown],
        "database": str(facts.database_path(config)),
        "parquet": str(config.home / "marts"),
        "report": str(config.home / FOLDER / PAGE_NAME),
    }


def _fourth_purchase(found: Facts) -> Row | None:
    """Return how many buyers came to a 4th purchase and how long it took; None without orders."""
    for row in found.cadence:
        if (row["step"], row["segment_type"], row["ordinal"]) == ("purchase", "all", 4):
            columns = ("started", "reached", "reached_share_365d")
            days = ("p25_days", "median_days", "p75_days")
            return {name: row[name] for name in columns} | {
                name: number(row, name) for name in days
            }
    return None


def _organization(one: Organization) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.row["name"],
        "reason": advice.reason(one.concerns[0], one.row),
    }


def _person(one: Person) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "reason": one.row["reason_1"]}


def print_all(console: Console, config: Config, mark: str | None = None) -> None:
    """Print the headline numbers, with `mark` above and below when the data is not real."""
    found = facts.read(config)
    values = _plain(config, found)
    _mark(console, mark)
    rebuilt = ", rebuilt from what is known now" if found.basis == "backcast" else ""
    console.print(Text(f"End of {words.day(found.as_of)} (UTC){rebuilt}", style="bold"))
    if found.strategy:
        console.print(Text(words.name(found.strategy.vision.statement, limit=200), style="italic"))
    _lines(console, _overview(values))
    if facts.has_community(found):
        _lines(console, _community(values))
    if values["fourth_purchase"]:
        _lines(console, _buying(values["fourth_purchase"]))
    _help(console, found)
    if found.totals["organizations"]:
        _list(console, "Organizations to look after", values["organizations_to_look_after"])
    if found.totals["people"]:
        _list(console, "People drifting away", values["people_drifting"])
    _lines(console, _trust(values))
    _unknown(console, found)
    _lines(console, _places(values))
    _mark(console, mark)


def _overview(values: dict[str, Any]) -> list[tuple[str, str]]:
    kinds = list(values["interactions_by_kind"].items())
    named = [f"{words.kind(kind)} {n:,}" for kind, n in kinds[:KINDS_PRINTED]]
    if len(kinds) > KINDS_PRINTED:
        named.append(words.plural(len(kinds) - KINDS_PRINTED, "more kind"))
    linked = values["forum_people_linked_to_crm"]
    known_to_crm = words.percent(linked["share"])
    if linked["share"] is not None:
        known_to_crm += f" (n = {linked['n']:,} active in {facts.ACTIVE_DAYS} days)"
    known = [
        f"{source} {words.percent(row['share'])}"
        for source, row in values["forum_people_linked_by_source"].items()
    ]
    by_silo = [
        f"{words.silo(silo)} {words.percent(row['share'])} (n = {row['n']:,})"
        for silo, row in values["linked_share_by_silo"].items()
    ]
    besides = f"{words.plural(values['staff'], 'colleague')}, {words.plural(values['bots'], 'bot')}"
    return [
        ("people", f"{words.some(values['people'])} (besides {besides})"),
        ("organizations", words.some(values["organizations"])),
        ("interactions", f"{words.count(values['interactions'])}: {', '.join(named) or 'none'}"),
        ("forum people in the CRM", known_to_crm),
        ("forum people known to", ", ".join(known) or words.UNKNOWN),
        ("seen in another silo", ", ".join(by_silo) or words.UNKNOWN),
    ]  # fmt: skip


def _community(values: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [
        ("active in 28 days", f"{words.count(values['active_people'])}, quick ratio "
                              f"{words.ratio(values['quick_ratio'])}"),
        ("answered within 7 days", f"{words.percent(values['answered_7d_share'])} "
                                   f"(n = {words.count(values['answered_7d_n'])} questions)"),
    ]  # fmt: skip
    return [*lines, ("verdict", values["verdict"])] if values["verdict"] else lines


def _buying(fourth: Row) -> list[tuple[str, str]]:
    text = (
        f"{words.percent(fourth['reached_share_365d'])} within a year of the first "
        f"(n = {words.plural(fourth['started'], 'buyer')})"
    )
    if fourth["reached"]:
        text += (
            f"; the {words.count(fourth['reached'])} who got there took "
            f"{fourth['median_days']:.0f} days at the median, "
            f"half of them {fourth['p25_days']:.0f} to {fourth['p75_days']:.0f}"
        )
    return [("4th purchase", text)]


def _help(console: Console, found: Facts) -> None:
    """Print who asks, who answers and how fast, over three windows side by side."""
    if not facts.has_community(found):
        return
    console.print()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    for _ in panels.WINDOWS:
        table.add_column(justify="right")
    table.add_row("help in the community", *(name for name, _ in panels.WINDOWS))
    for label, texts in panels.windows(found.community):
        table.add_row(label[0].lower() + label[1:], *texts)
    console.print(table)


def _trust(values: dict[str, Any]) -> list[tuple[str, str]]:
    reasons = [f"{words.kind(reason)} {n:,}" for reason, n in sorted(values["quarantine"].items())]
    places = ", ".join(values["quarantine_by_stream"])
    return [("in quarantine", f"{', '.join(reasons)} (in {places})" if reasons else "nothing")]


def _places(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("report", values["report"]),
        ("database", f"duckdb -readonly {values['database']}"),
        ("Parquet files", values["parquet"]),
    ]


def _list(console: Console, heading: str, listed: dict[str, Any]) -> None:
    console.print()
    shown = f", {len(listed['first'])} of {listed['total']:,}" if listed["total"] else ": none"
    console.print(Text(f"{heading}{shown}", style="bold"))
    table = Table.grid(padding=(0, 2))
    for row in listed["first"]:
        table.add_row(
            Text(words.name(row["name"], row["id"], 32)), Text(words.name(row["reason"], limit=90))
        )
    if listed["first"]:
        console.print(Padding.indent(table, 2))


def _unknown(console: Console, found: Facts) -> None:
    if not found.unknown:
        return
    console.print()
    console.print(Text("Unknown, and why", style="bold"))
    for item in found.unknown:
        console.print(Padding.indent(Text(f"{item.what}: {item.why}"), 2))


def _lines(console: Console, lines: list[tuple[str, str]]) -> None:
    console.print()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in lines:
        table.add_row(Text(label), Text(value))
    console.print(table)


def _mark(console: Console, mark: str | None) -> None:
    if mark:
        console.print(Text(mark, style="bold yellow"))
