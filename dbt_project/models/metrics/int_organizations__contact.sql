{{ config(materialized='table', contract={'enforced': false}) }}

with

acts as (

    select
        acts.act_id,
        acts.thread_id,
        {{ outsider('acts') }} as outside_person_id,
        acts.organization_id,
        acts.silo,
        acts.day,
        acts.occurred_at,
        acts.is_by_staff,
        acts.is_to_staff,
        acts.is_contact,
        acts.is_community,
        acts.is_by_staff and not acts.is_internal and acts.kind not in ('task', 'note') as is_ours,
        -- in the open, what asks nobody in particular asks everybody: the community answers
        asking_kinds.kind is not null
        and not acts.is_by_staff
        and (acts.is_to_staff or not acts.is_community) as asks_us
    from {{ ref('int_acts__counted') }} as acts
    left join {{ ref('asking_kind') }} as asking_kinds on acts.kind = asking_kinds.kind
    where not acts.is_by_bot

),

asks as (

    select
        act_id,
        thread_id,
        outside_person_id,
        organization_id
    from acts
    where asks_us and organization_id is not null

),

-- When our side next turned to the same person, took part in the same thread, or, where nobody
-- knows which person asked, turned to the organization. Looked at from the end, where a running
-- minimum costs less than one of all that follows; and only at what asks or can be an answer.
next_answers as (

    {%- for key, is_answer, is_asked_so in [
        ('outside_person_id', 'is_ours and not is_to_staff', 'outside_person_id is not null'),
        ('thread_id', 'is_ours', 'outside_person_id is not null'),
        ('organization_id', 'is_ours', 'outside_person_id is null'),
    ] %}
    select
        act_id,
        answered_at
    from (
        select
            act_id,
            asks_us and {{ is_asked_so }} as is_asked_so,
            min(case when {{ is_answer }} then occurred_at end) over (
                partition by {{ key }} order by occurred_at desc, act_id desc
                rows between unbounded preceding and 1 preceding
            ) as answered_at
        from acts
        where
            (asks_us or ({{ is_answer }}))
            and {{ key }} in (select {{ key }} from asks where {{ is_asked_so }})
    ) as followed
    where is_asked_so and answered_at is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

answered as (

    select
        act_id,
        {{ utc_day('min(answered_at)') }} as answered_day
    from next_answers
    group by act_id

),

final as (

    select
        acts.organization_id,
        acts.outside_person_id as person_id,
        acts.silo,
        acts.day,
        answered.answered_day,
        count(*) filter (where not acts.is_by_staff) as their_acts,
        count(*) filter (where acts.is_contact) as contacts,
        count(*) filter (where acts.is_contact and not acts.is_community) as direct_contacts,
        count(*) filter (where acts.asks_us) as requests,
        -- an order shows that they are there, though it is no contact
        bool_or(acts.is_contact or not acts.is_by_staff) as is_sign_of_life,
        max(case when not acts.is_by_staff then acts.occurred_at end) as last_inbound_at,
        max(case when acts.is_ours then acts.occurred_at end) as last_outbound_at
    from acts
    left join answered on acts.act_id = answered.act_id
    where acts.organization_id is not null
    group by
        acts.organization_id,
        acts.outside_person_id,
        acts.silo,
        acts.day,
        answered.answered_day

)

select * from final
