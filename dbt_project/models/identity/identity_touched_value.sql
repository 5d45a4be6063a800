{#
    `flag` and `n_profiles` are those of the last run: this one is not there yet. The book is not
    named by a `with`: so much of it would be copied.
#}
{% set last_book = left_by_last_run('identity_identifier_book') if is_part_run() -%}
{% set book -%}
{% if last_book -%}
{{ last_book }}
{%- else -%}
(
    select
        entity, id_type, value, 'ok' as flag, 0 as n_profiles,
        cast(null as {{ dbt.type_string() }}) as reason, {{ value_hash('values_of_delta') }} as value_hash
    from values_of_delta
    where false
)
{%- endif %}
{%- endset %}
with values_of_delta as (
    select identifiers.entity, identifiers.id_type, identifiers.value
    from {{ ref('identity_identifier') }} as identifiers
    inner join {{ ref('identity_delta') }} as delta
        on identifiers.key_hash = delta.key_hash
),

switchboards as (
    {{ switchboards() }}
),

switchboards_of_delta as (
    {{ switchboards(only='identity_delta') }}
),

flags as (
    select flags.*
    from {{ source('control', 'identity_identifier_flag') }} as flags
    inner join {{ ref('identity_delta') }} as delta on delta.profile_key = '#flags'
),

touched as (
    select entity, id_type, value from values_of_delta

    union

    select entity, id_type, value
    from {{ ref('identity_delta_value') }}
    where id_type not in ('name_key', 'said')

    union

    select 'person', 'phone', value from switchboards_of_delta

    union

    -- of organizations that have another number now, or are no more
    select book.entity, book.id_type, book.value
    from {{ book }} as book
    left join switchboards on book.value = switchboards.value
    where book.id_type = 'phone'
        and book.reason = 'the number of an organization'
        and switchboards.value is null

    union

    select identifiers.entity, identifiers.id_type, identifiers.value
    from {{ ref('identity_identifier') }} as identifiers
    inner join flags on {{ is_flagged('identifiers', 'flags') }}

    union

    select book.entity, book.id_type, book.value
    from {{ book }} as book
    inner join {{ ref('identity_delta') }} as delta on delta.profile_key = '#flags'
    where book.reason like 'people say: %'
)

select
    touched.entity,
    touched.id_type,
    touched.value,
    touched.value_hash,
    book.flag,
    book.n_profiles
from (select *, {{ value_hash('touched') }} as value_hash from touched) as touched
left join {{ book }} as book
    on touched.value_hash = book.value_hash
    and touched.id_type = book.id_type
