"""Questions that one table of the warehouse answers: how they are asked, and what came back.

Belongs here: what a question consists of, reading its rows, and whom they may name. Does not
belong here: which questions there are (`topics`), how a value reads (`words`), markup.

A column says what it shows as a text with places in it: `{n:count} of {people:count}` is the
columns `n` and `people` of a row, each as the function of `words` with that name tells it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from rapport.report import words
from rapport.report.facts import Facts
from rapport.report.warehouse import Query, Row

_PLACE = re.compile(r"\{(\w+):(\w+)\}")
_WITH_UNIT = {"money": "currency", "measure": "unit"}  # told by this column of the same row

# Colleagues may be named, bots and accounts of social networks that no record claims may not;
# whoever is suppressed is in no table at all.
_NAMED = """\
create temp table named as
select person_id
from dim_person
where not coalesce(is_bot, false)
  and (coalesce(is_staff, false) or silos is distinct from 'social')"""

_ROWS = """\
with found as ({source})
select {fields}, count(*) over () as in_all, (select count(*) from found) as in_table
from found
where ({where}){about}
order by {order}
limit $limit"""


@dataclass(frozen=True)
class Column:
    """One column of an answer.

    Attributes:
        heading: over it; empty only for the first.
        says: what stands in it; of a link and an owner the column of the id alone.
        small: what stands beside in small letters; left out where a value of it is unknown, or
            what it stands beside.
        kind: how it is set. `number` stands right, `text` left; `person`, `organization`, `party`
            and `owner` are names; `do` is what to do and `role` who answers for it, both left out
            without strategy.yml.
        absent: what stands where nothing is known.
    """

    heading: str
    says: str
    small: str = ""
    kind: Literal[
        "number", "text", "do", "role", "person", "organization", "party", "owner"
    ] = "number"  # fmt: skip
    absent: str = words.UNKNOWN

    @property
    def places(self) -> Sequence[tuple[str, str]]:
        """(column, function of `words`) of everything told, in order."""
        return _PLACE.findall(f"{self.says} {self.small}")

    @property
    def name(self) -> str:
        """The first column told: the id of a link."""
        return self.places[0][0]

    def main(self, row: Row) -> str:
        """Return what stands in it; `absent` where a value of it is unknown."""
        return _said(self.says, row) or self.absent

    def beside(self, row: Row) -> str:
        """Return what stands beside; empty where that is unknown, or what it stands beside."""
        return _said(self.small, row) if _said(self.says, row) else ""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question, and the table that answers it.

    Attributes:
        id: of its section.
        asks: what is asked, as its heading.
        how: what it means and how it is counted, for a reader without a manual.
        table: where the answer stands.
        columns: from left to right.
        order: SQL, what comes first.
        where: SQL, which rows.
        source: SQL that adds rows up first; the snapshot's rows of `table` if it is empty.
        about: columns with the people whom a row is about: rows about somebody who may not be
            named are left out.
        parts: column whose values each get a heading; rows have to come in its order.
        says_part: how such a value reads.
        also: columns that a figure reads beside those shown.
        limit: rows shown; how many more there are is said.
        nothing: why the table may be empty, and what would light it.
        absent: what is said where it has rows and none is asked for.
        needs_strategy: there is no answer before strategy.yml is written.
    """

    id: str
    asks: str
    how: str
    table: str
    columns: Sequence[Column]
    order: str
    where: str = "true"
    source: str = ""
    about: Sequence[str] = ()
    parts: str = ""
    says_part: str = ""
    also: Sequence[str] = ()
    limit: int = 25
    nothing: str = "no source tells it"
    absent: str = "None."
    needs_strategy: bool = False

    def shown(self, has_strategy: bool) -> list[Column]:
        """The columns that stand on the page."""
        return [one for one in self.columns if has_strategy or one.kind not in ("do", "role")]

    @property
    def is_list(self) -> bool:
        """Each row is a person or an organization: how many there are says something."""
        return self.columns[0].kind in ("person", "organization", "party")

    @property
    def fields(self) -> list[str]:
        """The columns of the table that are shown or say how something is shown, each once."""
        named = [place for column in self.columns for place in column.places]
        named += _PLACE.findall(self.says_part)
        units = [_WITH_UNIT[spec] for _, spec in named if spec in _WITH_UNIT]
        roles = ["owner"] if any(column.kind == "owner" for column in self.columns) else []
        parties = ["person_id", "organization_id"] if self._has_parties else []
        every = [*(name for name, _ in named), *units, *roles, *parties, *self.also]
        return list(dict.fromkeys(every))

    @property
    def _has_parties(self) -> bool:
        return any(column.kind == "party" for column in self.columns)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back.

    Attributes:
        rows: at most `question.limit`.
        total: how many there are.
        is_known: the table holds anything for this snapshot.
    """

    question: Question
    rows: Sequence[Row]
    total: int
    is_known: bool

    @property
    def parts(self) -> list[tuple[str, list[Row]]]:
        """(heading, rows); one without a heading if the question makes no parts."""
        name = self.question.parts
        if not name:
            return [("", list(self.rows))]
        return [
            (_said(self.question.says_part, rows[0]), rows)
            for rows in (list(some) for _, some in groupby(self.rows, lambda row: row[name]))
        ]


Answers = Mapping[str, Answer]


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One page of questions.

    Attributes:
        name: of its file, and in the navigation.
        about: what it is about, under its heading.
        finding: what it says in one sentence, from the answers.
        see: other pages that tell more: (name, what they tell).
    """

    name: str
    about: str
    questions: Sequence[Question]
    finding: Callable[[Answers], str]
    see: Sequence[tuple[str, str]] = ()


def gather(query: Query, found: Facts, asked: Sequence[Question]) -> dict[str, Answer]:
    """Return the answers of the published day, by id of the question."""
    query.run(_NAMED)
    return {question.id: _answer(query, found, question) for question in asked}


def _answer(query: Query, found: Facts, question: Question) -> Answer:
    if question.needs_strategy and not found.strategy:  # the tables may know an earlier one
        return Answer(question=question, rows=(), total=0, is_known=True)
    snapshot = f"select * from {question.table} where as_of = $as_of and basis = $basis"
    about = "".join(
        f" and ({name} is null or {name} in (select person_id from named))"
        for name in question.about
    )
    rows = query.rows(
        _ROWS.format(
            source=question.source or snapshot,
            fields=", ".join(question.fields),
            where=question.where,
            about=about,
            order=question.order,
        ),
        as_of=found.as_of,
        basis=found.basis,
        limit=question.limit,
    )
    held = rows[0]["in_table"] if rows else query.row(
        f"select count(*) as n from ({snapshot})", as_of=found.as_of, basis=found.basis
    )["n"]  # fmt: skip
    return Answer(
        question=question,
        rows=rows,
        total=rows[0]["in_all"] if rows else 0,
        is_known=held > 0,
    )


def staff(query: Query) -> dict[str, str]:
    """Return the name of each colleague and of the programs that act for us, by person_id."""
    rows = query.rows(
        "select person_id, display_name from dim_person "
        "where is_staff or (is_bot and silos is distinct from 'social')"
    )
    return {row["person_id"]: words.name(row["display_name"], row["person_id"]) for row in rows}


def _said(template: str, row: Mapping[str, object]) -> str:
    """Return a text with its places filled; empty where a value of it is unknown."""
    if any(row[name] is None for name, _ in _PLACE.findall(template)):
        return ""
    return _PLACE.sub(lambda place: _told(row, place[1], place[2]), template)


def _told(row: Mapping[str, object], name: str, spec: str) -> str:
    tell = getattr(words, spec)
    unit = _WITH_UNIT.get(spec)
    return str(tell(row[name], row[unit]) if unit else tell(row[name]))
