{#
    Doing again only what changed profiles can have changed, on DuckDB.

    `identity_delta` says which profiles those are, or that everything is done anew. A model that
    is kept from run to run forgets the rows of what is touched and adds them again.

    Belongs here: whether this run is such a part, and what a kept model forgets. Does not belong
    here: what is touched (`identity_delta`, `identity_touched`, `identity_reach`).
#}

{# Whether this run does only what is touched. Every model that asks comes after `identity_delta`. #}
{% macro is_part_run() -%}
{%- set delta = ref('identity_delta') -%}
{%- if not execute or target.type != 'duckdb' or should_full_refresh() -%}
    {{ return(false) }}
{%- endif -%}
{%- if load_relation(delta) is none -%}
    {{ return(false) }}
{%- endif -%}
{%- set found = run_query("select count(*) from " ~ delta ~ " where change = 'whole'") -%}
{{ return(found.columns[0].values()[0] == 0) }}
{%- endmacro %}

{#
    Keep a model from run to run, but for rows whose `columns` all stand in a touched list under
    `key`, and for those of a condition. These columns, like that of `only_if_touched`, are numbers
    of `key_hash`.
#}
{% macro kept_but(touched, columns=['key_hash'], key='key_hash', also='false') -%}
{%- set hook = "{{ forget('" ~ touched ~ "', " ~ columns ~ ", '" ~ key ~ "', " ~ '"' ~ also ~ '") }}' -%}
{{ config(
    materialized='incremental' if target.type == 'duckdb' else 'table',
    incremental_strategy='append',
    pre_hook=hook,
) }}
{%- endmacro %}

{# Keep a model to which a part of a run only adds; one with a contract must say `fail`. #}
{% macro kept_in_a_part() -%}
{{ config(
    materialized='incremental' if target.type == 'duckdb' else 'table',
    incremental_strategy='append',
    pre_hook="{{ forget_unless_part() }}",
    on_schema_change='fail',
) }}
{%- endmacro %}

{% macro forget_unless_part() -%}
{%- if execute and is_incremental() and not is_part_run() -%}
delete from {{ this }}
{%- endif -%}
{%- endmacro %}

{#
    Keep the rows of a model that are what they were: all are looked at, and only others written.
    Who wants to know which those are compares `digest`.
#}
{% macro kept_while_alike() -%}
{{ config(
    materialized='incremental' if target.type == 'duckdb' else 'table',
    incremental_strategy='delete+insert',
    unique_key='key_hash',
    post_hook="delete from {{ this }} where digest is null" if target.type == 'duckdb' else [],
) }}
{%- endmacro %}

{#
    The rows to write of such a model; one of nothing but `key_hash` for each that is no more. Rows
    meet by their digests, which are numbers: those that meet are alike.
#}
{% macro changed_rows(told) -%}
{%- set digested = "select " ~ told ~ ".*, " ~ row_digest(told) ~ " as digest, "
    ~ key_hash('profile_key') ~ " as key_hash from " ~ told -%}
{%- if is_incremental() -%}
, unmet as (
    select digested.*, kept.key_hash as kept_hash
    from ({{ digested }}) as digested
    full outer join {{ this }} as kept on digested.digest = kept.digest
    where digested.digest is null or kept.digest is null
)

select * exclude (kept_hash) replace (coalesce(key_hash, kept_hash) as key_hash)
from unmet
where digest is not null
    or kept_hash not in (select key_hash from unmet where key_hash is not null)
{%- else -%}
{{ digested }}
{%- endif -%}
{%- endmacro %}

{# The statement that takes away what a kept model is about to add again. #}
{% macro forget(touched, columns, key, also) -%}
{%- if execute and is_incremental() -%}
delete from {{ this }}
    {%- if is_part_run() %} where {% if also != 'false' %}{{ also }} or {% endif %}
        {%- for column in columns %}
            {{ column }} in (select {{ key }} from {{ ref(touched) }}) {{- ' and' if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{%- endif -%}
{%- endmacro %}

{# A condition, in a run that does a part of a kept model alone. #}
{% macro only_if_touched(column, touched) -%}
{%- set listed = ref(touched) -%}
{%- if is_part_run() and is_incremental() -%}
and {{ column }} in (select key_hash from {{ listed }})
{%- endif -%}
{%- endmacro %}

{# The identifiers of whoever `identity_beside` lists, in a run that does a part; else all. #}
{% macro identifiers_beside() -%}
{%- set all, few = ref('identity_identifier'), ref('identity_beside_value') -%}
{{ few if is_part_run() and is_incremental() else all }}
{%- endmacro %}

{# A table as the last run left it, before this one touches it; none on the first, or on Spark. #}
{% macro left_by_last_run(name) -%}
{%- if not execute or target.type != 'duckdb' -%}
    {{ return(none) }}
{%- endif -%}
{{ return(adapter.get_relation(this.database, this.schema, name)) }}
{%- endmacro %}

{# Whether the ids that the last run left are those that were published. #}
{% macro has_published_ids(seen) -%}
{%- set found = run_query(
    "select count(*) from " ~ seen ~ " as seen inner join "
    ~ source('control', 'identity_published') ~ " as published on seen.name = published.run "
    ~ "where seen.kind = 'run'"
) -%}
{{ return(found.columns[0].values()[0] > 0) }}
{%- endmacro %}

{#
    A number to look for a text by in a large table, in a fraction of the time: texts of one number
    are alike, as rows of one digest are.
#}
{% macro key_hash(text) -%}
{{ adapter.dispatch('key_hash', 'rapport')(text) }}
{%- endmacro %}

{% macro default__key_hash(text) -%}
hash({{ text }})
{%- endmacro %}

{# One that models in Python find, too, on their side (`rapport.spark`). #}
{% macro spark__key_hash(text) -%}
cast(conv(substr(md5({{ text }}), 1, 15), 16, 10) as bigint)
{%- endmacro %}

{# The same of a value that somebody is known by, whatever its type. #}
{% macro value_hash(row) -%}
{{ key_hash(row ~ ".entity || ':' || " ~ row ~ ".value") }}
{%- endmacro %}

{# A number that differs between rows that differ. #}
{% macro row_digest(row) -%}
{{ adapter.dispatch('row_digest', 'rapport')(row) }}
{%- endmacro %}

{% macro default__row_digest(row) -%}
hash({{ row }})
{%- endmacro %}

{% macro spark__row_digest(row) -%}
xxhash64(struct({{ row }}.*))
{%- endmacro %}

{# The same of a group of rows, in whatever order they come. #}
{% macro rows_digest(digest) -%}
{{ adapter.dispatch('rows_digest', 'rapport')(digest) }}
{%- endmacro %}

{% macro default__rows_digest(digest) -%}
hash(sum({{ digest }}))
{%- endmacro %}

{% macro spark__rows_digest(digest) -%}
xxhash64(sum(cast({{ digest }} as decimal(20, 0))))
{%- endmacro %}

{# Taken away when a run begins to change what is kept; `identity_seen` sets it again. #}
{% macro take_mark() -%}
{%- set seen = left_by_last_run('identity_seen') -%}
{%- if seen -%}
delete from {{ seen }} where kind = 'all'
{%- endif -%}
{%- endmacro %}

{# Whether a value of the book lets profiles meet, or is one's own. #}
{% macro can_join(book) -%}
({{ book }}.flag in ('ok', 'reissued') or {{ book }}.n_profiles <= {{ most_profiles_of_a_flagged_value() }})
{%- endmacro %}

{# Pairs of a flagged value are listed only where few share it. #}
{% macro most_profiles_of_a_flagged_value() -%}
6
{%- endmacro %}

{# The numbers of organizations, of all or of those in a list: they reach whoever is there. #}
{% macro switchboards(only=none) -%}
select phones.e164 as value
    from (
        select profile_key, phone from {{ ref('identity_profile') }} where entity = 'organization'
        union
        select profile_key, further_phone
        from {{ ref('identity_profile') }}
        where entity = 'organization'
    ) as numbers
    inner join {{ ref('identity_phone') }} as phones on numbers.phone = phones.phone
    where phones.e164 is not null
        {%- if only %}
        and numbers.profile_key in (select profile_key from {{ ref(only) }})
        {%- endif %}
    group by phones.e164
{%- endmacro %}
