"""Who is tied to whom, who matters, and who would be missed."""

from __future__ import annotations

from rapport.report import words
from rapport.report.questions import Answers, Column, Question, Topic
from rapport.report.topics.shared import ORDERS, WHY, unknown

TIES = "ties come from messages, meetings, cases and threads with both sides known by name"

QUESTIONS = (
    Question(
        id="radar",
        asks="Which relationships hang on one person",
        how="Organizations where one person, of us or of them, carries half or more of all that "
        "joins us. The strength of a tie counts days on which two turned to each other (10) and "
        "threads in which both spoke (1), fading by a tenth each 30 days, up to 10 a tie; what "
        "only one side sends makes none. The strongest relationships first: what there is to lose.",
        table="rel_bond_organization",
        where="other_organization_id = 'us' and (absence_factor = 1 or other_absence_factor = 1)",
        columns=(
            Column("Organization", "{organization_id:name}", kind="organization"),
            Column(
                "Ties between people",
                "{ties:count}",
                "{two_way_ties:count} both ways",
            ),
            Column("Strength", "{strength:score}"),
            Column(
                "Carried most by, of us",
                "{top_other_person_id:name}",
                "{top_other_person_share:percent}, of {other_people:count}",
                kind="person",
            ),
            Column(
                "Of them",
                "{top_person_id:name}",
                "{top_person_share:percent}, of {people:count}",
                kind="person",
            ),
            Column("Last used", "{days_since:days} ago"),
            WHY,
            Column("Owner", "{owner_person_id:name}", kind="person", absent="no owner"),
        ),
        order="strength desc, organization_id",
        nothing=f"no tie between one of us and an organization is known: {TIES}",
        absent="None: each is carried by several on both sides.",
    ),
    Question(
        id="missed",
        asks="Who would be missed",
        how="On whom others hang: people half or more of whose ties lead to this person, and "
        "organizations of whose ties with us they carry half or more. Colleagues are among them. "
        "Before somebody leaves, somebody else should know these.",
        table="rel_importance",
        where="people_depending > 0 or organizations_depending > 0",
        about=("person_id",),
        columns=(
            Column("Person", "{person_id:name}", "{party_kind:kind}", kind="person"),
            Column("Organizations depending", "{organizations_depending:count}"),
            Column(
                "People depending",
                "{people_depending:count}",
                "{people_without_other:count} know nobody else",
            ),
            Column("Ties", "{ties:count}", "{two_way_ties:count} both ways"),
            Column(
                "Answers in a year",
                "{answers:count}",
                "{answers_share:percent} of all",
            ),
            WHY,
        ),
        order="organizations_depending desc, people_depending desc, importance desc, person_id",
        nothing=f"no tie is known: {TIES}",
        absent="Nobody: no one depends on one person alone.",
    ),
    Question(
        id="important",
        asks="Who matters most, money left aside",
        how="0 to 100, from four parts alike: how strong their ties are, how much attention comes "
        "to them, how many others meet through them, how engaged they are. Each part says how "
        "many of 100 others have less. How often they buy stands beside it and never inside it; "
        "an amount is never read.",
        table="rel_importance",
        where="party_kind <> 'staff'",
        about=("person_id",),
        columns=(
            Column("Person", "{person_id:name}", "{party_kind:kind}", kind="person"),
            Column("Place", "{rank:count}", "of {ranked_people:count}"),
            Column("Importance", "{importance:score}"),
            Column("Ties", "{reach_part:score}"),
            Column("Attention", "{attention_part:score}"),
            Column("Joins others", "{bridge_part:score}"),
            Column("Engagement", "{engagement_part:score}"),
            Column("Buys more often than", "{buying_percentile:of_100}"),
            WHY,
        ),
        order="rank, person_id",
        limit=30,
        nothing=f"no tie is known: {TIES}",
    ),
    Question(
        id="quadrant",
        asks="Who matters beside what they buy",
        how="Important: among the first quarter by importance. Buying: among the quarter that buys "
        "most often. Who is important beyond buying would be overlooked by a list of customers.",
        table="rel_importance",
        source="select quadrant, count(*) as people from rel_importance where as_of = $as_of "
        "and basis = $basis and quadrant is not null group by quadrant",
        columns=(
            Column("They are", "{quadrant:kind}", kind="text"),
            Column("People", "{people:count}"),
        ),
        order="people desc, quadrant",
        nothing=f"no tie is known: {TIES}",
        absent=f"Unknown: nobody's purchases are seen; {ORDERS}.",
        needs_strategy=True,
    ),
    Question(
        id="sides",
        asks="Between whom there are ties",
        how="Pairs of people who turned to each other, or met in a thread, within 364 days. Both "
        "ways: each turned to the other.",
        table="rel_bond",
        source="select kind_pair, count(*) as ties, count(*) filter (where is_two_way) as two_way, "
        "count(*) filter (where days_since < 90) as used, "
        "case when count(mutual_interests) > 0 then count(*) filter (where mutual_interests > 0) "
        "end as interested from rel_bond "
        "where as_of = $as_of and basis = $basis group by kind_pair",
        columns=(
            Column("Between", "{kind_pair:pair}", kind="text"),
            Column("Ties", "{ties:count}"),
            Column("Both ways", "{two_way:count}"),
            Column("Used in 90 days", "{used:count}"),
            Column("Share an interest", "{interested:count}"),
        ),
        order="ties desc, kind_pair",
        nothing=f"no tie is known: {TIES}",
    ),
    Question(
        id="shared",
        asks="Who shares a rare interest",
        how="Both told us of it themselves; what was found out about somebody is never read. What "
        "everybody has joins nobody, so the rarest come first.",
        table="rel_bond",
        where="specificity_bits > 0",
        about=("person_id", "other_person_id"),
        columns=(
            Column("Person", "{person_id:name}", kind="person"),
            Column("And", "{other_person_id:name}", kind="person"),
            Column("Shared by", "{specificity_bits:rarity}"),
            Column("Interests in common", "{mutual_interests:count}"),
            Column("Strength of their tie", "{strength:score}", "of 10"),
            Column("How far it shall go", "{stage:name}", kind="text", absent="not told"),
            Column(
                "What they have",
                "{reason_2:sentence}",
                kind="text",
                absent="",
            ),
        ),
        order="specificity_bits desc, strength desc, person_id, other_person_id",
        limit=15,
        nothing=f"no tie is known: {TIES}",
        absent="Unknown: nobody told an interest that another has, too. Map a field or a list to "
        "`person_interest`, or give a field `meaning: interest`.",
    ),
)


def finding(answers: Answers) -> str:
    radar = answers["radar"]
    if not radar.is_known:
        return unknown(radar, "On whom relationships hang")
    return f"{words.plural(radar.total, 'relationship')} with organizations hang on one person"


TOPIC = Topic(
    name="ties",
    about="who is tied to whom, who matters, and who would be missed; no amount is read",
    questions=QUESTIONS,
    finding=finding,
)
