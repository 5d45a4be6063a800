{#
    Profile -> id of what it belongs to; `reference_key` is how other records refer to it. The
    id is made from the profile that was there first, so that one who joins later does not
    change it, and the same landing gives the same ids.
#}
{% macro resolved(entity, prefix, id_column) %}
with profiles as (
    select profile_key, reference_key, coalesce(created_at, first_seen_at) as since
    from {{ ref('identity_profile') }}
    where entity = '{{ entity }}'
),

joined as (
    select left_key as profile_key, component_key
    from {{ ref('identity_edge') }}
    where state = 'live' and entity = '{{ entity }}'
    union
    select right_key, component_key
    from {{ ref('identity_edge') }}
    where state = 'live' and entity = '{{ entity }}'
),

components as (
    select
        profiles.profile_key,
        profiles.reference_key,
        profiles.since,
        coalesce(joined.component_key, profiles.profile_key) as component_key
    from profiles
    left join joined on profiles.profile_key = joined.profile_key
),

anchored as (
    select
        profile_key,
        reference_key,
        first_value(profile_key) over (
            partition by component_key order by since nulls last, profile_key
        ) as anchor_key,
        count(*) over (partition by component_key) as n_profiles
    from components
)

select
    profile_key,
    reference_key,
    {{ opaque_id(prefix, 'anchor_key') }} as {{ id_column }},
    anchor_key,
    n_profiles
from anchored
{% endmacro %}
