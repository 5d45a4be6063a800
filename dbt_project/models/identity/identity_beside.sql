{# Groups are counted whole: who shares a value that can join, or a name, with whom is touched. #}
{% set needed = [
    ref('identity_identifier'), ref('identity_identifier_book'), ref('identity_name'),
    ref('identity_touched'),
] %}
{% if is_part_run() -%}
with touched as (
    select key_hash from {{ ref('identity_touched') }}
),

live as (
    select identifiers.value_hash
    from {{ ref('identity_identifier') }} as identifiers
    inner join touched on identifiers.key_hash = touched.key_hash
    inner join {{ ref('identity_identifier_book') }} as book
        on identifiers.value_hash = book.value_hash
        and identifiers.id_type = book.id_type
    where {{ can_join('book') }}
    group by identifiers.value_hash
),

met_names as (
    select names.name_hash
    from {{ ref('identity_name') }} as names
    inner join touched on names.key_hash = touched.key_hash
    where names.name_hash is not null
    group by names.name_hash
)

select key_hash from touched
union
select identifiers.key_hash
from {{ ref('identity_identifier') }} as identifiers
inner join live on identifiers.value_hash = live.value_hash
union
select names.key_hash
from {{ ref('identity_name') }} as names
inner join met_names on names.name_hash = met_names.name_hash
{%- else -%}
select key_hash from {{ ref('identity_touched') }} where false
{%- endif %}
