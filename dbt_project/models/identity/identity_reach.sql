{# Whole groups again: what was or could be joined to whom is touched, however many steps away. #}
{% set needed = [
    ref('identity_candidate'), ref('identity_override'), ref('identity_touched'),
] %}
{% if is_part_run() -%}
with recursive links as (
    select left_hash, right_hash
    from {{ ref('identity_candidate') }}
    where refusal is null and band = 'auto'

    union all

    select {{ key_hash('left_key') }}, {{ key_hash('right_key') }}
    from {{ ref('identity_override') }}
    where action = 'link'
),

reach as (
    select key_hash from {{ ref('identity_touched') }}
    union
    (
        select links.right_hash
        from reach
        inner join links on reach.key_hash = links.left_hash

        union all

        select links.left_hash
        from reach
        inner join links on reach.key_hash = links.right_hash
    )
),

further as (
    select key_hash from reach
    where key_hash not in (select key_hash from {{ ref('identity_touched') }})
)

-- Steps are of numbers: keys are read once, of those alone whom a step led to. Whom people link
-- is touched.
select profile_key, key_hash from {{ ref('identity_touched') }}
union
select left_key, left_hash
from {{ ref('identity_candidate') }}
where left_hash in (select key_hash from further)
union
select right_key, right_hash
from {{ ref('identity_candidate') }}
where right_hash in (select key_hash from further)
{%- else -%}
select profile_key, key_hash from {{ ref('identity_touched') }} where false
{%- endif %}
