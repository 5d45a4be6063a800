{#
    An identifier of very many profiles is cut off here and refused by name in `identity_edge`.
#}
{% set most_profiles_of_a_side = 13 %}

with links as (
    select place, action, left_type, left_value, right_type, right_value, reason
    from {{ source('control', 'identity_link') }}

    union all

    -- one line of verdicts can count for several rules
    select distinct
        place,
        case verdict when 'yes' then 'link' else 'unlink' end,
        'profile',
        left_key,
        'profile',
        right_key,
        reason
    from {{ source('control', 'reviews') }}
    where verdict in ('yes', 'no')
),

sides as (
    select place, action, 'left' as side, left_type as id_type, left_value as value from links
    union all
    select place, action, 'right', right_type, right_value from links
),

held as (
    select sides.place, sides.side, profiles.entity, profiles.profile_key
    from sides
    inner join {{ ref('identity_profile') }} as profiles on sides.value = profiles.profile_key
    where sides.id_type = 'profile'

    union

    select sides.place, sides.side, profiles.entity, profiles.profile_key
    from sides
    inner join {{ ref('identity_profile') }} as profiles on sides.value = profiles.reference_key
    where sides.id_type = 'profile'

    union

    select sides.place, sides.side, identifiers.entity, identifiers.profile_key
    from sides
    inner join {{ ref('identity_identifier') }} as identifiers
        -- who is kept apart by an address stays so when it is another
        on identifiers.id_type in (
            sides.id_type, case when sides.action = 'unlink' then 'past_' || sides.id_type end
        )
        and identifiers.value
        = case sides.id_type when 'email' then {{ mailbox('sides.value') }} else sides.value end
),

ranked as (
    select
        *,
        row_number() over (partition by place, side, entity order by profile_key) as rank,
        count(*) over (partition by place, side, entity) as n_profiles
    from held
),

networks as (
    select source from {{ source('control', 'link_policy') }}
    where not is_own_space
    group by source
),

-- People decide in doubt, but do not claim what nobody told us.
unclaimed as (
    select profiles.profile_key
    from {{ ref('identity_profile') }} as profiles
    inner join networks on profiles.source = networks.source
    left join {{ ref('identity_claim') }} as claims
        on profiles.profile_key = claims.handle_key and claims.state = 'in_force'
    where claims.place is null
)

-- n_left and n_right: how many profiles a side stands for
select
    links.place,
    links.action,
    links.reason,
    one.entity,
    least(one.profile_key, other.profile_key) as left_key,
    greatest(one.profile_key, other.profile_key) as right_key,
    one.n_profiles as n_left,
    other.n_profiles as n_right,
    case
        when links.action = 'link'
            and (one_unclaimed.profile_key is not null or other_unclaimed.profile_key is not null)
            then 'nobody claimed the profile of another network; identity/claims.csv has the basis'
    end as refusal
from links
inner join ranked as one on links.place = one.place and one.side = 'left'
inner join ranked as other
    on links.place = other.place and other.side = 'right' and one.entity = other.entity
left join unclaimed as one_unclaimed on one.profile_key = one_unclaimed.profile_key
left join unclaimed as other_unclaimed on other.profile_key = other_unclaimed.profile_key
where one.profile_key <> other.profile_key
    and one.rank <= {{ most_profiles_of_a_side }}
    and other.rank <= {{ most_profiles_of_a_side }}
