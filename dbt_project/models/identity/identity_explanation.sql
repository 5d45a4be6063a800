with pairs as (
    select * from {{ ref('identity_pair') }}
),

owners as (
    select profile_key, person_id as id from {{ ref('identity_person_map') }}
    union all
    select profile_key, organization_id from {{ ref('identity_organization_map') }}
),

ways as (
    select
        *,
        least(profile_key, next_key) as left_key,
        greatest(profile_key, next_key) as right_key
    from {{ ref('identity_way') }}
)

select
    pairs.entity,
    one.id as left_id,
    other.id as right_id,
    pairs.left_key,
    pairs.right_key,
    pairs.state,
    pairs.refusal,
    pairs.rule_id,
    pairs.words,
    pairs.id_type,
    pairs.evidence,
    pairs.names,
    cast(pairs.tier as bigint) as tier,
    cast(pairs.precision as double) as precision,
    pairs.n_reviewed,
    pairs.n_right,
    ways.profile_key as far_key,
    ways.steps,
    ways.confidence
from pairs
inner join owners as one on pairs.left_key = one.profile_key
inner join owners as other on pairs.right_key = other.profile_key
-- at most one pair is the next step of a profile
left join ways
    on pairs.left_key = ways.left_key
    and pairs.right_key = ways.right_key
    and pairs.rule_id = ways.rule_id
    and coalesce(pairs.evidence, '') = coalesce(ways.evidence, '')
    and pairs.state = 'live'
