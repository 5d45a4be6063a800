"""How values read, on the pages and in the terminal.

Belongs here: turning one value into words for a reader; what is not known reads `unknown`,
never 0. Does not belong here: markup (`templates`), drawing (`charts`), looking up (`facts`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

UNKNOWN = "unknown"
NAME_LIMIT = 60

_KEPT_FORMATS = {"\u200c", "\u200d"}  # joiners: Persian spelling and composed emoji need them

Number = int | float | Decimal

_INDICATORS = {  # of `dbt_project/seeds/track_indicator.csv`
    "accepted_never_thanked": "accepted answers that nobody liked",
    "answered_within_day": "answered within 24 hours",
    "answers_thanked": "answers that their asker liked or accepted",
    "asked_again": "had to write again before an answer",
    "cases_reopened": "closed cases on which the asker wrote again within a week",
    "contributions_thanked": "posts and answers that somebody liked",
    "conversations_begun": "calls, e-mails, meetings and cases begun",
    "handed_on": "cases and questions handed from one of us to another",
    "left_unanswered": "not answered within a week",
    "mailings_opted_out": "mailings after which somebody unsubscribed or complained",
    "mailings_responded": "mailings responded to within a week",
    "newcomers_answered": "newcomers answered within 24 hours",
    "newcomers_ignored": "newcomers whom nobody answered within a week",
    "promises_kept": "promises kept in time",
    "promises_overdue": "promises still open a week after they were due",
    "questions_helped": "questions that a member answered within a week",
    "reactions_unkind": "contributions with an unkind reaction",
    "response_hours": "time until the answer, median",
    "survey_satisfaction": "marks in surveys, of the best possible",
    "written_despite_refusal": "mailings to people who had refused",
    "written_with_consent": "mailings to people who had agreed",
}

_KINDS = {
    "crm": "CRM",
    "forum": "forum",
    "support": "support",
    "social": "social",
    "orders": "orders",
}


def name(value: object, fallback: str = "no name", limit: int = NAME_LIMIT) -> str:
    """Return a name on one line, without control characters, at most `limit` characters.

    Text of strangers must neither steer a terminal nor turn the line around it: control and
    formatting characters (escape sequences, right-to-left overrides) become spaces.
    """
    text = " ".join("".join(map(_printable, "" if value is None else str(value)[:10_000])).split())
    if not text:
        return fallback
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _printable(character: str) -> str:
    if character in _KEPT_FORMATS or unicodedata.category(character)[0] not in "CZ":
        return character
    return " "


def count(value: Number | None) -> str:
    """Return `12,345`, or `unknown`."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def some(value: int) -> str:
    """Return `12,345`, or `unknown` for none: a source that names nobody cannot tell."""
    return count(value or None)


def compact(value: Number | None) -> str:
    """Return at most four characters for a label in a chart: `950`, `1.2k`, `34k`, `5.6M`."""
    if value is None:
        return "?"
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            scaled = value / size
            return f"{scaled:.1f}{letter}" if scaled < 10 else f"{scaled:.0f}{letter}"
    return f"{value:.0f}"


def percent(value: Number | None) -> str:
    """Return `82 %`, with one decimal under ten, or `unknown`."""
    if value is None:
        return UNKNOWN
    share = float(value) * 100
    return f"{share:.1f} %" if 0 < share < 9.95 else f"{_rounded(share):.0f} %"


def tenths(value: Number | None) -> str:
    """Return `99.8 %`, rounded down so that only what is whole reads `100 %`, or `unknown`."""
    if value is None:
        return UNKNOWN
    share = Decimal(str(round(float(value), 9))) * 100
    return "100 %" if share >= 100 else f"{share.quantize(Decimal('0.1'), ROUND_DOWN)} %"


def _rounded(value: Number, step: str = "1") -> Decimal:
    """Return a number to the next `step`, a half upwards (as SQL rounds)."""
    return Decimal(str(value)).quantize(Decimal(step), ROUND_HALF_UP)


def ratio(value: Number | None) -> str:
    """Return `1.25`, or `unknown`."""
    return UNKNOWN if value is None else f"{float(value):.2f}"


def duration(hours: Number | None) -> str:
    """Return hours in the unit people would say: `40 min`, `5.2 h`, `3.1 days`."""
    if hours is None:
        return UNKNOWN
    value = float(hours)
    if value < 1:
        return f"{value * 60:.0f} min" if value * 60 >= 1 else "under 1 min"
    if value < 48:
        return f"{value:.1f} h" if value < 10 else f"{value:.0f} h"
    return days(round(value / 24, 1 if value < 240 else 0))


def days(value: Number | None) -> str:
    """Return `1 day`, `4.5 days`, `46 days` (a decimal only below ten), or `unknown`.

    A half is rounded up, as the reasons of the warehouse do (`macros/metrics/words.sql`).
    """
    if value is None:
        return UNKNOWN
    tenths = _rounded(value, "0.1")
    whole = tenths == int(tenths) or tenths >= 10
    text = f"{_rounded(value) if whole else tenths:,}"
    return f"{text} day" if text == "1" else f"{text} days"


def every(value: Number) -> str:
    """Return `every day`, `every 4.5 days`."""
    return f"every {days(value).removeprefix('1 ')}"


def sentence(value: object) -> str:
    """Return a reason of the warehouse with a capital at its beginning."""
    text = re.sub(r"\bcrm\b", "CRM", name(value, "", 200))
    return text[:1].upper() + text[1:]


def plural(value: int, noun: str) -> str:
    """Return `1 case`, `2 cases` (regular plural)."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def day(value: date | None) -> str:
    """Return `22 November 2026`, or `unknown`."""
    return UNKNOWN if value is None else f"{value.day} {value:%B %Y}"


def moment(stamp: str | None) -> str:
    """Return `2026-11-22 04:45` of an ISO 8601 stamp in UTC, or `never`."""
    return stamp[:16].replace("T", " ") if stamp else "never"


def numeric_day(value: date | None) -> str:
    """Return `2026-11-22`, for columns, or `unknown`."""
    return UNKNOWN if value is None else value.isoformat()


def short_day(value: date) -> str:
    """Return `25 Oct 26`: a label under a chart."""
    return f"{value.day} {value:%b %y}"


def week(first: date) -> str:
    """Return `week of 16 November 2026`."""
    return f"week of {day(first)}"


def month(value: date) -> str:
    """Return `Nov 26`."""
    return f"{value:%b %y}"


def ordinal(value: int) -> str:
    """Return `2nd`, `3rd`, `4th`: for the numbers that steps have."""
    return {1: "1st", 2: "2nd", 3: "3rd"}.get(value, f"{value}th")


def bare(value: Number | None) -> str:
    """Return `4.5` or `23`: days where the unit stands beside, or `?`."""
    return "?" if value is None else days(value).split(" ")[0]


def score(value: Number | None) -> str:
    """Return `8.1`, `120`, or `unknown`."""
    if value is None:
        return UNKNOWN
    points = float(value)
    return f"{points:,.1f}" if points < 100 else f"{points:,.0f}"


def money(amount: Number | None, currency: object) -> str:
    """Return `12,000 USD` (cents only of small amounts), or `unknown`."""
    if amount is None:
        return UNKNOWN
    whole = not -1000 < amount < 1000 or amount == int(amount)
    text = f"{amount:,.0f}" if whole else f"{amount:,.2f}"
    return f"{text} {name(currency, '', 8)}".rstrip()


def silo(value: object) -> str:
    """Return a silo's name as people write it."""
    return _KINDS.get(str(value), name(value, UNKNOWN))


def kind(value: object) -> str:
    """Return a kind of interaction in words: `case comment`."""
    return name(value, UNKNOWN).replace("_", " ")


def stream(value: object) -> str:
    """Return a stream's name in words; Salesforce ends the names of custom objects in `__c`."""
    return kind(str(value).removesuffix("__c"))


def level(value: int | None) -> str:
    """Return the name of a level of engagement: 1 `leading` to 4 `exploring`."""
    names = {1: "leading", 2: "contributing", 3: "participating", 4: "exploring"}
    return UNKNOWN if value is None else names[value]


def age(hours: Number | None) -> str:
    """Return how long ago something was read: `3 hours before`, or `unknown`."""
    if hours is None:
        return UNKNOWN
    return "within the hour" if hours < 1 else f"{duration(hours)} before"


def value(row: Mapping[str, Any]) -> str:
    """Return what a custom field holds: numbers grouped, text on one line."""
    number = row["value_number"]
    if number is None:
        return name(row["value_text"], UNKNOWN, 80)
    return f"{number:,.2f}".removesuffix(".00") if row["type"] == "decimal" else f"{number:,.0f}"


def silence(value: str) -> str:
    """Return a level of silence; `active` says only that somebody is not overdue."""
    return "not overdue" if value == "active" else value


def people(value: int) -> str:
    """Return `1 person`, `2 people`."""
    return f"{value:,} {'person' if value == 1 else 'people'}"


def parties(value: str) -> str:
    """Return a kind of party as a heading: `Customers`; staff is staff."""
    return "Staff" if value == "staff" else f"{value.capitalize()}s"


def pair(value: str) -> str:
    """Return the kinds of both ends of a tie: `customer and staff`."""
    return kind(value).replace("-", " and ")


def indicator(value: str) -> str:
    """Return what an indicator of a quality observes."""
    return _INDICATORS.get(value, kind(value))


def giver(value: str) -> str:
    """Return whose behavior an indicator is: `by us`, `by other members`."""
    return {"others": "by other members", "anyone": "by anyone"}.get(value, f"by {value}")


def model(value: str) -> str:
    """Return what a model tells, with the name it goes by elsewhere."""
    names = {"bg_nbd": "how often they buy (BG/NBD)",
             "mbg_nbd": "how often they buy, a second opinion (MBG/NBD)",
             "gamma_gamma": "how much a purchase comes to (Gamma-Gamma)"}  # fmt: skip
    return names.get(value, kind(value))


def yes(value: bool | None) -> str:
    """Return `yes`, `no` or `unknown`."""
    return UNKNOWN if value is None else "yes" if value else "no"


def signed(value: Number) -> str:
    """Return a difference of two shares, of 100: `+4`, `-2`, `0`."""
    points = int(_rounded(float(value) * 100))
    return f"{points:+d}" if points else "0"


def segment(value: str) -> str:
    """Return the value of a segment; `all` is everybody."""
    return "everybody" if value == "all" else name(value)


def of_100(value: Number) -> str:
    """Return a percentile: `82 of 100`."""
    return f"{min(int(value), 99)} of 100"


def rarity(bits: Number) -> str:
    """Return how rare something is whose share is 2 to the power of -bits: `1 in 1,024`."""
    return f"1 in {2 ** float(bits):,.0f}"


def goal(metric: str) -> str:
    """Return the name of a number that takes a goal: `Answered within 7 days`."""
    text = re.sub(r"_(share|hours)$", "", metric)
    text = re.sub(r"_(\d+)d$", r" within \1 days", text)
    return sentence(text.replace("_", " "))


def measure(value: Number | None, unit: str) -> str:
    """Return a number in the unit that its row declares: a share, a time, a count, or points."""
    if value is None:
        return UNKNOWN
    known = {"share": percent, "hours": duration, "days": days}.get(unit)
    if known:
        return known(value)
    return count(value) if float(value).is_integer() else ratio(value)
