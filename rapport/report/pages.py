"""The pages of the report: which there are, where they lie, and what each is given.

Belongs here: which people get a page, the order of lists, what a template receives. Does not
belong here: markup (`templates/`), sentences (`advice`, `panels`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from rapport.config import Config
from rapport.report import (
    advice,
    charts,
    dossiers,
    facts,
    figures,
    joined,
    lists,
    panels,
    questions,
    relations,
    scoreboard,
    topics,
    words,
)
from rapport.report.dossiers import Details
from rapport.report.facts import Facts
from rapport.report.figures import Figure
from rapport.report.lists import OwnerList
from rapport.report.questions import Answer
from rapport.report.relations import Organization, Person
from rapport.report.scoreboard import Scoreboard
from rapport.report.warehouse import Query, Row

SHOWN_AT_ONCE = 5
LIST_LIMIT = 50  # further rows stand on the page of all organizations or people
SEGMENTS_COMPARED = 8
_TOPICS = {topic.name: topic for topic in topics.TOPICS}
ABOUT = {
    "index": "whom to look after this week",
    "goals": "what we want of our relationships, and whether it comes to that",
    "organizations": "how the relationship with each organization stands",
    "people": "whom we know in several places as one person",
    "ties": _TOPICS["ties"].about,
    "community": "who comes, who stays, and whether questions get answered",
    "engagement": "how close people are to us, and who has earned which tier",
    "silence": _TOPICS["silence"].about,
    "cadence": "who comes a second time, and how soon",
    "lifetime": _TOPICS["lifetime"].about,
    "journeys": _TOPICS["journeys"].about,
    "qualities": _TOPICS["qualities"].about,
    "money": _TOPICS["money"].about,
    "coverage": "what these numbers stand on, and what cannot be told",
}
"""Every page of the navigation, in its order, and what it is about."""
_OWN = ("index", "goals", "organizations", "people", "community", "engagement", "cadence",
        "coverage", "organization", "person", "topic")  # fmt: skip
TEMPLATES = tuple(f"{name}.html.j2" for name in _OWN)


@dataclass(frozen=True, kw_only=True)
class Page:
    """One file of the report; `path` is relative to its folder."""

    path: str
    template: str
    content: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the pages of questions and goals hold.

    Attributes:
        answers: by id of the question.
        staff: name of each colleague, by person_id.
    """

    answers: Mapping[str, Answer]
    staff: Mapping[str, str]
    board: Scoreboard


def ask(query: Query, found: Facts) -> Asked:
    """Return the answers to every question of every page."""
    every = [*topics.tiers.QUESTIONS, *(one for topic in topics.TOPICS for one in topic.questions)]
    return Asked(
        answers=questions.gather(query, found, every),
        staff=questions.staff(query),
        board=scoreboard.gather(query, found),
    )


class Site:
    """All pages of one published day."""

    def __init__(self, config: Config, found: Facts, details: Details, asked: Asked) -> None:
        self._config = config
        self._found = found
        self._details = details
        self._asked = asked
        self._labels = {one.name: one.label for one in config.sources.values()}
        people = found.people.values()
        self._keep = relations.to_keep(people)
        self._thank = relations.to_thank(details.helpers, found.as_of)
        self._risen = relations.risen(people)
        self._namesakes = _namesakes(found.organizations)
        self._helpers = {one.person.id: one for one in details.helpers}
        named = {one.id for one in (*self._keep[:LIST_LIMIT], *self._risen[:LIST_LIMIT])}
        named |= {one.person.id for one in self._thank[:LIST_LIMIT]}
        named |= {one.id for one in people if one.row["save_rank"] is not None}
        self._paged = {
            one.id: one
            for one in people
            if not one.is_anonymous and (one.row["is_linked"] or one.id in named)
        }
        self._saving: list[OwnerList] = []
        self._thanking: list[OwnerList] = []
        if found.strategy:
            role = found.strategy.owners.relationships
            paths = {one.id: person_path(one) for one in self._paged.values()}
            self._saving = lists.save_lists(people, role, paths)
            self._thanking = lists.thank_lists(
                self._thank, role, paths, knows_staff=found.totals["staff"] > 0
            )

    def shared(self) -> dict[str, Any]:
        """Return what every template sees."""
        return {
            "facts": self._found,
            "company": _company(self._config),
            "is_sandbox": facts.is_sandbox(self._config),
            "database": facts.database_path(self._config),
            "labels": self._labels,
            "paged": self._paged,
            "namesakes": self._namesakes,
            "topics": tuple(ABOUT),
            "staff": self._asked.staff,
            "organization_names": {one.id: one.row["name"] for one in self._found.organizations},
            "waits": topics.STRATEGY_WAITS,
            "advice": advice,
            "concerns": advice.CONCERNS,
            "has_strategy": self._found.strategy is not None,
            "bounds": relations,
            "slowing": self._found.strategy.disengagement.slowing
            if self._found.strategy
            else facts.DEFAULT_SLOWING,
            "shown_at_once": SHOWN_AT_ONCE,
            "library": charts.LIBRARY,
        }

    def names(self) -> list[tuple[str, str, str]]:
        """Return (name, what it is, path) of everything that has a page of its own, by name."""
        found = [
            (
                words.name(one.row["name"], one.id),
                words.name(self._namesakes.get(one.id), "organization"),
                organization_path(one),
            )
            for one in self._found.organizations
        ]
        found += [
            (
                words.name(one.name, one.id),
                words.name(one.row["organization_name"], "person"),
                person_path(one),
            )
            for one in self._paged.values()
        ]
        return sorted(found, key=lambda line: (line[0].casefold(), line))

    def lists(self) -> list[OwnerList]:
        """Return the lists of each owner; none without a strategy."""
        return [*self._saving, *self._thanking]

    def pages(self) -> Iterator[Page]:
        """Yield every page."""
        yield self._topic("index", self._monday())
        yield self._topic("goals", self._goals())
        yield self._topic("organizations", {"groups": self._organization_groups()})
        yield self._topic("people", self._people())
        yield self._topic("community", self._community())
        yield self._topic("engagement", self._engagement())
        yield self._topic("cadence", {"cadence": list(self._cadence())})
        for topic in topics.TOPICS:
            yield self._topic(
                topic.name,
                {
                    "finding": topic.finding(self._asked.answers),
                    "about": topic.about,
                    "see": topic.see,
                    "figures": self._lasting() if topic.name == "lifetime" else [],
                    "answers": [self._asked.answers[one.id] for one in topic.questions],
                },
                template="topic",
            )
        yield self._topic("coverage", self._coverage())
        for organization in self._found.organizations:
            yield self._organization(organization)
        for person in self._paged.values():
            yield self._person(person)

    def _topic(self, name: str, content: dict[str, Any], *, template: str = "") -> Page:
        return Page(
            path=f"{name}.html",
            template=f"{template or name}.html.j2",
            content={"root": "", "topic": name} | content,
        )

    def _monday(self) -> dict[str, Any]:
        found = self._found
        lists = {
            name: [one for one in found.organizations if name in one.concerns]
            for name in ("quiet", "champion", "single", "slow")
        }
        earlier = found.concerns[-2]
        return {
            "lists": lists,
            "now": found.concerns[-1] or dict.fromkeys(lists),
            "earlier": earlier or {},
            "living": found.concerns[-1]["living"] if found.concerns[-1] else 0,
            "gone": found.concerns[-1]["gone"] if found.concerns[-1] else 0,
            "keep": self._keep,
            "thank": self._thank,
            "saving": self._saving,
            "thanking": self._thanking,
            "risen": self._risen,
            "limit": LIST_LIMIT,
            "figures": panels.headlines(found.history, found.concerns, found.as_of),
            "has_helpers": bool(self._details.helpers),
            "forum_linked_share": facts.forum_linked_share(found),
            "has_community": facts.has_community(found),
            "active_days": facts.ACTIVE_DAYS,
            "findings": list(self._findings()),
        }

    def _findings(self) -> Iterator[tuple[str, str, str]]:
        """Yield (page, what it is about, what it finds) of every page but the first."""
        found, answers = self._found, self._asked.answers
        groups = {heading: rows for heading, _, rows in self._organization_groups()}
        need, known = len(groups["Need somebody"]), len(found.organizations)
        linked = sum(bool(one.row["is_linked"]) for one in self._paged.values())
        everybody = next((row for row in found.engagement if row["segment_type"] == "all"), None)
        steps = [one["figures"][0].title for one in self._cadence() if one["figures"]]
        health = found.community
        told = {
            "goals": self._asked.board.finding,
            "organizations": f"{words.count(need)} of {words.plural(known, 'organization')} "
            f"{'needs' if need == 1 else 'need'} somebody" if known
            else "Organizations: unknown, no source names them",
            "people": f"{words.count(linked)} of {words.people(len(found.people))} are seen in two "
            "silos or more" if found.people else "People: unknown, no source names them",
            "community": "Whether it thrives: unknown, no forum or other community is connected"
            if health is None or health["active"] is None
            else f"{words.people(health['active'])} did something in public in 28 days"
            + (f"; the community is {health['verdict']}"
               if found.strategy and health["verdict"] else ""),
            "engagement": "; ".join(filter(None, (
                f"{words.count(everybody['people_28d'])} of {words.people(everybody['people'])} "
                "did something in 28 days" if everybody
                else "Who is close to us: unknown, nobody did anything on record by name",
                topics.tiers.finding(answers) if found.strategy else "",
            ))),
            **{topic.name: topic.finding(answers) for topic in topics.TOPICS},
            "cadence": "; ".join(steps) or "Who comes again: unknown, nobody began",
            "coverage": f"{words.plural(len(found.unknown), 'thing')} cannot be told"
            if found.unknown else "No source is missing",
        }  # fmt: skip
        for name, about in ABOUT.items():
            if name in told:
                yield name, about, told[name]

    def _lasting(self) -> list[Figure]:
        rows = self._asked.answers["lasting"].rows
        return [figures.survival(row) for row in rows if row["alive_30d"] is not None]

    def _goals(self) -> dict[str, Any]:
        board, strategy = self._asked.board, self._found.strategy
        return {
            "board": board,
            "finding": board.finding,
            "figures": {
                goal.row["goal"]: panels.goal(goal.history, self._found.as_of)
                for goal in board.goals
            },
            "named": panels.named,
            "meaning": panels.meaning,
            "goals_written": strategy is not None
            and any(one.goals for one in strategy.relationships),
            "example": scoreboard.BEGIN,
        }

    def _organization_groups(self) -> list[tuple[str, str, list[Organization]]]:
        """Return (heading, what it means, organizations), those that need somebody first."""
        need: list[Organization] = []
        fine: list[Organization] = []
        gone: list[Organization] = []
        for one in self._found.organizations:
            group = need if one.concerns else gone if one.row["is_gone"] in (True, None) else fine
            group.append(one)
        need.sort(key=lambda one: -len(one.concerns))
        days = self._found.quiet_days
        return [
            ("Need somebody", "with a reason of the first page; most reasons first", need),
            ("In touch", f"heard from within {days} days, without such a reason", fine),
            ("Gone or never heard from", f"silent for {days} days or more, or always", gone),
        ]

    def _people(self) -> dict[str, Any]:
        everybody = self._found.people.values()
        listed = sorted(
            self._paged.values(), key=lambda one: (-float(one.row["score"] or 0), one.id)
        )
        anonymous = sum(one.is_anonymous for one in everybody)
        return {
            "listed": listed,
            "linked": sum(bool(one.row["is_linked"]) for one in listed),
            "anonymous": anonymous,
            "single": len(everybody) - anonymous - len(listed),
        }

    def _community(self) -> dict[str, Any]:
        found = self._found
        return {
            "has_community": facts.has_community(found),
            "groups": panels.community(found.history, found.as_of),
            "window_names": [name for name, _ in panels.WINDOWS],
            "windows": panels.windows(found.community),
        }

    def _engagement(self) -> dict[str, Any]:
        found = self._found
        by_rule = [
            (rule, list(rows))
            for rule, rows in groupby(found.engagement, key=lambda row: row["segment_type"])
        ]
        everybody = next((rows[0] for rule, rows in by_rule if rule == "all"), None)
        return {
            "all": everybody,
            "unplaced": _unplaced(everybody) if everybody else 0,
            "figures": panels.active_people(found.engaged, found.as_of),
            "rules": [
                (rule, rows, figures.by_segment(rows[:SEGMENTS_COMPARED]))
                for rule, rows in by_rule
                if rule != "all"
            ],
            "kinds": found.kinds,
            "tiers": [
                self._asked.answers[one.id]
                for one in topics.tiers.QUESTIONS
                if one.id == "tiers" or self._asked.answers["tiers"].rows
            ],
        }

    def _cadence(self) -> Iterator[dict[str, Any]]:
        """Yield each step with its figures and its segments; purchases first, known or not."""
        steps = {
            step: list(rows) for step, rows in groupby(self._found.cadence, lambda row: row["step"])
        }
        for step in dict.fromkeys(("purchase", *steps)):
            rows = steps.get(step, [])
            everybody = [row for row in rows if row["segment_type"] == "all"]
            yield {
                "step": step,
                "rows": everybody,
                "figures": [figures.reached(step, everybody), figures.paced(step, everybody)]
                if everybody
                else [],
                "segments": [
                    row for row in rows if row["segment_type"] != "all" and row["ordinal"] == 2
                ],
            }

    def _coverage(self) -> dict[str, Any]:
        return {
            "forum_linked_share": facts.forum_linked_share(self._found),
            "crms": [one.label for one in self._config.sources.values() if one.silo == "crm"],
            "active_days": facts.ACTIVE_DAYS,
            "field_names": list(
                dict.fromkeys(
                    row["field"] for stream in self._found.streams for row in stream.fields
                )
            ),
        }

    def _organization(self, one: Organization) -> Page:
        found, details = self._found, self._details
        return Page(
            path=organization_path(one),
            template="organization.html.j2",
            content={
                "root": "../",
                "topic": "organizations",
                "one": one,
                "row": one.row,
                "contact": figures.weekly(
                    details.organization_weeks.get(one.id, {}),
                    found.as_of,
                    _last_sign(one.row, found.as_of),
                ),
                "score": panels.score(details.scores.get(one.id, ())),
                "members": self._members(details.members.get(one.id, ())),
                "our_side": details.our_side.get(one.id, ()),
                "cases": details.cases.get(one.id, ()),
                "case_limit": dossiers.OPEN_CASES,
                "deals": details.deals.get(one.id, ()),
                "segments": details.organization_segments.get(one.id, ()),
                "fields": details.organization_fields.get(one.id, ()),
                "withheld": details.withheld.get(one.id, 0),
            },
        )

    def _members(self, stays: Sequence[Row]) -> list[tuple[Row, Person]]:
        """Return an organization's people, current ones first; colleagues left out."""
        people = self._found.people
        seen: dict[tuple[str, bool], tuple[Row, Person]] = {}
        for stay in stays:
            if stay["person_id"] in people and not people[stay["person_id"]].is_anonymous:
                key = (stay["person_id"], stay["is_current"])
                seen.setdefault(key, (stay, people[stay["person_id"]]))
        return sorted(
            seen.values(),
            key=lambda pair: (not pair[0]["is_current"], -float(pair[1].row["score"] or 0)),
        )

    def _person(self, one: Person) -> Page:
        found, details = self._found, self._details
        profiles = details.profiles.get(one.id, ())
        pairs = details.pairs.get(one.id, ())
        return Page(
            path=person_path(one),
            template="person.html.j2",
            content={
                "root": "../",
                "topic": "people",
                "one": one,
                "row": one.row,
                "contact": figures.weekly(
                    details.person_weeks.get(one.id, {}),
                    found.as_of,
                    _last_sign(one.row, found.as_of),
                ),
                "profiles": profiles,
                "because": joined.because(pairs),
                "picture": joined.picture(one.id, profiles, pairs, self._labels),
                "stays": _distinct(details.stays.get(one.id, ())),
                "places": details.places.get(one.id, ()),
                "helper": self._helpers.get(one.id),
                "segments": details.person_segments.get(one.id, ()),
                "fields": details.person_fields.get(one.id, ()),
                "withheld": details.withheld.get(one.id, 0),
            },
        )


def organization_path(one: Organization) -> str:
    """Return where the page of an organization lies."""
    return f"organizations/{one.id}.html"


def person_path(one: Person) -> str:
    """Return where the page of a person lies."""
    return f"people/{one.id}.html"


def _company(config: Config) -> str:
    """Return whose relationships these are: the own domain, else the sources by their labels."""
    if config.own_domains:
        return config.own_domains[0]
    return ", ".join(source.label for source in config.sources.values())


def _unplaced(row: Row) -> int:
    """Return how many have a level today and had none 28 days before."""
    levels = ("leading", "contributing", "participating", "exploring")
    now = sum(row[f"people_{name}"] or 0 for name in levels)
    return max(now - sum(row[name] or 0 for name in ("moved_up", "held", "moved_down")), 0)


def _namesakes(found: Sequence[Organization]) -> dict[str, str]:
    """Return what tells organizations of one name apart, by id: the domain, else the id."""
    named: dict[str, list[Organization]] = {}
    for one in found:
        named.setdefault(words.name(one.row["name"], one.id).casefold(), []).append(one)
    repeated = [one for some in named.values() if len(some) > 1 for one in some]
    return {one.id: one.row["domain"] or one.id for one in repeated}


def _last_sign(row: Row, as_of: date) -> date | None:
    """Return the day of the last sign of life; None if there was none."""
    gap = row["current_gap_days"]
    return None if gap is None else as_of - timedelta(days=gap)


def _distinct(stays: Sequence[Row]) -> list[Row]:
    """Return one stay per organization, the current or newest one."""
    found: dict[str, Row] = {}
    for stay in stays:
        found.setdefault(stay["organization_id"], stay)
    return list(found.values())
