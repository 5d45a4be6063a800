with edges as (
    select * from {{ ref('identity_edge') }} where state = 'suggested'
),

people as (
    select profile_key, person_id, n_profiles from {{ ref('identity_person_map') }}
),

rules as (
    select * from {{ ref('identity_rule_standing') }}
),

-- who said no of two profiles of two people is not asked about two others of theirs
kept_apart as (
    select distinct
        least(one.person_id, other.person_id) as person_id,
        greatest(one.person_id, other.person_id) as other_person_id
    from {{ ref('identity_override') }} as overrides
    inner join people as one on overrides.left_key = one.profile_key
    inner join people as other on overrides.right_key = other.profile_key
    where overrides.action = 'unlink'
),

-- nor who is unsure
unsure as (
    select left_key, right_key from {{ source('control', 'reviews') }} where verdict = 'unsure'
),

apart as (
    select
        edges.left_key,
        edges.right_key,
        edges.rule_id,
        edges.id_type,
        edges.evidence,
        edges.names,
        rules.measured_precision as score,
        least(one.person_id, other.person_id) as person_id,
        greatest(one.person_id, other.person_id) as other_person_id,
        one.n_profiles + other.n_profiles as n_profiles,
        least(one.n_profiles, other.n_profiles) as gain
    from edges
    inner join people as one on edges.left_key = one.profile_key
    inner join people as other on edges.right_key = other.profile_key
    inner join rules on edges.rule_id = rules.rule_id
    where one.person_id <> other.person_id
        and not exists (
            select 1
            from unsure
            where unsure.left_key = edges.left_key and unsure.right_key = edges.right_key
        )
),

-- One question per two people: the pair whose rule is most often right.
ranked as (
    select
        *,
        row_number() over (
            partition by person_id, other_person_id
            order by score desc, left_key, right_key, rule_id, evidence
        ) as place
    from apart
    where not exists (
        select 1
        from kept_apart
        where kept_apart.person_id = apart.person_id
            and kept_apart.other_person_id = apart.other_person_id
    )
)

select
    left_key,
    right_key,
    person_id,
    other_person_id,
    rule_id,
    id_type,
    evidence,
    names,
    score,
    n_profiles,
    gain,
    'waiting' as status
from ranked
where place = 1
