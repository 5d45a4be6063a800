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

profiles as (
    select
        profiles.*,
        names.family,
        names.given_word,
        names.family_word,
        ' ' || names.given || ' ' || names.family || ' ' || names.name_key || ' ' as words
    from {{ ref('identity_profile') }} as profiles
    left join {{ ref('identity_name') }} as names on profiles.key_hash = names.key_hash
    where profiles.key_hash in (select key_hash from identifiers)
),

mailbox_words as (
    select * from {{ ref('mailbox_word') }}
),

free_mail_domains as (
    select * from {{ ref('free_mail_domain') }}
),

switchboards as (
    {{ switchboards() }}
),

counted as (
    select
        identifiers.entity,
        identifiers.id_type,
        identifiers.value,
        count(*) as n_profiles,
        count(distinct profiles.source) as n_sources,
        count(distinct profiles.family) as n_surnames,
        count(case when profiles.merged_into is null then 1 end) as n_records,
        count(distinct case when profiles.is_single_account then profiles.profile_key end)
            as n_accounts
    from identifiers
    inner join profiles on identifiers.profile_key = profiles.profile_key
    group by identifiers.entity, identifiers.id_type, identifiers.value
),

named as (
    select identifiers.value, profiles.given_word, profiles.family_word, profiles.words
    from identifiers
    inner join counted
        on identifiers.entity = counted.entity
        and identifiers.id_type = counted.id_type
        and identifiers.value = counted.value
    inner join profiles on identifiers.profile_key = profiles.profile_key
    where identifiers.id_type = 'email'
        and counted.n_surnames between 2 and {{ names_per_reissued }}
        -- a crowd is flagged as such, and comparing all of it with all of it costs most
        and counted.n_records <= {{ profiles_per_value }}
        and profiles.words is not null
        and profiles.family_word is not null
    group by identifiers.value, profiles.given_word, profiles.family_word, profiles.words
),

-- Mailboxes of two people who share no part of their names: it was given to somebody new.
reissued as (
    select one.value
    from named as one
    inner join named as other
        on one.value = other.value
        and one.words < other.words
    where other.words not like '% ' || one.given_word || ' %'
        and other.words not like '% ' || one.family_word || ' %'
        and one.words not like '% ' || other.given_word || ' %'
        and one.words not like '% ' || other.family_word || ' %'
        and levenshtein(one.family_word, other.family_word) > 2
    group by one.value
),

-- What people say of a value: of the value itself before all like it, the nearest first.
told as (
    select *
    from (
        select
            counted.entity,
            counted.id_type,
            counted.value,
            flags.flag,
            flags.reason,
            row_number() over (
                partition by counted.entity, counted.id_type, counted.value
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
            when mailbox_words.flag is not null then mailbox_words.flag
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
            when switchboards.value is not null then 'switchboard'
            when counted.id_type in ('email', 'past_email', 'phone')
                and counted.n_records > {{ profiles_per_value }}
                then 'crowded'
            when reissued.value is not null then 'reissued'
            when counted.id_type = 'external_id' and counted.n_accounts > 1 then 'shared'
            when counted.id_type = 'domain' and free_mail_domains.domain is not null then 'common'
            when counted.id_type in ('domain', 'people_domain', 'name')
                and counted.n_profiles > counted.n_sources
                then 'shared'
            else 'ok'
        end as flag
    from counted
    left join mailbox_words
        on counted.id_type in ('email', 'past_email')
        and mailbox_words.usage = 'local_part'
        and split_part(counted.value, '@', 1) = mailbox_words.word
    left join free_mail_domains on counted.value = free_mail_domains.domain
    left join switchboards
        on counted.id_type = 'phone' and counted.value = switchboards.value
    left join reissued on counted.id_type = 'email' and counted.value = reissued.value
    left join told
        on counted.entity = told.entity
        and counted.id_type = told.id_type
        and counted.value = told.value
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
    {{ value_hash('flagged') }} as value_hash
from flagged
