"""What relationships bring and cost, in money."""

from __future__ import annotations

from rapport.report import words
from rapport.report.questions import Answers, Column, Question, Topic
from rapport.report.topics.shared import ORDERS, unknown

_SPENT = (
    Column("Paid so far", "{spend:money}"),
    Column("In 365 days", "{spend_365d:money}"),
    Column("Cost to serve", "{cost_to_serve:money}"),
    Column("Left after it", "{profit:money}"),
    Column(
        "Expected",
        "{expected_spend:money}",
        "{expected_spend_low:money} to {expected_spend_high:money}",
    ),
)
_VALUE_HOW = (
    "Paid is what orders say. What is left of it and what serving costs are counted with "
    "`value` of strategy.yml and unknown without. Expected is the spend to come if everybody goes "
    "on as before, with the range that holds it in 95 of 100 cases: no season, no campaign. "
)

QUESTIONS = (
    Question(
        id="worth",
        asks="Which segment is worth most",
        how=_VALUE_HOW,
        table="rel_value_segment",
        columns=(
            Column("Segment", "{segment:segment}", "{segment_type:kind}", kind="text"),
            Column("Buyers", "{buyers:count}"),
            *_SPENT,
            Column(
                "A fifth of the buyers brought",
                "{top_20_share:percent}",
            ),
        ),
        order="max(buyers) over (partition by currency) desc, currency, segment_type <> 'all', "
        "segment_type, segment = 'unknown', spend desc nulls last, segment",
        parts="currency",
        says_part="{currency:name}",
        limit=60,
        nothing=f"no orders are connected: {ORDERS}",
    ),
    Question(
        id="expected",
        asks="From whom to expect most",
        how=_VALUE_HOW
        + "A place on this list is no judgement of a relationship; importance stands on "
        "the page of ties, without money.",
        table="rel_value",
        where="expected_rank is not null",
        about=("person_id",),
        columns=(
            Column("Who", "{party_id:name}", kind="party"),
            Column("Place", "{expected_rank:count}"),
            Column("Days with a purchase", "{purchase_days:count}"),
            *_SPENT,
        ),
        order="currency, expected_rank, party_id",
        limit=30,
        nothing=f"no orders are connected: {ORDERS}",
        absent="Unknown: too few bought again to expect anything of anybody.",
    ),
    Question(
        id="models",
        asks="What the expectations rest on",
        how="Models of buying and of spending, fitted to everybody who bought. Where one does not "
        "fit, what needs it is unknown.",
        table="rel_value_model",
        columns=(
            Column("What it tells", "{model:model}", kind="text"),
            Column("Currency", "{currency:name}", kind="text"),
            Column("State", "{state:kind}", "{reason_1:sentence}", kind="text"),
            Column("Buyers behind it", "{n:count}"),
        ),
        order="model, currency",
        nothing=f"no orders are connected: {ORDERS}",
    ),
)


def finding(answers: Answers) -> str:
    rows = [row for row in answers["worth"].rows if row["top_20_share"] is not None]
    if not rows:
        return unknown(answers["worth"], "What relationships bring")
    share, currency = words.percent(rows[0]["top_20_share"]), words.name(rows[0]["currency"])
    return f"A fifth of the buyers brought {share} of what was paid in {currency}"


TOPIC = Topic(
    name="money",
    about="what relationships bring, cost and may bring, in money; it orders and judges nothing "
    "elsewhere",
    questions=QUESTIONS,
    finding=finding,
)
