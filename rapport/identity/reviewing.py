"""Review in a terminal: two profiles side by side, an answer, and how right each rule is.

Belongs here: what a page shows and which answers are understood. Does not belong here: which pairs
are asked about, or where an answer goes (`reviews`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors.errors import ConfigError
from rapport.identity.reviews import Imported, Profile, Question, Standing
from rapport.identity.verdicts import REVIEWS
from rapport.report import words

ANSWERS = {"y": "yes", "yes": "yes", "n": "no", "no": "no", "u": "unsure", "unsure": "unsure"}
PROMPT = "[y]es, [n]o, [u]nsure, and why; [s]kip or [q]uit > "
_KINDS = {"email": "e-mail", "external_id": "external id",
          "people_domain": "domain of people"}  # fmt: skip
_BANDS = {"auto": "automatic", "suggest": "suggests", "off": "off"}
_LONGEST = 80

Answer = Callable[[Question, str, str], None]


def ask_all(
    console: Console,
    asked: Sequence[Question],
    standings: Mapping[str, Standing],
    answer: Answer,
) -> None:
    """Ask one question after the other until there is none left or somebody has enough.

    Args:
        answer: takes question, verdict and reason; an error of it is shown, and asked again.
    """
    if not asked:
        console.print("Nothing waits, and no pair is left to draw.")
    given = 0
    try:
        for number, question in enumerate(asked, start=1):
            _print_page(console, question, standings, f"{number} of {len(asked)}")
            said = _answered(console, question, answer)
            if said is None:
                break
            given += said
    except (EOFError, KeyboardInterrupt):
        console.print()
    if given:
        console.print(
            f"{words.plural(given, 'answer')} in {REVIEWS}; the next `rapport build` applies "
            f"{'it' if given == 1 else 'them'}.",
            markup=False,
        )


def _answered(console: Console, question: Question, answer: Answer) -> int | None:
    """Return 1 for an answer, 0 for none, None if there is to be no more."""
    while True:
        verdict, _, reason = console.input(PROMPT, markup=False).strip().partition(" ")
        match verdict.lower():
            case "q" | "quit":
                return None
            case "s" | "skip":
                return 0
            case known if known in ANSWERS:
                try:
                    answer(question, ANSWERS[known], reason.strip())
                except ConfigError as error:
                    console.print(f"Not taken: {error}", markup=False, soft_wrap=True)
                    continue
                return 1
            case _:
                console.print("For example: `n father and son`, or only `y`.", markup=False)


def _print_page(
    console: Console, question: Question, standings: Mapping[str, Standing], number: str
) -> None:
    left, right = question.left, question.right
    why = "joined" if question.gain is None else "suggested"
    console.rule(Text(f"{number}: the same {question.entity}? ({why})"))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for label, one, other in _facts(left, right):
        table.add_row(label, Text(one), Text(other))
    console.print(table)
    for rule, evidence in question.evidence:
        shown = f": {words.name(evidence, limit=_LONGEST)}" if evidence else ""
        console.print(f"  - {rule}{shown}", markup=False, soft_wrap=True)
    console.print(f"  - the names {_agree(question.names)}", markup=False)
    for rule in question.rules:
        if rule in standings:
            console.print(f"  {_standing(standings[rule])}", markup=False, soft_wrap=True)


def _facts(left: Profile, right: Profile) -> list[tuple[str, str, str]]:
    """Return the lines of a page that at least one side fills."""
    lines = [
        ("profile", left.profile_key, right.profile_key),
        ("name", left.name, right.name),
        ("title", left.title, right.title),
        ("organization", left.organization, right.organization),
        *(
            (_KINDS.get(kind, kind), _values(left, kind), _values(right, kind))
            for kind in sorted({kind for kind, _, _ in (*left.identifiers, *right.identifiers)})
        ),
        ("known since", words.numeric_day(left.since), words.numeric_day(right.since)),
        ("last seen", words.numeric_day(left.last_seen), words.numeric_day(right.last_seen)),
        ("mark", _marks(left), _marks(right)),
    ]
    return [
        (label, words.name(one, "-", 200), words.name(other, "-", 200))
        for label, one, other in lines
        if one or other
    ]


def _values(profile: Profile, kind: str) -> str:
    return ", ".join(
        value + (f" ({against})" if against else "")
        for type_, value, against in profile.identifiers
        if type_ == kind
    )


def _marks(profile: Profile) -> str:
    marks = [("one of us", profile.is_staff), ("deleted at its source", profile.is_deleted)]
    return ", ".join(mark for mark, holds in marks if holds)


def _agree(names: str) -> str:
    return {"agree": "agree", "disagree": "disagree"}.get(names, "tell nothing")


def _standing(one: Standing) -> str:
    said = [f"{one.rule_id} ({_BANDS[one.band]})"]
    if one.measured is not None:
        said.append(f"right in {words.tenths(one.measured)} where the truth is known")
    if one.reviewed:
        said.append(f"here {one.right:,} of {one.reviewed:,}, at least {words.tenths(one.low)}")
    return "; ".join(said)


def report(standings: Sequence[Standing]) -> Table:
    """Return one line per rule: what was reviewed, how much was right, and what it may do."""
    table = Table(box=None, pad_edge=False)
    table.add_column("rule", no_wrap=True)
    for heading in ("joined", "suggested", "reviewed", "right", "wrong", "unsure", "precision",
                    "95 % interval"):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("may", no_wrap=True)
    for one in standings:
        table.add_row(
            one.rule_id, f"{one.live:,}", f"{one.suggested:,}", f"{one.reviewed:,}",
            f"{one.right:,}", f"{one.wrong:,}", f"{one.unsure:,}",
            "" if one.precision is None else words.tenths(one.precision),
            "" if one.low is None else f"{words.tenths(one.low)} to {words.tenths(one.high)}",
            _BANDS[one.band],
        )  # fmt: skip
    return table


def print_changes(console: Console, standings: Sequence[Standing]) -> None:
    """Print which rules may do something else from the next build on."""
    for one in standings:
        if one.change:
            console.print(f"{one.rule_id} {one.change}.", markup=False)


def print_exported(console: Console, path: Path, count: int) -> None:
    """Print where the questions are."""
    console.print(
        f"{words.plural(count, 'question')} in {path}: fill in `verdict` (yes, no, unsure) and "
        f"`reason`, then `rapport review --import {path}`.",
        markup=False, soft_wrap=True,
    )  # fmt: skip


def print_imported(console: Console, taken: Imported) -> None:
    """Print what was taken from a sheet."""
    console.print(
        f"{words.plural(taken.taken, 'answer')} taken into {REVIEWS}, {taken.known:,} known "
        f"before, {taken.open:,} without a verdict. The next `rapport build` applies them.\n",
        markup=False, soft_wrap=True,
    )  # fmt: skip
