{# Whole groups again: what was or could be joined to whom is touched, however many steps away. #}
{% set needed = [
    ref('identity_candidate'), ref('identity_override'), ref('identity_touched'),
] %}
{% if is_part_run() -%}
with recursive links as (
    select left_key, right_key, left_hash, right_hash
    from {{ ref('identity_candidate') }}
    where refusal is null and band = 'auto'
    union all
    select left_key, right_key, {{ key_hash('left_key') }}, {{ key_hash('right_key') }}
    from {{ ref('identity_override') }}
    where action = 'link'
),

steps as (
    select left_hash as key_hash, right_key as next_key, right_hash as next_hash from links
    union all
    select right_hash, left_key, left_hash from links
),

reach as (
    select profile_key, key_hash from {{ ref('identity_touched') }}
    union
    select steps.next_key, steps.next_hash
    from reach
    inner join steps on reach.key_hash = steps.key_hash
)

select profile_key, key_hash from reach
{%- else -%}
select profile_key, key_hash from {{ ref('identity_touched') }} where false
{%- endif %}
