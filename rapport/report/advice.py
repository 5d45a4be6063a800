"""Sentences about one relationship: why it stands on a list, and what to do.

Belongs here: turning the columns that put somebody on a list into words. Does not belong here:
the bounds (`relations`), how one value reads (`words`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rapport.report import relations, words
from rapport.report.relations import Helper, Organization
from rapport.report.warehouse import Row


@dataclass(frozen=True, kw_only=True)
class Concern:
    """What can be wrong with a relationship.

    Attributes:
        heading: over the list.
        short: on a label, and after a number of organizations.
        meaning: how it is counted, for a reader without a manual.
        missing: why it cannot be told, where it cannot.
    """

    heading: str
    short: str
    meaning: str
    missing: str


CONCERNS: Mapping[str, Concern] = {
    "quiet": Concern(
        heading="Who went quiet",
        short="went quiet",
        meaning="Their silence is longer than {slowing:g} times their own usual gap (which counts "
        "as at least a week; 90 days where no rhythm is known) and shorter than {quiet_days} days. "
        "What they do and meetings count as signs of life; calls and mails of ours do not.",
        missing="no contact with any organization is on record",
    ),
    "champion": Concern(
        heading="Whose champion left",
        short="lost their champion",
        meaning="The champion is the person there with most direct contact in 365 days. A record "
        "says that they left, names another employer, or a newer record stands elsewhere.",
        missing="no source names the people of an organization",
    ),
    "single": Concern(
        heading="Where we hang on one contact",
        short="hang on one contact",
        meaning=f"One person carries at least 80 % of the contact of 180 days, out of "
        f"{relations.FEW_CONTACTS} contacts or more. If that person leaves, so does the "
        "relationship.",
        missing="no source names the people of an organization",
    ),
    "slow": Concern(
        heading="Where we are slow to answer",
        short="wait for us",
        meaning=f"{relations.WAITING} or more of their messages of 90 days, and at least half of "
        f"them, have no answer; or a case is open for more than {relations.OLD_CASE_DAYS} days; or "
        f"the median first response in 90 days took more than {relations.SLOW_HOURS} hours.",
        missing="no source holds messages or cases of theirs",
    ),
}


def reason(concern: str, row: Row) -> str:
    """Return why an organization stands on the list of a concern."""
    match concern:
        case "quiet":
            return _silence(row)
        case "champion":
            who = words.name(row["champion_name"], "the person with most contact")
            return f"{who}, who carried most of the direct contact, is gone"
        case "single":
            who = words.name(row["top_name"], "one person")
            if row["top_person_share"] == 1:
                return f"{who} is the only one there in contact with us in 180 days"
            return f"{who} carries {words.percent(row['top_person_share'])} of the contact"
        case _:
            return "; ".join(_waits(row))


def _silence(row: Row) -> str:
    now = f"now {words.days(row['current_gap_days'])} quiet"
    if row["usual_gap_days"] is None:
        return f"quiet for {words.days(row['current_gap_days'])}; no rhythm known"
    return f"usually in touch {words.every(row['usual_gap_days'])}, {now}"


def _waits(row: Row) -> list[str]:
    found = []
    if (row["unanswered_90d"] or 0) >= relations.WAITING:
        found.append(
            f"{row['unanswered_90d']} of their {words.plural(row['requests_90d'], 'message')} "
            "wait for an answer"
        )
    if (row["oldest_open_case_days"] or 0) > relations.OLD_CASE_DAYS:
        found.append(
            f"{words.plural(row['open_cases'], 'open case')}, "
            f"the oldest {words.days(row['oldest_open_case_days'])} old"
        )
    if (row["median_first_response_hours"] or 0) > relations.SLOW_HOURS:
        found.append(
            f"median first answer after {words.duration(row['median_first_response_hours'])} "
            f"(n = {words.plural(row['cases_90d'], 'case')} in 90 days)"
        )
    return found


def action(concern: str, row: Row) -> str:
    """Return what to do about a concern."""
    champion = words.name(row["champion_name"], "")
    match concern:
        case "quiet" if champion and not row["champion_left"]:
            return f"Call {champion}, who knows us best there"
        case "quiet":
            return "Find somebody there to call"
        case "champion":
            return f"Ask who follows {champion}" if champion else "Ask who follows"
        case "single" if (row["people_known"] or 0) > 1:
            others = row["people_known"] - 1
            return f"Meet {words.plural(others, 'other')} we know there" if others == 1 else (
                f"Meet one of the {words.count(others)} others we know there"
            )  # fmt: skip
        case "single":
            return "Ask to meet a colleague of theirs"
        case _ if (row["unanswered_90d"] or 0) >= relations.WAITING:
            return f"Answer the {words.plural(row['unanswered_90d'], 'message')}"
        case _ if (row["oldest_open_case_days"] or 0) > relations.OLD_CASE_DAYS:
            return "Close the oldest case, or say when"
        case _:
            return "Find out where first answers get stuck"


def others(one: Organization, concern: str) -> str:
    """Return an organization's other concerns, in words; empty if there are none."""
    found = [CONCERNS[name].short for name in one.concerns if name != concern]
    return f"also: {', '.join(found)}" if found else ""


def helped(one: Helper) -> str:
    """Return what somebody did for others."""
    text = (
        f"{words.plural(one.answers, 'answer')} to {words.count(one.helped)} "
        f"{'person' if one.helped == 1 else 'people'} in {relations.HELP_DAYS} days"
    )
    return f"{text}, {words.count(one.accepted)} accepted" if one.accepted else text


def last_word(one: Helper, *, knows_staff: bool) -> str:
    """Return who thanked a helper, and when one of us last addressed them, as far as known."""
    if one.is_thanked is False:
        ours = last_word(replace(one, is_thanked=None), knows_staff=knows_staff)
        return f"nobody ever liked or accepted an answer of theirs; {ours}"
    if not knows_staff:
        return "whether one of us wrote to them is unknown: no source marks staff"
    if one.last_word_on is None:
        return "nobody of us ever wrote to them, on record"
    return f"last word from us on {words.day(one.last_word_on)}"
