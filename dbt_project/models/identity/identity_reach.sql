{# Whole groups again: what was or could be joined to whom is touched, however many steps away. #}
{% set needed = [
    ref('identity_candidate'), ref('identity_override'), ref('identity_touched'),
] %}
{% if is_part_run() -%}
with recursive links as (
    select left_key, right_key
    from {{ ref('identity_candidate') }}
    where refusal is null and band = 'auto'
    union all
    select left_key, right_key
    from {{ ref('identity_override') }}
    where action = 'link'
),

steps as (
    select left_key as profile_key, right_key as next_key from links
    union all
    select right_key, left_key from links
),

reach as (
    select profile_key from {{ ref('identity_touched') }}
    union
    select steps.next_key
    from reach
    inner join steps on reach.profile_key = steps.profile_key
)

select profile_key from reach
{%- else -%}
select profile_key from {{ ref('identity_touched') }} where false
{%- endif %}
