"""Cases and questions step by step."""

from __future__ import annotations

from rapport.report import words
from rapport.report.questions import Answers, Column, Question, Topic
from rapport.report.topics.shared import DO, ROLE, WHY, unknown

CASES = "connect the cases of a CRM or help desk, or a forum with questions"
YEAR = 364  # days of the longer window of `rel_journey`

QUESTIONS = (
    Question(
        id="whole",
        asks="How long it takes, and what handing over costs",
        how="A journey is a case, or a question from outside, with all that was done to it. "
        "Hand-overs are told to cost time only where journeys with one take longer than like ones "
        "without, by more than chance allows once in a thousand.",
        table="rel_journey",
        where="from_step = 'all'",
        columns=(
            Column("Closed within", "{window_days:days}", kind="text"),
            Column("Journeys", "{journeys:count}"),
            Column("Half took up to", "{median_wait_hours:duration}"),
            Column("Nine of ten up to", "{p90_wait_hours:duration}"),
            Column("Of us in each", "{mean_people:ratio}", "at most {max_people:count}"),
            Column(
                "With a hand-over",
                "{median_hours_with_hand_off:duration}",
                "n = {journeys_with_hand_off:count}",
            ),
            Column("Without one", "{median_hours_without_hand_off:duration}"),
            Column("Hand-overs cost time", "{hand_offs_cost_time:yes}", kind="text"),
            WHY,
            DO,
            ROLE,
        ),
        order="process, window_days",
        parts="process",
        says_part="{process:sentence}",
        nothing=f"no case or question is known. To light it, {CASES}",
        absent="No journey was closed within a year.",
    ),
    Question(
        id="remove",
        asks="Which hand-over to remove first",
        how="By the hours waited at it beyond what our next act usually takes without one, of the "
        "last 364 days. Nothing stands here where hand-overs are not shown to cost time.",
        table="rel_journey",
        where=f"removal_rank is not null and from_step <> 'all' and window_days = {YEAR}",
        columns=(
            Column("From", "{from_step:kind}", "{process:sentence}", kind="text"),
            Column("To", "{to_step:kind}", kind="text"),
            Column("Place", "{removal_rank:count}"),
            Column("Cost", "{hand_off_cost_hours:duration}"),
            Column("Hand-overs", "{hand_offs:count}", "{returns:count} back"),
            Column("Journeys", "{journeys:count}"),
            DO,
            ROLE,
        ),
        order="process, removal_rank",
        limit=12,
        nothing=f"no case or question is known. To light it, {CASES}",
        absent="None: hand-overs are not shown to cost time.",
    ),
    Question(
        id="waiting",
        asks="Where waiting arises",
        how="The moves from one step to the next that took most of all waiting in 364 days, eight "
        "of each process. Waiting is the time between two steps; how long somebody worked is "
        "recorded nowhere. A team of fewer than three is not asked who does how much.",
        table="rel_journey",
        source=f"select * from rel_journey where as_of = $as_of and basis = $basis "
        f"and from_step <> 'all' and window_days = {YEAR} qualify row_number() over "
        "(partition by process order by wait_share desc nulls last, from_step, to_step) <= 8",
        columns=(
            Column("From", "{from_step:kind}", kind="text"),
            Column("To", "{to_step:kind}", kind="text"),
            Column("Share of all waiting", "{wait_share:percent}"),
            Column("Times", "{moves:count}", "in {journeys:count} journeys"),
            Column(
                "Half waited up to",
                "{median_wait_hours:duration}",
                "nine of ten {p90_wait_hours:duration}",
            ),
            Column("Hand-overs", "{hand_offs:count}", "{returns:count} back"),
            Column(
                "Of us",
                "{people:count}",
                "the busiest {top_person_share:percent}",
                absent="nobody",
            ),
            Column(
                "Waits for one person",
                "{is_single_person_bottleneck:yes}",
                kind="text",
            ),
        ),
        order="process, wait_share desc nulls last, from_step, to_step",
        parts="process",
        says_part="{process:sentence}",
        limit=64,
        nothing=f"no case or question is known. To light it, {CASES}",
    ),
    Question(
        id="effort",
        asks="How hard we make it",
        how="Cases and questions in which something happened in 28 days, and open cases. Solved "
        "at first contact: one of us alone, and nothing from them in the seven days after "
        "closing; told once these are over, of cases alone.",
        table="rel_journey_case",
        source="select process, count(*) as journeys, "
        "count(is_solved_at_first_contact) as told, "
        "count(*) filter (where is_solved_at_first_contact) as solved, "
        "count(*) filter (where hand_offs > 0) as handed, count(*) filter (where returns > 0) "
        "as returned, count(*) filter (where waits_for = 'us') as wait_for_us, "
        "count(*) filter (where waits_for = 'them') as wait_for_them "
        "from rel_journey_case where as_of = $as_of and basis = $basis group by process",
        columns=(
            Column("Process", "{process:sentence}", kind="text"),
            Column("Journeys", "{journeys:count}"),
            Column("Solved at first contact", "{solved:count}", "of {told:count} told"),
            Column("Handed over", "{handed:count}"),
            Column("To and fro", "{returned:count}"),
            Column("Wait for us", "{wait_for_us:count}"),
            Column("Wait for them", "{wait_for_them:count}"),
        ),
        order="journeys desc, process",
        nothing=f"no case or question is known. To light it, {CASES}",
    ),
    Question(
        id="open",
        asks="Who waits for us, and how long",
        how="Open cases in which the last step was theirs. The longest wait first.",
        table="rel_journey_case",
        where="waits_for = 'us'",
        columns=(
            Column("Organization", "{organization_id:name}", kind="organization"),
            Column("Who asked", "{person_id:name}", kind="person"),
            Column("Open for", "{age_hours:duration}"),
            Column("Waited for us", "{wait_on_us_hours:duration}"),
            Column("First answer after", "{first_answer_hours:duration}", absent="none yet"),
            Column(
                "Steps",
                "{steps:count}",
                "{acts_by_them:count} theirs, {acts_by_us:count} ours",
            ),
            Column("Of us", "{people:count}", "{hand_offs:count} hand-overs"),
            WHY,
        ),
        order="wait_on_us_hours desc nulls last, journey_id",
        nothing=f"no case or question is known. To light it, {CASES}",
        absent="Nobody.",
    ),
)


def finding(answers: Answers) -> str:
    if not answers["effort"].is_known:
        return unknown(answers["effort"], "How smooth cases go")
    cases = answers["open"].total
    costly = any(row["hand_offs_cost_time"] for row in answers["whole"].rows)
    waiting = f"{words.plural(cases, 'case')} {'waits' if cases == 1 else 'wait'} for us"
    return f"{waiting}; handing over {'costs' if costly else 'is not shown to cost'} time"


TOPIC = Topic(
    name="journeys",
    about="cases and questions step by step, as those who ask go through them",
    questions=QUESTIONS,
    finding=finding,
)
