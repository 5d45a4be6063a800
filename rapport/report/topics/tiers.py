"""Who has earned which tier: a part of the page on engagement."""

from __future__ import annotations

from rapport.report import words
from rapport.report.questions import Answers, Column, Question
from rapport.report.topics.shared import DO, OWNER, WHY

QUESTIONS = (
    Question(
        id="tiers",
        asks="Who has earned which tier",
        how="Tiers, what they ask for and when they are reviewed are set in strategy.yml. A number "
        "that nobody knows neither gives nor takes a tier.",
        table="rel_tier",
        source="select programme, coalesce(tier, 'no tier yet') as tier, tier_rank, "
        "any_value(perks) as perks, count(*) as people, "
        "count(*) filter (where status = 'moved up') as moved_up, "
        "count(*) filter (where status = 'moved down') as moved_down, "
        "count(*) filter (where status = 'at risk') as at_risk, "
        "count(*) filter (where status = 'cannot tell') as cannot_tell "
        "from rel_tier where as_of = $as_of and basis = $basis group by programme, tier, tier_rank",
        columns=(
            Column("Tier", "{tier:name}", kind="text"),
            Column("People", "{people:count}"),
            Column("Moved up in 28 days", "{moved_up:count}"),
            Column("Moved down", "{moved_down:count}"),
            Column("About to lose it", "{at_risk:count}"),
            Column("Cannot be told", "{cannot_tell:count}"),
            Column("What belongs to it", "{perks:name}", kind="text", absent="nothing"),
        ),
        order="programme, tier_rank desc",
        parts="programme",
        says_part="{programme:kind}",
        nothing="strategy.yml names no tier programme (`tier_programmes`). Name one, and this page "
        "shows who has earned which tier and what is missing for the next",
        needs_strategy=True,
    ),
    Question(
        id="tier-moves",
        asks="How tiers moved over a year",
        how="Who moved up and who moved down within the 28 days before each day, and how many had "
        "a tier on it.",
        table="rel_tier_flow",
        source="select programme, as_of, sum(if(to_tier <> 'none', people, 0)) as members, "
        "sum(if(movement in ('entry', 'promotion'), people, 0)) as moved_up, "
        "sum(if(movement in ('exit', 'demotion'), people, 0)) as moved_down from ("
        "select * from rel_tier_flow where as_of between $as_of::date - 363 and $as_of "
        "qualify as_of = max(as_of) over (partition by ($as_of::date - as_of) // 28) "
        "and rank() over (partition by as_of "
        "order by basis = 'as_known' desc, basis = $basis desc) = 1) group by programme, as_of",
        columns=(
            Column("28 days to", "{as_of:numeric_day}", kind="text"),
            Column("Moved up", "{moved_up:count}"),
            Column("Moved down", "{moved_down:count}"),
            Column("With a tier", "{members:count}"),
        ),
        order="programme, as_of desc",
        parts="programme",
        says_part="{programme:kind}",
        limit=52,
        nothing="strategy.yml names no tier programme",
        needs_strategy=True,
    ),
    Question(
        id="next-tier",
        asks="Who is close to the next tier, and what is missing",
        how="Fewest missing rules first, then the smallest distance: 20 % for 80 of 100. What is "
        "missing is told as of today; the tier is given on the day of the review.",
        table="rel_tier",
        where="next_tier is not null and rules_missing > 0",
        about=("person_id",),
        columns=(
            Column("Person", "{person_id:name}", kind="person"),
            Column("Tier now", "{tier:name}", kind="text", absent="none yet"),
            Column("Next", "{next_tier:name}", "{programme:kind}", kind="text"),
            Column(
                "What is missing",
                "{missing_1:sentence}",
                "{missing_2:sentence}",
                kind="text",
                absent="",
            ),
            Column("Rules missing", "{rules_missing:count}"),
            Column("Furthest off by", "{next_gap:percent}"),
            Column("Review in", "{days_to_review:days}"),
        ),
        order="rules_missing, rules_unknown, next_gap, programme, person_id",
        nothing="strategy.yml names no tier programme",
        absent="Nobody: everybody has the highest tier, or what is missing is not known.",
        needs_strategy=True,
    ),
    Question(
        id="tier-loss",
        asks="Who is about to lose a tier",
        how="They have a tier and would not keep it at the review if nothing changes.",
        table="rel_tier",
        where="status = 'at risk'",
        about=("person_id",),
        columns=(
            Column("Person", "{person_id:name}", kind="person"),
            Column("Tier", "{tier:name}", "{programme:kind}", kind="text"),
            Column("Lost in", "{days_to_loss:days}"),
            WHY,
            DO,
            OWNER,
        ),
        order="days_to_loss, keep_margin, programme, person_id",
        nothing="strategy.yml names no tier programme",
        absent="Nobody.",
        needs_strategy=True,
    ),
)


def finding(answers: Answers) -> str:
    """Return who is close to a tier and who is about to lose one; empty without programmes."""
    if not answers["tiers"].rows:
        return ""
    near, risk = answers["next-tier"].total, answers["tier-loss"].total
    return f"{words.people(near)} on the way to a next tier, {words.count(risk)} about to lose one"
