"""Who drifts away, and how right the lists of them are."""

from __future__ import annotations

from rapport.report import words
from rapport.report.questions import Answers, Column, Question, Topic
from rapport.report.topics.shared import DO, OWNER, unknown

QUESTIONS = (
    Question(
        id="levels",
        asks="How many keep their own rhythm",
        how="Everybody is measured against their own usual gap between two active days (at least a "
        "week). strategy.yml says after how many usual gaps somebody slows down or is quiet, and "
        "after how many days they count as gone.",
        table="rel_disengagement",
        source="select level, sum(now)::bigint as people, sum(earlier)::bigint as people_before "
        "from (select level, 1 as now, 0 as earlier from rel_disengagement "
        "where as_of = $as_of and basis = $basis union all "
        "select previous_level, 0, 1 from rel_disengagement "
        "where as_of = $as_of and basis = $basis) where level is not null group by level",
        columns=(
            Column("How they are", "{level:silence}", kind="text"),
            Column("People now", "{people:count}"),
            Column("28 days before", "{people_before:count}"),
        ),
        order="list_position(['active', 'slowing', 'quiet', 'gone'], level)",
        nothing="no source tells who did what",
        needs_strategy=True,
    ),
    Question(
        id="save",
        asks="Whom to look after first",
        how="Regulars who slow down or went quiet, the most at risk of each owner first, as many "
        "as an owner can look after (`save_list` in strategy.yml). “Back within 28 days” is what "
        "became of people who stood the same 28 days before; n is how many of them there were. "
        "The first page has each owner's list as a file.",
        table="rel_disengagement",
        where="save_rank is not null",
        about=("person_id",),
        columns=(
            Column("Person", "{person_id:name}", kind="person"),
            Column("Place", "{save_rank:count}"),
            Column(
                "Why",
                "{reason_1:sentence}",
                "{reason_2:sentence}",
                kind="text",
                absent="",
            ),
            DO,
            Column("Usual gap", "{usual_gap_days:days}"),
            Column("Quiet for", "{current_gap_days:days}"),
            Column("Back within 28 days", "{p_return:percent}", "n = {n:count}"),
            OWNER,
        ),
        order="save_rank, score, person_id",
        limit=60,
        nothing="no source tells who did what",
        absent="Nobody: no regular slows down or is quiet.",
        needs_strategy=True,
    ),
    Question(
        id="first",
        asks="Where they go quiet first",
        how="The place somebody left while still coming elsewhere: away from it for more than "
        "twice their usual gap there. People whose rhythm is known and who left none are not "
        "counted.",
        table="rel_disengagement",
        source="select first_quiet_silo, count(*) as people, "
        "count(*) filter (where level in ('slowing', 'quiet')) as drifting "
        "from rel_disengagement where as_of = $as_of and basis = $basis "
        "and first_quiet_silo is not null group by first_quiet_silo",
        columns=(
            Column("Place", "{first_quiet_silo:silo}", kind="text"),
            Column("People", "{people:count}"),
            Column("Of these slowing or quiet", "{drifting:count}"),
        ),
        order="people desc, first_quiet_silo",
        nothing="no source tells who did what",
        absent="Nobody left one place before the others.",
    ),
    Question(
        id="check",
        asks="Are these lists right",
        how="The lists as they would have stood when each window began, held against who came "
        "within it. “Right” is the share of those named who did not come. Sorting by the last "
        "visit alone is what the lists have to beat; “blindly” is how right any list would be. In "
        "small letters the range that holds the true share in 95 of 100 cases. Where the range of "
        "the gain holds 0, the lists are not shown to be better.",
        table="rel_disengagement_check",
        columns=(
            Column("Whom", "{population:kind}", kind="text"),
            Column("Window", "{horizon_days:days}"),
            Column(
                "People on its first day",
                "{people:count}",
                "{returned:count} came",
            ),
            Column("Named", "{listed:count}"),
            Column(
                "Right, by our order",
                "{precision_by_score:percent}",
                "{precision_by_score_low:percent} to {precision_by_score_high:percent}",
            ),
            Column(
                "Right, by last visit",
                "{precision_by_recency:percent}",
                "{precision_by_recency_low:percent} to {precision_by_recency_high:percent}",
            ),
            Column(
                "Gain, of 100 named",
                "{gain:signed}",
                "{gain_low:signed} to {gain_high:signed}",
            ),
            Column("Right, blindly", "{lost_share:percent}"),
        ),
        order="list_position(['drifting', 'came again', 'everybody'], population), horizon_days",
        nothing="nobody was seen before the shortest window began. It tells once 28 days have "
        "passed",
    ),
)


def finding(answers: Answers) -> str:
    level = {row["level"]: row["people"] for row in answers["levels"].rows}
    drifting = level.get("slowing", 0) + level.get("quiet", 0)
    if not level and answers["save"].is_known:
        return "Who drifts away waits for strategy.yml"
    if not level:
        return unknown(answers["save"], "Who drifts away")
    return (
        f"{words.people(drifting)} slow down or went quiet; "
        f"{words.count(answers['save'].total)} to look after first"
    )


TOPIC = Topic(
    name="silence",
    about="who drifts away from us, by their own rhythm, and how right our lists are",
    questions=QUESTIONS,
    finding=finding,
    see=(("cadence", "who comes a second time, and who is late for the next"),),
)
