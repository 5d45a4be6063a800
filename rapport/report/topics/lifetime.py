"""How long relationships last, and whether we lengthen them."""

from __future__ import annotations

from rapport.report import words
from rapport.report.questions import Answers, Column, Question, Topic
from rapport.report.topics.shared import ORDERS, unknown

_ALIVE = tuple(
    Column(f"There after {name}", f"{{alive_{days}d:percent}}")
    for days, name in ((90, "90 days"), (180, "180 days"), (365, "a year"), (730, "two years"))
)
_LIFETIME_HOW = (
    "A lifetime runs from the first day of coming to the last day before the first long silence. "
    "Who cannot have been silent for that long yet counts as still there. "
)
_CHOSEN = "is_chosen and cohort_type"

QUESTIONS = (
    Question(
        id="lasting",
        asks="How long relationships last",
        how=_LIFETIME_HOW + "“There after a year” is the share whose lifetime is longer than "
        "that, among all who could be watched. The mean is over the first year alone, with the "
        "range that holds the true one in 95 of 100 cases.",
        table="rel_lifetime",
        where=f"{_CHOSEN} = 'all'",
        columns=(
            Column(
                "What counts as coming",
                "{step:kind}",
                "a silence of {quiet_days:days} ends it",
                kind="text",
            ),
            Column("Came", "{came:count}"),
            Column("Watched long enough", "{watched:count}", "{ended:count} ended"),
            *_ALIVE,
            Column("Half ended by", "{median_days:days}", absent="not half yet"),
            Column(
                "Mean, first year",
                "{rmst_12m_days:days}",
                "{rmst_12m_low:days} to {rmst_12m_high:days}",
            ),
        ),
        order="step <> 'any act', step",
        also=("alive_30d", "alive_270d", "alive_545d", "coverage"),
        nothing="nobody did anything on record by name",
    ),
    Question(
        id="lengthening",
        asks="Whether we are lengthening them",
        how="Those who first came in the same 84 days against those of the 84 days before, over "
        "the first days that both could be watched for. Found is only what stands out from all "
        "comparisons together by more than chance allows once in twenty.",
        table="rel_lifetime",
        where=f"{_CHOSEN} = 'arrival_84d' and delta_days is not null",
        columns=(
            Column(
                "First came",
                "{came_from:numeric_day} to {came_until:numeric_day}",
                kind="text",
            ),
            Column("People", "{came:count}", "{watched:count} watched"),
            Column("Over the first", "{delta_horizon_days:days}"),
            Column(
                "Longer than those before by",
                "{delta_days:days}",
                "{delta_low:days} to {delta_high:days}",
            ),
            Column("Found", "{delta_finding:kind}", kind="text"),
        ),
        order="step <> 'any act', step, came_from desc",
        parts="step",
        says_part="{step:kind}",
        limit=48,
        nothing="nobody did anything on record by name",
        absent="Unknown: it takes two spans of 84 days with 20 newcomers each who could be "
        "watched.",
    ),
    Question(
        id="leaving",
        asks="How many left, and after how many times",
        how="The same people under four measures of silence: 90, 180, 270 and 365 days. A number "
        "that changes much with the measure is one to be careful with. Times are days with the "
        "step.",
        table="rel_lifetime",
        where="cohort_type = 'all'",
        columns=(
            Column("Silent for more than", "{quiet_days:days}", kind="text"),
            Column("Left", "{gone:count}", "of {came:count}"),
            Column("Not left", "{rolling_retention:percent}"),
            Column("Came, on average", "{gone_after_mean:bare}", "times"),
            Column("Half came up to", "{gone_after_median:bare}", "times"),
            Column("Came once", "{gone_after_one_share:percent}"),
            Column("Came four times or more", "{gone_after_four_share:percent}"),
        ),
        order="step <> 'any act', step, quiet_days",
        parts="step",
        says_part="{step:kind}",
        limit=40,
        nothing="nobody did anything on record by name",
    ),
    Question(
        id="segments",
        asks="Who stays longest, by segment",
        how=_LIFETIME_HOW + "By the segments of strategy.yml, as people stand in them today.",
        table="rel_lifetime",
        where=f"{_CHOSEN} <> 'all' and cohort_type not like 'arrival%' and step = 'any act'",
        columns=(
            Column("Segment", "{cohort:name}", kind="text"),
            Column("Came", "{came:count}", "{watched:count} watched"),
            *_ALIVE,
            Column(
                "Mean, first year",
                "{rmst_12m_days:days}",
                "{rmst_12m_low:days} to {rmst_12m_high:days}",
            ),
        ),
        order="cohort_type, cohort = 'unknown', rmst_12m_days desc nulls last, cohort",
        parts="cohort_type",
        says_part="{cohort_type:kind}",
        limit=40,
        nothing="nobody did anything on record by name",
        absent="Unknown: strategy.yml names no segments (`segments`).",
    ),
    Question(
        id="buying",
        asks="How often they will buy again",
        how="An expectation from how often and how lately each bought; amounts are not read, and "
        "seasons and campaigns are not known to it.",
        table="rel_lifetime",
        where=f"{_CHOSEN} = 'all' and step = 'purchase'",
        columns=(
            Column("Buyers", "{came:count}", kind="text"),
            Column("More than once again", "{model_beyond_1:percent}"),
            Column("More than twice", "{model_beyond_2:percent}"),
            Column("More than three times", "{model_beyond_3:percent}"),
            Column(
                "Further purchases, each",
                "{expected_purchases:ratio}",
                "within {expected_within_days:days}",
            ),
        ),
        order="step",
        nothing=f"no orders are connected: {ORDERS}",
        absent=f"Unknown: no orders are connected; {ORDERS}.",
    ),
)


def finding(answers: Answers) -> str:
    rows = [row for row in answers["lasting"].rows if row["alive_365d"] is not None]
    if not rows:
        return unknown(answers["lasting"], "How long relationships last")
    return f"{words.percent(rows[0]['alive_365d'])} of relationships last longer than a year"


TOPIC = Topic(
    name="lifetime",
    about="how long relationships last, and whether we lengthen them; no amount is read",
    questions=QUESTIONS,
    finding=finding,
    see=(("cadence", "the days to the second, third and fourth purchase"),),
)
