{{ config(**snapshot_table()) }}

{#- Unified field -> how it came to be known, and what it is held for. -#}
{%- set purposes = {
    'display_name': ('told', 'to call people by their name'),
    'email': ('told', 'to write to people, and to know them again in another source'),
    'phone': ('told', 'to know people again in another source'),
    'external_id': ('observed', 'to know people again in another source'),
    'owner': ('observed', 'to tell whoever looks after them'),
    'organization': ('told', 'to see who belongs to which organization'),
} %}

with

snapshots as (

    {{ snapshots() }}

),

run as (

    select * from {{ source('control', 'run') }}

),

streams as (

    select * from {{ source('control', 'streams') }}

),

-- A deleted profile is no longer held; what a trust row says is about what is.
profiles as (

    select
        *,
        {{ utc_day('coalesce(created_at, first_seen_at)') }} as since_day,
        lower(trim(display_name)) as plain_name,
        nullif(lower(split_part(email, '@', 2)), '') as email_domain,
        lower(trim(coalesce(organization_key, organization_name))) as employer
    from {{ ref('dim_profile') }}
    where not coalesce(is_deleted, false)

),

people as (

    select
        person_id,
        count(*) as profiles,
        count(distinct silo) as silos,
        count(distinct plain_name) > 1 as names_differ,
        count(distinct email_domain) > 1 as email_domains_differ,
        count(distinct employer_id) > 1 as employers_differ
    from (
        select
            profiles.*,
            employers.organization_id as employer_id
        from profiles
        left join profiles as employers on profiles.organization_key = employers.profile_key
        where profiles.entity = 'person' and profiles.person_id is not null
    ) as person_profiles
    group by person_id

),

checked as (

    select
        profiles.*,
        profiles.entity = 'person' and people.profiles > 1 as is_comparable,
        profiles.entity = 'person'
        and not coalesce(profiles.is_staff, false)
        and not coalesce(profiles.is_bot, false) as is_outsider,
        profiles.entity = 'person' and people.silos > 1 as is_linked,
        coalesce(people.names_differ, false) as names_differ,
        coalesce(people.email_domains_differ, false) as email_domains_differ,
        coalesce(people.employers_differ, false) as employers_differ
    from profiles
    left join people on profiles.person_id = people.person_id

),

-- Streams of organizations whose source shows none of the people there.
nameless as (

    select
        source,
        stream
    from (
        select
            source,
            stream,
            bool_or(entity = 'organization') as names_organizations,
            bool_or(bool_or(entity = 'person' and not is_staff and not is_bot))
                over (partition by source) as names_people
        from profiles
        group by source, stream
    ) as streams_of_profiles
    where names_organizations and not coalesce(names_people, false)

),

-- Profiles of which an answer about consent was given by then and had not lapsed.
answered as (

    select distinct
        snapshots.as_of,
        snapshots.basis,
        consents.profile_key
    from snapshots
    inner join {{ ref('fct_consent') }} as consents
        on
            {{ utc_day('consents.occurred_at') }} <= snapshots.as_of
            and (
                consents.valid_until is null
                or {{ utc_day('consents.valid_until') }} > snapshots.as_of
            )

),

counted as (

    select
        snapshots.as_of,
        snapshots.basis,
        checked.source,
        checked.stream,
        count(*) as profiles,
        count(*) filter (where checked.entity = 'person') as person_profiles,
        count(*) filter (where checked.is_outsider) as outsiders,
        count(answered.profile_key) filter (where checked.is_outsider) as outsiders_answered,
        count(*) filter (where checked.is_linked) as linked,
        count(*) filter (where checked.is_comparable) as comparable,
        count(checked.plain_name) as filled_display_name,
        count(checked.email) as filled_email,
        count(checked.phone) as filled_phone,
        count(checked.external_id) as filled_external_id,
        count(checked.owner_profile_key) as filled_owner,
        count(checked.employer) as filled_organization,
        count(*) filter (where checked.is_comparable and checked.names_differ)
            as contradicting_display_name,
        count(*) filter (where checked.is_comparable and checked.email_domains_differ)
            as contradicting_email,
        count(*) filter (where checked.is_comparable and checked.employers_differ)
            as contradicting_organization,
        count(*) filter (
            where
                checked.is_comparable
                and (
                    checked.names_differ
                    or checked.email_domains_differ
                    or checked.employers_differ
                )
        ) as contradicting_any
    from snapshots
    inner join checked on checked.since_day is null or checked.since_day <= snapshots.as_of
    left join answered
        on
            snapshots.as_of = answered.as_of
            and snapshots.basis = answered.basis
            and checked.profile_key = answered.profile_key
    group by snapshots.as_of, snapshots.basis, checked.source, checked.stream

),

fields as (

    {%- for field in [
        'display_name', 'email', 'phone', 'external_id', 'owner', 'organization'
    ] %}
    select
        as_of,
        basis,
        source,
        stream,
        '{{ field }}' as field,
        profiles,
        person_profiles,
        cast(null as bigint) as outsiders,
        cast(null as bigint) as outsiders_answered,
        linked,
        comparable,
        filled_{{ field }} as filled,
        {% if field in ['display_name', 'email', 'organization'] -%}
        contradicting_{{ field }}
        {%- else -%}
        cast(null as bigint)
        {%- endif %} as contradicting
    from counted
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

whole_streams as (

    select
        snapshots.as_of,
        snapshots.basis,
        streams.source,
        streams.stream,
        '*' as field,
        counted.profiles,
        counted.person_profiles,
        counted.outsiders,
        counted.outsiders_answered,
        counted.linked,
        counted.comparable,
        cast(null as bigint) as filled,
        counted.contradicting_any as contradicting
    from snapshots
    cross join streams
    left join counted
        on
            snapshots.as_of = counted.as_of
            and snapshots.basis = counted.basis
            and streams.source = counted.source
            and streams.stream = counted.stream

),

-- Whom of the people active in a forum another source knows, too; the source * is any of them.
forum_people as (

    select distinct
        snapshots.as_of,
        snapshots.basis,
        activity.person_id
    from snapshots
    inner join {{ ref('rel_activity_daily') }} as activity
        on
            activity.day > {{ days_after('snapshots.as_of', -90) }}
            and activity.day <= snapshots.as_of
    where
        activity.silo = 'forum'
        and activity.role = 'actor'
        and activity.person_id is not null
        and not activity.is_staff
        and not activity.is_bot

),

known_people as (

    select
        source,
        person_id,
        min(coalesce(since_day, date '1900-01-01')) as since_day
    from (
        select source, person_id, since_day, entity, silo from profiles
        union all
        select '*' as source, person_id, since_day, entity, silo from profiles
    ) as profiles_and_any
    where entity = 'person' and person_id is not null and silo <> 'forum'
    group by source, person_id

),

knowing_sources as (

    select
        source,
        min(since_day) as since_day
    from known_people
    group by source

),

known_elsewhere as (

    select
        forum_people.as_of,
        forum_people.basis,
        knowing_sources.source,
        count(*) as forum_people,
        count(known_people.person_id) as known_forum_people
    from forum_people
    inner join knowing_sources on knowing_sources.since_day <= forum_people.as_of
    left join known_people
        on
            knowing_sources.source = known_people.source
            and forum_people.person_id = known_people.person_id
            and known_people.since_day <= forum_people.as_of
    group by forum_people.as_of, forum_people.basis, knowing_sources.source

),

---------- fields that rapport.yml adds, and what reads them

readers as (

    select
        source,
        stream,
        field,
        'for ' || replace(meaning, '_', ' ') as purpose
    from {{ source('control', 'column_meanings') }}
    union
    select
        custom_fields.source,
        custom_fields.stream,
        custom_fields.field,
        'for the segment ' || rules.segment_type as purpose
    from {{ source('control', 'custom_fields') }} as custom_fields
    inner join {{ source('control', 'segment_rules') }} as rules
        on custom_fields.field = rules.field and rules.origin = 'custom'
    where custom_fields.pii = 'none'
    union
    select
        custom_fields.source,
        custom_fields.stream,
        custom_fields.field,
        'for the tiers of ' || measures.programme as purpose
    from {{ source('control', 'custom_fields') }} as custom_fields
    inner join {{ source('control', 'tier_measures') }} as measures
        on custom_fields.field = measures.field and measures.origin = 'custom'
    where custom_fields.pii = 'none'

),

added_fields as (

    select
        custom_fields.source,
        custom_fields.stream,
        custom_fields.field,
        -- how far a relationship shall go is the word of whoever looks after it
        case
            when max(case when readers.purpose = 'for bond stage' then 1 else 0 end) = 1
                then 'observed'
            else 'told'
        end as obtained,
        replace({{ sorted_list('readers.purpose') }}, ',', ', ') as purpose
    from {{ source('control', 'custom_fields') }} as custom_fields
    left join readers
        on
            custom_fields.source = readers.source
            and custom_fields.stream = readers.stream
            and custom_fields.field = readers.field
    where custom_fields.field not in ('{{ purposes | join("', '") }}')
    group by custom_fields.source, custom_fields.stream, custom_fields.field

),

measured as (

    select *, cast(null as bigint) as forum_people, cast(null as bigint) as known_forum_people
    from whole_streams
    union all
    select *, null, null from fields
    union all
    select
        as_of, basis, source, '*', '*', null, null, null, null, null, null, null, null,
        forum_people, known_forum_people
    from known_elsewhere
    union all
    select
        snapshots.as_of, snapshots.basis, added_fields.source, added_fields.stream,
        added_fields.field, null, null, null, null, null, null, null, null, null, null
    from snapshots
    cross join added_fields

),

final as (

    select
        ---------- grain
        measured.as_of,
        measured.basis,
        measured.source,
        measured.stream,
        measured.field,

        ---------- what was read; how it stood on a date before this build's is not known any more
        {%- for column, name in [
            ('rows', 'rows_held'), ('deletes', 'deletes'), ('quarantined', 'quarantined'),
            ('late', 'late'), ('source_count', 'source_count'), ('held_count', 'held_count'),
        ] %}
        cast(
            case
                when measured.field = '*' and measured.as_of = run.as_of then streams.{{ column }}
            end as bigint
        ) as {{ name }},
        {%- endfor %}
        cast(
            case
                when measured.field = '*' and measured.as_of = run.as_of
                    then streams.source_count - streams.held_count
            end as bigint
        ) as missing,
        case
            when measured.field = '*' and measured.as_of = run.as_of
                then cast(
                    {{ seconds_between('streams.last_sync_at', 'run.known_at') }} as double
                ) / 3600
        end as freshness_hours,
        case
            when measured.field = '*' and measured.as_of = run.as_of then streams.finished
        end as is_finished,
        case measured.field
            {%- for field, (obtained, _) in purposes.items() %}
            when '{{ field }}' then '{{ obtained }}'
            {%- endfor %}
            else added_fields.obtained
        end as obtained,
        case measured.field
            {%- for field, (_, purpose) in purposes.items() %}
            when '{{ field }}' then '{{ purpose }}'
            {%- endfor %}
            else added_fields.purpose
        end as purpose,
        case
            when added_fields.field is not null then added_fields.purpose is not null
            when measured.field <> '*' then true
        end as is_used,
        nullif(
            concat_ws(
                '; ',
                streams.coverage,
                case
                    when nameless.stream is not null
                        then 'names organizations, and nobody of theirs'
                end
            ),
            ''
        ) as coverage_text,

        ---------- profiles
        cast(measured.profiles as bigint) as profiles,
        {{ share('measured.filled', 'measured.profiles') }} as filled_share,
        {{ share('measured.linked', 'measured.person_profiles') }} as linked_share,
        {{ share('measured.contradicting', 'measured.comparable') }} as contradiction_share,
        -- a stream of which nobody ever told an answer does not ask for any
        case
            when measured.outsiders_answered > 0
                then {{ share('measured.outsiders - measured.outsiders_answered', 'measured.outsiders') }}
        end as consent_unknown_share,
        cast(measured.forum_people as bigint) as active_forum_people,
        {{ share('measured.known_forum_people', 'measured.forum_people') }}
            as active_forum_people_share,

        ---------- provenance
        cast(measured.comparable as bigint) as n,
        case
            when measured.as_of = run.as_of and streams.source_count > 0
                then least(
                    cast(streams.held_count as double) / cast(streams.source_count as double), 1
                )
        end as coverage,
        run.known_at,
        {{ metric_version() }} as metric_version
    from measured
    cross join run
    left join streams
        on measured.source = streams.source and measured.stream = streams.stream
    left join added_fields
        on
            measured.source = added_fields.source
            and measured.stream = added_fields.stream
            and measured.field = added_fields.field
    left join nameless
        on measured.source = nameless.source and measured.stream = nameless.stream

)

select * from final
