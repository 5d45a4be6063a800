{#
    Which organization an act counts for, where its source names none: that of the person at the
    time of the act.

    One row per act of a person who was a member anywhere: columns `key`, `organization_id`.
    `relation` has one row per `key`, with the columns `person` and `occurred_at`.
#}
{% macro organization_at(relation, key, person) %}
    with acts as {{ computed_once() }} (
        select {{ key }}, {{ person }}, occurred_at from {{ relation }}
    )

    select
        acts.{{ key }},
        stays.organization_id
    from acts
    -- at most one: primary stays of a person do not overlap
    inner join (
        select
            person_id,
            organization_id,
            -- before the first stay that is known nothing says that it was another organization
            case
                when row_number() over (
                    partition by person_id order by valid_from, organization_id
                ) = 1
                    then cast('1900-01-01' as {{ type_moment() }})
                else valid_from
            end as valid_from,
            valid_to
        from {{ ref('bridge_person_organization') }}
        where is_primary
    ) as stays
        on acts.{{ person }} = stays.person_id
        and acts.occurred_at >= stays.valid_from
        and (stays.valid_to is null or acts.occurred_at < stays.valid_to)
{% endmacro %}



{#
    What people did by the word of an import: each act that is there, with its person and
    organization; where it names none, that of the person at the time of the act.
#}
{% macro mapped_acts(stream, id) %}
    with told as (
        select
            _source || ':' || _stream || ':' || _key as {{ id }},
            {{ stream }}.*
        from {{ current(ref('stg_mapped__' ~ stream)) }} as {{ stream }}
        where not _is_deleted and occurred_at is not null
    ),

    placed as (
        {{ with_parties('told', id) }}
    )

    select * from placed
{% endmacro %}


{#
    Rows with the columns `id`, `person_key`, `organization_key` and `occurred_at`, and beside them
    `person_id` and `organization_id`: that of the organization that is named, else of the person's
    at that time.
#}
{% macro with_parties(relation, id) %}
    with resolved as (
        select
            {{ relation }}.*,
            people.person_id
        from {{ relation }}
        left join {{ ref('identity_person_map') }} as people
            on {{ relation }}.person_key = people.profile_key
    ),

    of_people as (
        select * from resolved
        where person_id is not null
    ),

    memberships as (
        {{ organization_at('of_people', id, 'person_id') }}
    )

    select
        resolved.*,
        coalesce(organizations.organization_id, memberships.organization_id) as organization_id
    from resolved
    left join {{ ref('identity_organization_map') }} as organizations
        on resolved.organization_key = organizations.reference_key
    left join memberships on resolved.{{ id }} = memberships.{{ id }}
{% endmacro %}

{# Makes a CTE be computed once: DuckDB would fold it into the join it feeds, and pair every act with
   every stay before it looks whose they are (2.5 GB for 7,000 acts). #}
{% macro computed_once() -%}
{{ adapter.dispatch('computed_once', 'rapport')() }}
{%- endmacro %}

{% macro default__computed_once() -%}
materialized
{%- endmacro %}

{% macro spark__computed_once() -%}
{%- endmacro %}
