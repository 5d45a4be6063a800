"""A company of any size as the unified tables hold it, made by SQL in one go.

Belongs here: rows of the unified tables in realistic proportions, and the control tables that a
build writes before dbt starts. Does not belong here: what is measured (`benchmarks.metrics`), and
where such rows come from in truth (`sandbox`, landing, identity).

Everybody comes within two years, stays for a while that chance gives, and is as active as a
log-normal says, so that a few do most. Questions draw answers in the days that follow, one in
twenty of them in a long thread of its own; cases are passed on among ours. The same sizes give the
same rows in one version of DuckDB.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import duckdb

from rapport import build, config, dbt

AS_OF = "2026-06-30"
STRATEGY = """\
version: 2026-06
vision: {statement: A place where makers help makers, archetype: community}
event_definitions:
  defection: {quiet_days: 180}
value: {margin_share: 0.45, service_hour: 60, service_minutes: {call: 15, email: 6, meeting: 60}}
segments:
  - {name: kind, from: {column: party_kind}}
relationships:
  - id: community
    why: nobody is left alone with a question
    goals:
      - {metric: answered_7d_share, target: ">= 0.9", by: 2027-06, owner: lead}
tier_programmes:
  guild:
    owner: lead
    grace_days: 30
    measures:
      answers: {acts: [answer, accepted_answer], days: 90}
      ties: {column: rel_importance.ties}
    tiers:
      - {name: helper, all: [{answers: {min: 5}}]}
      - {name: guide, all: [{answers: {min: 20}}, {ties: {min: 10}}]}
"""

HELPERS = f"""
create temp macro dice(who, what, number := 0) as
    ((hash(who, what, number) >> 11) + 0.5) / 9007199254740992.0;
create temp macro bell(who, what) as
    sqrt(-2 * ln(dice(who, what))) * cos(2 * pi() * dice(who, what || ' turned'));
create temp macro pick(chance, shares, names) as
    names[len(list_filter(shares, lambda share: share <= chance)) + 1];
create temp macro moment(seconds) as
    timestamptz '{AS_OF} 23:59:59+00' - to_seconds(greatest(0, seconds)::bigint);
create temp macro person(number) as 'per_' || printf('%08d', number);
"""
"""`dice`: evenly in (0, 1); `bell`: normal; `moment`: so many seconds before the end of the day."""

ROWS: Mapping[str, str] = {
    "who": """
        select
            number, number < {staff} as is_staff, number in ({staff}, {staff} + 1) as is_bot,
            exp(1.6 * bell(number, 'activity')) as weight,
            dice(number, 'came') * 730 * 86400 as came,
            -ln(dice(number, 'stays')) * 300 * 86400 + 3600 as stays,
            case when number >= {staff} and dice(number, 'employed') < 0.7
                then 'org_' || printf('%07d', ({organizations} * dice(number, 'at') ** 2)::bigint)
            end as organization_id,
            pick(dice(number, 'kind'), [0.6, 0.85, 0.9, 0.93],
                ['customer', 'prospect', 'partner', 'supplier', 'unknown']) as party_kind,
            -- a few of ours look after most
            ({staff} * dice(number, 'owner') ** 2)::bigint % {staff} as owner
        from range({people}) as t(number)
    """,
    "dim_person": """
        select
            person(number) as person_id, 'Somebody ' || number as display_name,
            case when is_staff then 'staff' when is_bot then 'unknown' else party_kind end
                as party_kind,
            is_staff, is_bot, organization_id,
            case when dice(number, 'owned') < 0.5 and not is_staff then person(owner) end
                as owner_person_id,
            1 as n_profiles, 1 as n_silos, moment(came) as created_at
        from who
    """,
    "dim_organization": """
        select
            'org_' || printf('%07d', number) as organization_id, 'House ' || number as name,
            pick(dice(number, 'house'), [0.7, 0.9], ['customer', 'prospect', 'partner'])
                as party_kind,
            person(({staff} * dice(number, 'looks after') ** 2)::bigint % {staff})
                as owner_person_id,
            date '{as_of}' + (dice(number, 'renews') * 365)::int as renewal_date,
            (dice(number, 'pays') * 9000)::decimal(18, 2) as renewal_amount, 'USD' as currency
        from range({organizations} + 1) as t(number)
    """,
    "bridge_person_organization": """
        select
            person(number) as person_id, organization_id, 'record' as basis, true as is_primary,
            moment(came) as stay_from, true as is_start_known, moment(came) as valid_from,
            case when dice(number, 'left') < 0.08 then moment(came / 3) end as valid_to,
            dice(number, 'left') >= 0.08 as is_current
        from who where organization_id is not null
    """,
    "bridge_person_segment": """
        select person_id, segment_type, party_kind as segment
        from dim_person cross join control.segment_rules
    """,
    "bridge_organization_segment": """
        select organization_id, segment_type, party_kind as segment
        from dim_organization cross join control.segment_rules
    """,
    "dim_profile": """
        select
            silo || ':people:' || number as profile_key, silo as source, silo, 'people' as stream,
            'person' as entity, person(number) as person_id, organization_id,
            'Somebody ' || number as display_name, is_staff, is_bot, moment(came) as created_at
        from who
        inner join (values ('forum', 0.75), ('crm', 0.6)) as silos(silo, share)
            on dice(number, silo) < share
    """,
    # One row per act before it is known to whom: `ago` in seconds.
    "acts": """
        select
            number, turn, ago, kind,
            cast(sum(if(kind = 'question', 1, 0)) over in_time as bigint) as asked,
            cast(sum(if(kind = 'case_opened', 1, 0)) over in_time as bigint) as opened
        from (
            select
                number, turn,
                (came - least(came, stays) * dice(number, 'when', turn) ** 1.5)::bigint as ago,
                pick(dice(number, 'does', turn), [0.15, 0.46, 0.62, 0.665, 0.79, 0.89, 0.96],
                    ['question', 'answer', 'reply', 'case_opened', 'case_comment', 'call', 'email',
                     'meeting']) as kind
            from (
                select
                    number, came, stays,
                    unnest(range((
                        weight * {interactions} / (select sum(weight) from who)
                        + dice(number, 'acts')
                    )::bigint)) as turn
                from who
            )
        )
        window in_time as (
            order by ago desc, number, turn rows between unbounded preceding and current row
        )
    """,
    "threads": """
        select kind, if(kind = 'question', asked, opened) as thread, number as opener, ago
        from acts where kind in ('question', 'case_opened')
    """,
    "replies": """
        select
            acts.*, threads.thread, threads.opener,
            greatest(0, least(acts.ago, threads.ago - 60)) as replied_ago,
            ({staff} * dice(threads.thread, 'clerk') ** 2)::bigint % {staff} as clerk,
            dice(acts.number, 'handed', acts.turn) < 0.2 as is_handed
        from (
            select
                *,
                if(kind = 'case_comment', 'case_opened', 'question') as opened_by,
                if(kind = 'case_comment', opened, asked) as latest,
                (-ln(dice(number, 'lag', turn)) * 0.002 * if(kind = 'case_comment',
                    max(opened) over (), max(asked) over ()))::bigint as lag,
                dice(number, 'long', turn) < 0.05 and kind <> 'case_comment' as is_long
            from acts where kind in ('answer', 'reply', 'case_comment')
        ) as acts
        inner join threads
            on acts.opened_by = threads.kind
            and threads.thread = if(is_long, (latest - lag) // 200 * 200 + 1, latest - lag)
    """,
    "fct_interaction": """
        select
            kind || ':' || number || ':' || turn as interaction_id,
            silo as source, silo, channel, place, kind, direction, thread_id,
            person(actor) as actor_person_id, person(target) as target_person_id,
            organization_id, is_accepted,
            if(silo = 'forum', 'public', 'private') as visibility,
            moment(ago) as occurred_at, moment(ago) as loaded_at,
            dice(number, 'deleted', turn) < 0.01 as is_deleted
        from (
            select
                number, turn, ago, kind, 'forum' as silo, 'forum' as channel,
                'room ' || (20 * dice(asked, 'room') ** 2)::int as place, 'inbound' as direction,
                'question:' || asked as thread_id, number as actor, null::bigint as target,
                null::varchar as organization_id, null::boolean as is_accepted
            from acts where kind = 'question'
            union all
            select
                number, turn, replied_ago, kind, 'forum', 'forum',
                'room ' || (20 * dice(thread, 'room') ** 2)::int, 'peer', 'question:' || thread,
                if(dice(number, 'ours', turn) < 0.15, clerk, number), opener, null,
                if(kind = 'answer', dice(number, 'accepted', turn) < 0.25, null)
            from replies where kind <> 'case_comment'
            union all
            select
                number, turn, ago, kind, 'crm', 'case', null, 'inbound', 'case:' || opened,
                number, null, organization_id, null
            from acts inner join who using (number) where kind = 'case_opened'
            union all
            select
                replies.number, turn, replied_ago, kind, 'crm', 'case', null,
                if(is_ours, 'outbound', 'inbound'), 'case:' || thread,
                if(is_ours, if(is_handed, (clerk + 1) % {staff}, clerk), opener),
                if(is_ours, opener, null), who.organization_id, null
            from (select *, dice(number, 'ours', turn) < 0.7 as is_ours from replies) as replies
            inner join who on opener = who.number
            where kind = 'case_comment'
            union all
            select
                number, turn, ago, kind, 'crm', kind, null,
                if(is_ours, 'outbound', 'inbound'),
                if(kind = 'email', 'mail:' || number || ':' || turn // 2, null),
                if(is_ours, owner, number), if(is_ours, number, owner), organization_id, null
            from (
                select *, kind = 'meeting' or dice(number, 'ours', turn) < 0.7 as is_ours
                from acts inner join who using (number)
                where kind in ('call', 'email', 'meeting') and not is_staff
            )
        )
    """,
    "fct_case": """
        select
            'case:' || thread as case_id, 'crm' as source, who.organization_id,
            person(opener) as person_id,
            person(({staff} * dice(thread, 'clerk') ** 2)::bigint % {staff}) as owner_person_id,
            'case' as channel, moment(threads.ago) as opened_at, answers.closed_at,
            answers.closed_at is not null as is_closed, answers.first_response_at,
            false as is_deleted, moment(threads.ago) as loaded_at
        from threads
        inner join who on opener = who.number
        left join (
            select
                thread, moment(max(replied_ago)) as first_response_at,
                if(dice(thread, 'open') < 0.95, moment(min(replied_ago) - 7200), null) as closed_at
            from replies where kind = 'case_comment' group by thread
        ) as answers using (thread)
        where kind = 'case_opened'
    """,
    "fct_case_event": """
        select
            kind || ':' || case_id as case_event_id, case_id, kind,
            case when kind = 'closed' then owner_person_id else person_id end as actor_person_id,
            kind = 'closed' as is_staff, true as is_public, done_at as occurred_at,
            done_at as loaded_at
        from (
            select *, 'opened' as kind, opened_at as done_at from fct_case
            union all
            select *, 'closed' as kind, closed_at as done_at from fct_case where is_closed
        )
        union all
        select
            'comment:' || number || ':' || turn, 'case:' || thread, 'comment',
            person(if(dice(number, 'ours', turn) < 0.7, clerk, opener)),
            dice(number, 'ours', turn) < 0.7, true, moment(replied_ago), moment(replied_ago)
        from replies where kind = 'case_comment'
    """,
    # Everybody at a rate of their own, until a chance of their own stops them: as BG/NBD has it.
    "fct_purchase": """
        select
            'order:' || number || ':' || turn as purchase_id, 'shop' as source,
            case when not is_shared then person(number) end as person_id, organization_id,
            moment(ago) as occurred_at, moment(ago) as loaded_at,
            exp(4 + 0.8 * bell(number, 'spends') + 0.5 * bell(number, 'pays ' || turn))
                ::decimal(18, 2) as amount,
            'USD' as currency
        from (
            select
                number, turn, organization_id,
                organization_id is not null and dice(number, 'shared') < 0.05 as is_shared,
                came - sum(if(turn = 0, 0, -ln(dice(number, 'buys', turn)) * gap))
                    over (partition by number order by turn) as ago
            from (
                select
                    *,
                    86400 * 60 * exp(0.7 * bell(number, 'gap')) as gap,
                    unnest(range(1 + floor(least(60, 2.5 * ln(dice(number, 'stops'))
                        / ln(dice(number, 'stays on'))))::bigint)) as turn
                from who where dice(number, 'shops') < 0.25 and not is_staff and not is_bot
            )
        )
        where ago > 0
    """,
    "fct_login": """
        select
            'login:' || number || ':' || turn as login_id, 'shop' as source,
            person(number) as person_id, organization_id, 'Loom' as product,
            moment(came - least(came, stays) * dice(number, 'signs in', turn)) as occurred_at,
            moment(0) as loaded_at
        from (
            select *, unnest(range((-ln(dice(number, 'uses')) * 4)::bigint)) as turn
            from who where dice(number, 'product') < 0.25
        )
    """,
    "fct_deal": """
        select
            'deal:' || organization_id as deal_id, 'crm' as source, organization_id,
            owner_person_id, 500.00 as amount, 'USD' as currency,
            hash(organization_id) % 3 > 0 as is_closed, hash(organization_id) % 3 = 1 as is_won,
            moment(86400 * (40 + hash(organization_id) % 300)) as created_at,
            case when hash(organization_id) % 3 > 0
                then moment(86400 * (hash(organization_id) % 40)) end as closed_at,
            false as is_deleted, moment(0) as loaded_at
        from dim_organization
    """,
    "fct_commitment": """
        select
            'due:' || case_id as commitment_id, source, 'first answer' as kind, true as is_ours,
            person_id, organization_id, owner_person_id, case_id, opened_at as made_at,
            opened_at + interval 1 day as due_at, first_response_at as fulfilled_at,
            if(first_response_at <= opened_at + interval 1 day, 'kept', 'late') as outcome,
            loaded_at
        from fct_case where first_response_at is not null and hash(case_id) % 3 = 0
    """,
    "fct_survey_answer": """
        select
            'survey:' || case_id as survey_answer_id, source, person_id, organization_id,
            'after' as survey_id, 'after a case' as survey, 'satisfaction' as kind,
            'how was it' as question, 'email' as channel, 1 + hash(case_id, 'score') % 5 as score,
            1 as scale_low, 5 as scale_high, closed_at as occurred_at, closed_at as loaded_at
        from fct_case where is_closed and hash(case_id, 'answers') % 9 = 0
    """,
    "fct_message_sent": """
        select
            'mail:' || number || ':' || turn as message_sent_id, 'crm' as source,
            person(number) as person_id, organization_id, 'news ' || turn as message_id,
            'news' as message, 'news' as campaign, 'email' as channel,
            moment(86400 * 28 * turn) as occurred_at, moment(0) as loaded_at
        from who cross join range(10) as t(turn)
        where not is_staff and dice(number, 'on the list') < 0.1 and came > 86400 * 28 * turn
    """,
    "fct_message_response": """
        select
            message_sent_id || ':' || kind as message_response_id, source, message_sent_id,
            person_id, organization_id, kind, false as is_automatic,
            occurred_at + interval 1 hour as occurred_at, loaded_at
        from fct_message_sent
        inner join (values ('open', 4), ('click', 1), ('unsubscribe', 0)) as t(kind, tenths)
            on hash(message_sent_id, kind) % 10 < tenths
            or (tenths = 0 and hash(message_sent_id, kind) % 200 = 0)
    """,
    "fct_reaction": """
        select
            interaction_id || ':seen' as observation_id, interaction_id, 'like' as kind,
            'positive' as polarity, 1 as n_reactions, 1 as n_change,
            actor_person_id as person_id, occurred_at + interval 1 day as observed_at,
            true as is_current
        from fct_interaction where kind = 'answer' and hash(interaction_id, 'liked') % 3 = 0
    """,
    "fct_consent": """
        select
            'crm' as source, 'crm:people:' || number as profile_key, person(number) as person_id,
            'news' as purpose_id, 'news' as purpose, 'email' as channel,
            if(dice(number, 'agrees') < 0.8, 'granted', 'refused') as answer, true as is_current,
            false as is_overruled, moment(came) as occurred_at, moment(0) as loaded_at
        from who where dice(number, 'crm') < 0.6 and dice(number, 'was asked') < 0.6
    """,
    "bridge_person_interest": """
        select
            person(number) as person_id, 'interest ' || (30 * dice(number, 'likes', turn) ** 2)::int
                as interest,
            'crm' as source, min(moment(came)) as told_at
        from who cross join range(2) as t(turn)
        where dice(number, 'tells') < 0.08
        group by number, interest
    """,
}  # fmt: skip
"""Table -> its rows; those without a contract are steps on the way. Each reads those before it."""


def contracts() -> dict[str, str]:
    """Return the unified tables with their columns and types, as `create table` takes them."""
    dbt.ensure_parsed()
    nodes = json.loads((dbt.parsed_folder() / "manifest.json").read_bytes())["nodes"]
    return {
        node["name"]: ", ".join(
            f"{name} {column['data_type']}" for name, column in node["columns"].items()
        )
        for node in nodes.values()
        if node["resource_type"] == "model" and "unified" in node["fqn"]
    }


def empty(folder: Path, strategy: str, silos: Mapping[str, str]) -> Path:
    """Write build.duckdb of a first build into `folder`, the unified tables empty; return its path.

    Args:
        strategy: text of strategy.yml.
        silos: source -> the silo that it shows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "strategy.yml").write_text(strategy, encoding="utf-8")
    company = config.parse({"as_of": AS_OF, "sources": {}}, folder / "rapport.yml")
    database = company.home / build.BUILD_NAME
    company.home.mkdir(parents=True, exist_ok=True)
    plan = build.plan(company)
    with duckdb.connect(str(database)) as connection:
        build.write_schemas(connection, company, plan)
        for source, silo in silos.items():
            connection.execute(
                "insert into control.sources (source, source_type, silo, label, last_sync_at, "
                "is_configured) values ($source, $silo, $silo, $source, now(), true)",
                {"source": source, "silo": silo},
            )
        for name, columns in contracts().items():
            connection.execute(f"create table {name} ({columns})")
    return database


def make(folder: Path, people: int, interactions: int) -> Path:
    """Write build.duckdb of a first build, ready for the metrics; return its path.

    Args:
        folder: gets the configuration, too.
        people: everybody, one in a hundred of them ours.
        interactions: about so many; orders and sign-ins come on top.
    """
    sizes = {
        "as_of": AS_OF,
        "people": people,
        "interactions": interactions,
        "staff": max(12, people // 100),
        "organizations": people // 8,
    }
    database = empty(folder, STRATEGY, {"forum": "forum", "crm": "crm", "shop": "orders"})
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"set timezone = 'UTC'; {HELPERS}")
        for name, rows in ROWS.items():
            if "_" in name:
                connection.execute(f"insert into {name} by name {rows.format(**sizes)}")
            else:
                connection.execute(f"create temp table {name} as {rows.format(**sizes)}")
    return database
