{{ kept_but('identity_touched_value', ['value_hash'], 'value_hash') }}
{% set touched = ref('identity_touched_value') %}
{% set surnames_per_mailbox = 4 %}
{% set surnames_per_phone = 3 %}
{# more profiles than a person may have #}
{% set profiles_per_value = 12 %}
{# two who are strangers to each other on one mailbox; of more it is shared #}
{% set names_per_reissued = 3 %}

with identifiers as (
    select identifiers.*
    from {{ ref('identity_identifier') }} as identifiers
    {% if is_part_run() and is_incremental() -%}
    where identifiers.value_hash in (select value_hash from {{ touched }})
    {%- endif %}
),

names as (
    select key_hash, {{ key_hash('family') }} as family_hash from {{ ref('identity_name') }}
),

held as (
    select
        identifiers.value_hash,
        identifiers.id_type,
        identifiers.entity,
        identifiers.value,
        identifiers.key_hash,
        profiles.source,
        profiles.merged_into is null as is_record,
        profiles.is_single_account,
        names.family_hash
    from identifiers
    inner join {{ ref('identity_profile') }} as profiles
        on identifiers.key_hash = profiles.key_hash
    left join names on identifiers.key_hash = names.key_hash
),

mailbox_words as (
    select * from {{ ref('mailbox_word') }}
),

switchboards as (
    {{ switchboards() }}
),

met as (
    select
        id_type,
        value_hash,
        min(entity) as entity,
        min(value) as value,
        count(*) as n_profiles,
        count(case when is_record then 1 end) as n_records,
        count(case when is_single_account then 1 end) as n_accounts,
        min(source) as first_source,
        max(source) as last_source,
        min(family_hash) as first_family,
        max(family_hash) as last_family
    from held
    group by id_type, value_hash
),

-- How many differ among two is told by the first and the last.
crowds as (
    select id_type, value_hash
    from met
    where n_profiles > 2 and (first_source <> last_source or first_family <> last_family)
),

differing as (
    select
        held.id_type,
        held.value_hash,
        count(distinct held.source) as n_sources,
        count(distinct held.family_hash) as n_surnames
    from held
    inner join crowds on held.value_hash = crowds.value_hash and held.id_type = crowds.id_type
    group by held.id_type, held.value_hash
),

counted as (
    select
        met.entity,
        met.id_type,
        met.value,
        met.value_hash,
        met.n_profiles,
        met.n_records,
        met.n_accounts,
        coalesce(
            differing.n_sources, case when met.first_source <> met.last_source then 2 else 1 end
        ) as n_sources,
        coalesce(
            differing.n_surnames,
            case
                when met.first_family <> met.last_family then 2
                when met.first_family is null then 0
                else 1
            end
        ) as n_surnames
    from met
    left join differing
        on met.value_hash = differing.value_hash and met.id_type = differing.id_type
),

-- a crowd is flagged as such, and comparing all of it with all of it costs most
named as (
    select
        held.value_hash,
        names.given_word,
        names.family_word,
        ' ' || names.given || ' ' || names.family || ' ' || names.name_key || ' ' as words
    from counted
    inner join held on counted.value_hash = held.value_hash and counted.id_type = held.id_type
    inner join {{ ref('identity_name') }} as names on held.key_hash = names.key_hash
    where counted.id_type = 'email'
        and counted.n_surnames between 2 and {{ names_per_reissued }}
        and counted.n_records <= {{ profiles_per_value }}
        and names.name_key is not null
        and names.family_word is not null
    group by
        held.value_hash, names.given_word, names.family_word, names.given, names.family,
        names.name_key
),

-- Mailboxes of two people who share no part of their names: it was given to somebody new.
reissued as (
    select one.value_hash
    from named as one
    inner join named as other
        on one.value_hash = other.value_hash
        and one.words < other.words
    where other.words not like '% ' || one.given_word || ' %'
        and other.words not like '% ' || one.family_word || ' %'
        and one.words not like '% ' || other.given_word || ' %'
        and one.words not like '% ' || other.family_word || ' %'
        and levenshtein(one.family_word, other.family_word) > 2
    group by one.value_hash
),

-- What people say of a value: of the value itself before all like it, the nearest first.
told as (
    select *
    from (
        select
            counted.id_type,
            counted.value_hash,
            flags.flag,
            flags.reason,
            row_number() over (
                partition by counted.id_type, counted.value_hash
                order by
                    flags.value is null,
                    length(flags.beginning || flags.ending) desc,
                    flags.line
            ) as rank
        from counted
        inner join {{ source('control', 'identity_identifier_flag') }} as flags
            on {{ is_flagged('counted', 'flags') }}
    ) as nearest
    where rank = 1
),

flagged as (
    select
        counted.*,
        told.reason as told_reason,
        case
            when told.flag is not null then told.flag
            when counted.id_type in ('email', 'past_email')
                and split_part(counted.value, '@', 1) in (
                    select word from mailbox_words where usage = 'local_part' and flag = 'role'
                )
                then 'role'
            when counted.id_type in ('email', 'past_email')
                and split_part(counted.value, '@', 1) in (
                    select word from mailbox_words
                    where usage = 'local_part' and flag = 'placeholder'
                )
                then 'placeholder'
            when counted.id_type in ('email', 'past_email')
                and split_part(counted.value, '@', 2)
                in (select word from mailbox_words where usage = 'domain')
                then 'placeholder'
            -- one digit over and over after the country's
            when counted.id_type = 'phone'
                and '' = replace(
                    substr(counted.value, 4), substr(counted.value, length(counted.value)), ''
                )
                then 'placeholder'
            when counted.id_type in ('email', 'past_email')
                and counted.n_surnames >= {{ surnames_per_mailbox }}
                then 'shared'
            when counted.id_type = 'phone' and counted.n_surnames >= {{ surnames_per_phone }}
                then 'shared'
            when counted.id_type = 'phone'
                and counted.value in (select value from switchboards)
                then 'switchboard'
            when counted.id_type in ('email', 'past_email', 'phone')
                and counted.n_records > {{ profiles_per_value }}
                then 'crowded'
            when counted.id_type = 'email'
                and counted.value_hash in (select value_hash from reissued)
                then 'reissued'
            when counted.id_type = 'external_id' and counted.n_accounts > 1 then 'shared'
            when counted.id_type = 'domain'
                and counted.value in (select domain from {{ ref('free_mail_domain') }})
                then 'common'
            when counted.id_type in ('domain', 'people_domain', 'name')
                and counted.n_profiles > counted.n_sources
                then 'shared'
            else 'ok'
        end as flag
    from counted
    left join told on counted.value_hash = told.value_hash and counted.id_type = told.id_type
)

select
    entity,
    id_type,
    value,
    n_profiles,
    n_sources,
    n_surnames,
    case when flag in ('crowded', 'switchboard') then 'shared' else flag end as flag,
    case
        when flag = 'ok' then null
        when told_reason is not null then 'people say: ' || told_reason
        when flag = 'role' then 'a mailbox of a task, not of a person'
        when flag = 'placeholder' then 'written where no value was known'
        when flag = 'switchboard' then 'the number of an organization'
        when flag = 'crowded' then 'used by ' || n_records || ' profiles'
        when flag = 'reissued' then 'a mailbox on which people of different names were seen'
        when flag = 'common' then 'a provider that anybody can use'
        when flag = 'shared' then 'used by ' || case
            when id_type = 'external_id' then 'several accounts of one place'
            when id_type in ('domain', 'people_domain', 'name')
                then 'several organizations of one source'
            else n_surnames || ' surnames'
        end
        else null
    end as reason,
    value_hash
from flagged
