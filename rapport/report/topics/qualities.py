"""What supports and what erodes trust, respect, appreciation, communication, kindness."""

from __future__ import annotations

from rapport.report import words
from rapport.report.questions import Answers, Column, Question, Topic
from rapport.report.topics.shared import DO, ROLE, unknown

_PARTIES = ("customer", "prospect", "partner", "supplier", "staff")
_BY_KIND = ", ".join(
    f"max(value) filter (where party_kind = '{kind}') as {kind}, "
    f"sum(n) filter (where party_kind = '{kind}')::bigint as {kind}_n"
    for kind in _PARTIES
)
_TRACK_KEYS = "quality, indicator, given_by, direction, unit"

_MOVED = (
    Column("What", "{indicator:indicator}", "{given_by:giver}", kind="text"),
    Column("Quality", "{quality:kind}", kind="text"),
    Column("Towards", "{party_kind:kind}", kind="text"),
    Column(
        "28 days before",
        "{previous_value:measure}",
        "n = {previous_n:count}",
    ),
    Column("Now", "{value:measure}", "n = {n:count}"),
)
"""What a quality was and is."""

QUESTIONS = (
    Question(
        id="eroding",
        asks="What weakens a quality now",
        how="Compares 28 days with the 28 before. Only what changed by more than chance allows "
        "once in twenty is told, and only with ten occasions or more in both.",
        table="rel_track",
        where="effect = 'weakened'",
        columns=(*_MOVED, DO, ROLE),
        order="quality, abs(z) desc, indicator, party_kind, given_by",
        nothing="no occasion of any quality is known",
        absent="Nothing, as far as it can be told.",
    ),
    Question(
        id="growing",
        asks="What strengthens a quality now",
        how="Counted as above.",
        table="rel_track",
        where="effect = 'strengthened'",
        columns=_MOVED,
        order="quality, abs(z) desc, indicator, party_kind, given_by",
        nothing="no occasion of any quality is known",
        absent="Nothing, as far as it can be told.",
    ),
    *(
        Question(
            id=direction,
            asks=asks,
            how="By kind of party, in the last 28 days: the share of the occasions, or the median "
            "hours; n is how many occasions there were. The same is asked of us and of them. "
            "Nobody is named, and no amount is read.",
            table="rel_track",
            source=f"select {_TRACK_KEYS}, {_BY_KIND} from rel_track where as_of = $as_of "
            f"and basis = $basis and direction = '{direction}' group by {_TRACK_KEYS} "
            "having count(value) > 0",
            columns=(
                Column(
                    "What",
                    "{indicator:indicator}",
                    "{given_by:giver}",
                    kind="text",
                ),
                *(
                    Column(
                        words.parties(kind),
                        f"{{{kind}:measure}}",
                        f"n = {{{kind}_n:count}}",
                    )
                    for kind in _PARTIES
                ),
            ),
            order="quality, indicator, given_by",
            parts="quality",
            says_part="{quality:kind}",
            limit=80,
            nothing="no occasion of any quality is known",
        )
        for direction, asks in (
            ("supports", "What supports each quality"),
            ("erodes", "What erodes each quality"),
        )
    ),
    Question(
        id="unlit",
        asks="Not known, and what would light it",
        how="Nothing of the kind was seen towards anybody in 28 days: no source tells it, or "
        "there was no occasion.",
        table="rel_track",
        source="select indicator, given_by, string_agg(distinct quality, ', ' order by quality) "
        "as qualities, any_value(lit_by) as lit_by from rel_track where as_of = $as_of "
        "and basis = $basis group by indicator, given_by having count(value) = 0",
        columns=(
            Column("What", "{indicator:indicator}", "{given_by:giver}", kind="text"),
            Column("Quality", "{qualities:kind}", kind="text"),
            Column("Read this to know it", "{lit_by:sentence}", kind="text"),
        ),
        order="indicator, given_by",
        limit=60,
        nothing="no occasion of any quality is known",
        absent="Everything is known of somebody.",
    ),
)


def finding(answers: Answers) -> str:
    if not answers["supports"].is_known:
        return unknown(answers["supports"], "What supports and what erodes each quality")
    down, up = answers["eroding"].total, answers["growing"].total
    weakens = "weakens" if down == 1 else "weaken"
    strengthens = "strengthens" if up == 1 else "strengthen"
    return f"{words.plural(down, 'habit')} {weakens} a quality, {words.count(up)} {strengthens} one"


TOPIC = Topic(
    name="qualities",
    about="trust, respect, appreciation, communication, kindness: what we and they do for them",
    questions=QUESTIONS,
    finding=finding,
)
