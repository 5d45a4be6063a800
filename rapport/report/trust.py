"""What the numbers stand on: every stream that was read, and what cannot be told.

Belongs here: `rel_data_trust`, and why a number is unknown and what would light it. Does not
belong here: any other metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from rapport.report.warehouse import Query, Row


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """A number that cannot be told.

    Attributes:
        what: what readers miss.
        why: what is missing, in words.
        light: what to do so that it is told; empty where only time helps.
    """

    what: str
    why: str
    light: str = ""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One stream of a source.

    Attributes:
        row: its row of `rel_data_trust` with field `*`.
        fields: its rows per unified field; empty if it names nobody.
    """

    row: Row
    fields: Sequence[Row]


def streams(query: Query, as_of: date, basis: str) -> list[Stream]:
    """Return every stream, by source and name."""
    rows = query.rows(
        "select * exclude (known_at) from rel_data_trust where as_of = $as_of and basis = $basis "
        "and stream <> '*' order by source, stream, field",
        as_of=as_of,
        basis=basis,
    )
    fields: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["field"] != "*" and row["profiles"] is not None:
            fields.setdefault((row["source"], row["stream"]), []).append(row)
    return [
        Stream(row=row, fields=fields.get((row["source"], row["stream"]), ()))
        for row in rows
        if row["field"] == "*"
    ]


def unknown(
    silos: frozenset[str], totals: Row, community: Row | None, *, has_strategy: bool
) -> list[Unknown]:
    """Return what the data cannot tell, most far-reaching first."""
    found = []
    if "crm" not in silos:
        found.append(
            Unknown(
                what="owners, renewals, and which people of the forum are customers",
                why="no CRM is connected",
                light="connect a CRM in rapport.yml, or map its export",
            )
        )
    if "forum" not in silos:
        found.append(
            Unknown(
                what="community health: who comes, who stays, whether questions get answered",
                why="no forum is connected",
                light="connect the forum in rapport.yml, or map its export",
            )
        )
    if not totals["people"]:
        found.append(
            Unknown(
                what="who drifts away, and who of an organization takes part",
                why="no source names people outside",
                light="read a stream of contacts, users or authors",
            )
        )
    if not totals["organizations"]:
        found.append(
            Unknown(
                what="how the relationship with each organization fares",
                why="no source names organizations",
                light="read a stream of accounts or companies",
            )
        )
    if "support" not in silos:
        found.append(
            Unknown(
                what="open cases and how fast they are answered",
                why="no cases are connected",
                light="read the cases of the CRM, or map a help desk's export",
            )
        )
    if not totals["purchases"]:
        found.append(
            Unknown(
                what="purchases",
                why="no orders are connected",
                light="map orders to purchases in rapport.yml",
            )
        )
    if not totals["logins"]:
        found.append(
            Unknown(
                what="logins: whether people use what they have",
                why="no source tells logins",
                light="connect the product's log of logins",
            )
        )
    if not totals["staff"]:
        found.append(
            Unknown(
                what="which answers come from us and which from members",
                why="no source marks staff",
                light="name your own e-mail domains in rapport.yml (own_domains)",
            )
        )
    if community and "forum" in silos:
        found += _unknown_in(community)
    if not has_strategy:
        found.append(
            Unknown(
                what="verdicts, levels and proposed actions",
                why="no strategy.yml is written: it says what the relationships are for",
                light="write strategy.yml; one sentence of vision is enough to begin",
            )
        )
    return found


def _unknown_in(community: Row) -> list[Unknown]:
    found = []
    if community["questions"] and community["median_first_response_hours"] is None:
        found.append(
            Unknown(
                what="the median first response",
                why="more than half of the questions still wait, so it has no end yet",
            )
        )
    if community["questions"] == 0:
        found.append(
            Unknown(
                what="answered share and first response", why="nobody asked in the last 28 days"
            )
        )
    if community["questions"] and community["solved_share"] is None:
        found.append(
            Unknown(
                what="the share of questions that were solved",
                why="no answer was ever marked as accepted",
                light="let askers mark the answer that helped, where the forum allows it",
            )
        )
    if community["answers"] == 0:
        found.append(
            Unknown(what="who carries the community", why="nobody answered in the last 28 days")
        )
    return found
