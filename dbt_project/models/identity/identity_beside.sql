{# Groups are counted whole: who shares a value that can join, or a name, with whom is touched. #}
{% set needed = [
    ref('identity_identifier'), ref('identity_identifier_book'), ref('identity_name'),
    ref('identity_touched'),
] %}
{% if is_part_run() -%}
with touched as (
    select profile_key from {{ ref('identity_touched') }}
),

live as (
    select identifiers.entity, identifiers.value
    from {{ ref('identity_identifier') }} as identifiers
    inner join touched on identifiers.profile_key = touched.profile_key
    inner join {{ ref('identity_identifier_book') }} as book
        on identifiers.entity = book.entity
        and identifiers.id_type = book.id_type
        and identifiers.value = book.value
    where {{ can_join('book') }}
    group by identifiers.entity, identifiers.value
),

name_keys as (
    select names.name_key
    from {{ ref('identity_name') }} as names
    inner join touched on names.profile_key = touched.profile_key
    where names.name_key is not null
    group by names.name_key
)

select profile_key from touched
union
select identifiers.profile_key
from {{ ref('identity_identifier') }} as identifiers
inner join live on identifiers.entity = live.entity and identifiers.value = live.value
union
select names.profile_key
from {{ ref('identity_name') }} as names
inner join name_keys on names.name_key = name_keys.name_key
{%- else -%}
select profile_key from {{ ref('identity_touched') }} where false
{%- endif %}
