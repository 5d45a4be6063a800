{# Whole groups again: what was or could be joined to whom is touched, however many steps away. #}
{% set needed = [
    ref('identity_candidate'), ref('identity_override'), ref('identity_touched'),
] %}
{% if is_part_run() -%}
with recursive links as (
    select left_key, right_key, {{ key_hash('left_key') }} as left_hash,
        {{ key_hash('right_key') }} as right_hash
    from {{ ref('identity_override') }}
    where action = 'link'
),

-- Each step looks into the large table for those that the last one found.
reach as (
    select profile_key, key_hash from {{ ref('identity_touched') }}
    union
    (
        select candidates.right_key, candidates.right_hash
        from reach
        inner join {{ ref('identity_candidate') }} as candidates
            on reach.key_hash = candidates.left_hash
        where candidates.refusal is null and candidates.band = 'auto'

        union all

        select candidates.left_key, candidates.left_hash
        from reach
        inner join {{ ref('identity_candidate') }} as candidates
            on reach.key_hash = candidates.right_hash
        where candidates.refusal is null and candidates.band = 'auto'

        union all

        select links.right_key, links.right_hash
        from reach
        inner join links on reach.key_hash = links.left_hash

        union all

        select links.left_key, links.left_hash
        from reach
        inner join links on reach.key_hash = links.right_hash
    )
)

select profile_key, key_hash from reach
{%- else -%}
select profile_key, key_hash from {{ ref('identity_touched') }} where false
{%- endif %}
