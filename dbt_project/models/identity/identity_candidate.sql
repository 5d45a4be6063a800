{#
    Blocked on one value at a time, never a cross join. Pairs of a flagged value are listed only
    where few share it: the book tells about the others.

    A part of a run looks at whole groups again (`beside`), and keeps of them the pairs of which
    both are touched: no other can have changed.
#}
{{ kept_but('identity_touched', ['left_hash', 'right_hash']) }}
{# of one name in one place #}
{% set most_profiles_of_a_name = 12 %}
{# of one name on a number that strangers share: more are namesakes #}
{% set most_profiles_of_a_name_in_a_crowd = 3 %}

with profiles as (
    select *
    from {{ ref('identity_profile') }}
    where true {{ only_if_touched('key_hash', 'identity_beside') }}
),

full_names as (
    select profile_key, key_hash, name_hash
    from {{ ref('identity_name') }}
    where name_hash is not null {{ only_if_touched('key_hash', 'identity_beside') }}
),

-- What one profile alone has makes no pair.
met_values as (
    select value_hash from {{ identifiers_beside() }} group by value_hash having count(*) > 1
),

identifiers as (
    select
        held.*,
        book.flag,
        book.reason,
        book.n_profiles,
        profiles.source,
        profiles.stream,
        profiles.organization_key,
        profiles.is_address_only,
        profiles.is_single_account,
        coalesce(profiles.created_at, profiles.first_seen_at) as since,
        full_names.name_hash
    from {{ identifiers_beside() }} as held
    inner join {{ ref('identity_identifier_book') }} as book
        on held.value_hash = book.value_hash
        and held.id_type = book.id_type
    inner join profiles on held.key_hash = profiles.key_hash
    left join full_names on held.key_hash = full_names.key_hash
    where held.value_hash in (select value_hash from met_values)
        and (book.flag = 'ok' or book.n_profiles <= {{ most_profiles_of_a_flagged_value() }})
),

-- Own mailboxes of people with a full name, one row per profile and mailbox.
own_mailboxes as (
    select
        held.profile_key,
        held.value,
        held.value_hash,
        split_part(held.value, '@', 1) as local_part,
        split_part(held.value, '@', 2) as domain,
        split_part(held.value, '@', 2) in (select domain from {{ ref('free_mail_domain') }})
            as is_free_mail,
        full_names.name_hash
    from {{ identifiers_beside() }} as held
    inner join {{ ref('identity_identifier_book') }} as book
        on held.value_hash = book.value_hash
        and held.id_type = book.id_type
    inner join full_names on held.key_hash = full_names.key_hash
    where held.id_type = 'email' and book.flag = 'ok'
),

-- Several mailboxes of one name at one provider.
mailboxes_of_a_provider as (
    select *, count(*) over (partition by name_hash, domain, signs) as n_profiles
    from (
        select
            own_mailboxes.*,
            translate(own_mailboxes.local_part, 'abcdefghijklmnopqrstuvwxyz', '') as signs
        from own_mailboxes
        inner join (
            select name_hash, domain
            from own_mailboxes
            where is_free_mail
            group by name_hash, domain
            having min(value_hash) <> max(value_hash)
        ) as several
            on own_mailboxes.name_hash = several.name_hash
            and own_mailboxes.domain = several.domain
    ) as written
),

-- Local parts that one name has at a provider and elsewhere.
spread_local_parts as (
    select name_hash, local_part
    from own_mailboxes
    group by name_hash, local_part
    having count(*) <= {{ most_profiles_of_a_name }} and bool_or(is_free_mail)
        and not bool_and(is_free_mail)
),

named_places as (
    select
        workplaces.profile_key,
        workplaces.key_hash,
        workplaces.place_type,
        workplaces.place,
        workplaces.is_shared,
        full_names.name_hash
    from {{ ref('identity_workplace') }} as workplaces
    inner join full_names on workplaces.key_hash = full_names.key_hash
),

-- Where two or some of a name are.
places as (
    select named_places.*
    from named_places
    inner join (
        select place_type, place, name_hash
        from named_places
        group by place_type, place, name_hash
        having count(*) between 2 and {{ most_profiles_of_a_name }}
    ) as few
        on named_places.place_type = few.place_type
        and named_places.place = few.place
        and named_places.name_hash = few.name_hash
),

-- Whoever shows where they are is not at another organization of the same name.
placed as (
    select key_hash
    from {{ ref('identity_workplace') }}
    where place_type = 'domain' and not is_shared
        {{ only_if_touched('key_hash', 'identity_beside') }}
    group by key_hash
),

-- By a name that several organizations bear.
shared_places as (
    select
        places.*,
        profiles.source || ':' || profiles.stream as list,
        placed.key_hash is not null as is_placed
    from places
    inner join profiles on places.key_hash = profiles.key_hash
    left join placed on places.key_hash = placed.key_hash
    where places.place in (select place from places where is_shared)
),

-- Numbers that too many have to list their pairs, of people with a full name.
crowded_numbers as (
    select
        held.profile_key,
        held.value,
        profiles.source || ':' || profiles.stream as list,
        full_names.name_hash,
        count(*) over (partition by held.value, full_names.name_hash) as n_profiles
    from {{ identifiers_beside() }} as held
    inner join {{ ref('identity_identifier_book') }} as book
        on held.value_hash = book.value_hash
        and held.id_type = book.id_type
    inner join full_names on held.key_hash = full_names.key_hash
    inner join profiles on held.key_hash = profiles.key_hash
    where held.id_type = 'phone' and book.flag = 'shared' and not ({{ can_join('book') }})
),

-- The numbers of organizations, by how people's records refer to them: of all there are.
organization_numbers as (
    select numbers.organization_key, phones.e164 as value
    from (
        select reference_key as organization_key, phone
        from {{ ref('identity_profile') }}
        where entity = 'organization'
        union all
        select reference_key, further_phone
        from {{ ref('identity_profile') }}
        where entity = 'organization'
    ) as numbers
    inner join {{ ref('identity_phone') }} as phones on numbers.phone = phones.phone
    where phones.e164 is not null
    group by numbers.organization_key, phones.e164
),

-- What a record told before may have been somebody else's, by mistake; an address that bears the
-- name of the record was not.
past_addresses as (
    select
        identifiers.*,
        coalesce(
            length(names.family_word) > 2
            and position(names.family_word in {{ bare_mailbox('identifiers.value') }}) > 0
            and substr(
                replace({{ bare_mailbox('identifiers.value') }}, names.family_word, ''), 1, 1
            ) in (substr(names.given, 1, 1), substr(names.given_word, 1, 1)),
            false
        ) as bears_name
    from identifiers
    left join {{ ref('identity_name') }} as names on identifiers.key_hash = names.key_hash
    where identifiers.id_type = 'past_email' and not identifiers.is_address_only
),

-- A record that is nothing but an address goes to one holder of it, so that it cannot join two;
-- where nobody else has it any more, to one who had it.
address_holders as (
    select
        identifiers.*,
        first_value(identifiers.profile_key) over by_value as holder_key,
        first_value(identifiers.id_type) over by_value as holder_type
    from identifiers
    left join past_addresses as past
        on identifiers.profile_key = past.profile_key
        and identifiers.id_type = past.id_type
        and identifiers.value = past.value
    where (identifiers.id_type = 'email' or (past.bears_name and past.reason is null))
        and identifiers.value_hash in (select value_hash from identifiers where is_address_only)
    window by_value as (
        partition by identifiers.value
        order by
            identifiers.is_address_only, identifiers.id_type, identifiers.is_verified desc,
            identifiers.since nulls last, identifiers.profile_key
    )
),

-- On somebody else's network only a claim joins.
networks as (
    select source from {{ source('control', 'link_policy') }}
    where not is_own_space
    group by source
),

candidates as (
    select
        'merged_record' as rule_id, profiles.entity, profiles.profile_key as one,
        heirs.profile_key as other,
        cast(null as {{ dbt.type_string() }}) as id_type,
        cast(null as {{ dbt.type_string() }}) as value,
        cast(null as {{ dbt.type_string() }}) as refusal
    from profiles
    inner join profiles as heirs on profiles.merged_into = heirs.profile_key
    where profiles.merged_into is not null

    union all

    select
        'converted_lead', profiles.entity, profiles.profile_key, heirs.profile_key, null, null, null
    from profiles
    inner join profiles as heirs on profiles.converted_into = heirs.profile_key
    where profiles.converted_into is not null

    union all

    select 'claimed_handle', 'person', record_key, handle_key, 'handle', place, refusal
    from {{ ref('identity_claim') }}
    where state in ('in_force', 'revoked', 'expired', 'not_allowed')

    union all

    select
        'single_sign_on', accounts.entity, accounts.profile_key, records.profile_key,
        accounts.id_type, accounts.value, coalesce(accounts.reason, records.reason)
    from identifiers as accounts
    inner join identifiers as records
        on accounts.value = records.value
        and accounts.entity = records.entity
        and accounts.source <> records.source
        and records.id_type in ('record_id', 'external_id')
    where accounts.id_type = 'external_id'
        and accounts.is_single_account
        and not records.is_single_account

    union all

    select
        'named_record', told.entity, told.profile_key, records.profile_key,
        told.id_type, told.value, coalesce(told.reason, records.reason)
    from identifiers as told
    inner join identifiers as records
        on told.value = records.value
        and told.entity = records.entity
        and told.source <> records.source
        and records.id_type = 'record_id'
    where told.id_type = 'external_id'
        and not told.is_single_account
        and not records.is_single_account

    union all

    select
        case
            -- of several people who had it one after the other only a name tells whose it was
            when one.flag = 'reissued' then 'email_and_name'
            when one.is_verified or other.is_verified then 'verified_email'
            when one.name_hash = other.name_hash then 'email_and_name'
            else 'own_mailbox'
        end,
        one.entity, one.profile_key, other.profile_key, one.id_type, one.value,
        case when one.flag <> 'reissued' then one.reason end
    from identifiers as one
    inner join identifiers as other
        on one.value_hash = other.value_hash and one.profile_key < other.profile_key
    where one.id_type = 'email' and other.id_type = 'email'
        and not one.is_address_only and not other.is_address_only

    union all

    select
        case holder_type when 'email' then 'referenced_email' else 'past_own_email' end,
        entity, profile_key, holder_key, id_type, value, reason
    from address_holders
    where is_address_only and profile_key <> holder_key

    union all

    -- a mailbox that was given to somebody new has a reason to refuse
    select
        case
            when past.name_hash = other.name_hash or not past.bears_name
                then 'past_email_and_name'
            else 'past_own_email'
        end,
        past.entity, past.profile_key, other.profile_key, past.id_type, past.value,
        coalesce(past.reason, other.reason)
    from past_addresses as past
    inner join identifiers as other
        on past.value = other.value and other.id_type in ('email', 'past_email')
    where not (past.bears_name and other.is_address_only)

    union all

    select
        case
            when one.flag <> 'shared' then 'phone_and_name'
            when one.source = other.source
                and one.stream = other.stream
                and one.organization_key <> other.organization_key
                and one_number.value is null
                and other_number.value is null
                then 'moved_with_number'
            else 'shared_phone_and_name'
        end,
        one.entity, one.profile_key, other.profile_key, one.id_type, one.value,
        case when one.flag <> 'shared' then one.reason end
    from identifiers as one
    inner join identifiers as other
        on one.value_hash = other.value_hash and one.profile_key < other.profile_key
    left join organization_numbers as one_number
        on one.organization_key = one_number.organization_key and one.value = one_number.value
    left join organization_numbers as other_number
        on other.organization_key = other_number.organization_key
        and other.value = other_number.value
    where one.id_type = 'phone' and other.id_type = 'phone'

    union all

    select
        'crowded_phone_and_name', 'person', one.profile_key, other.profile_key, 'phone', one.value,
        null
    from crowded_numbers as one
    inner join crowded_numbers as other
        on one.value = other.value
        and one.name_hash = other.name_hash
        and one.profile_key < other.profile_key
    -- one list has a person once
    where one.n_profiles <= {{ most_profiles_of_a_name_in_a_crowd }} and one.list <> other.list

    union all

    select
        'place_and_name', 'person', one.profile_key, other.profile_key, one.place_type, one.place,
        null
    from places as one
    inner join places as other
        on one.place_type = other.place_type
        and one.place = other.place
        and one.name_hash = other.name_hash
        and one.profile_key < other.profile_key
    where not one.is_shared and not other.is_shared

    union all

    select
        'shared_place_and_name', 'person', one.profile_key, other.profile_key, one.place_type,
        one.place, null
    from shared_places as one
    inner join shared_places as other
        on one.place_type = other.place_type
        and one.place = other.place
        and one.name_hash = other.name_hash
        and one.profile_key < other.profile_key
    where (one.is_shared or other.is_shared)
        and not (one.is_placed and other.is_placed)
        and one.list <> other.list

    union all

    -- a slip in the mailbox, where its provider has many
    select
        'mistyped_email', 'person', one.profile_key, other.profile_key, 'email', one.value, null
    from mailboxes_of_a_provider as one
    inner join mailboxes_of_a_provider as other
        on one.name_hash = other.name_hash
        and one.domain = other.domain
        and one.signs = other.signs
        and one.profile_key < other.profile_key
        and one.value <> other.value
    where one.n_profiles <= {{ most_profiles_of_a_name }}
        and levenshtein(one.local_part, other.local_part) <= 2

    union all

    -- a slip in the name of the provider
    select
        'mistyped_email', 'person', one.profile_key, other.profile_key, 'email', one.value, null
    from spread_local_parts as spread
    inner join own_mailboxes as one
        on spread.name_hash = one.name_hash and spread.local_part = one.local_part
    inner join own_mailboxes as other
        on spread.name_hash = other.name_hash and spread.local_part = other.local_part
    where one.is_free_mail
        and not other.is_free_mail
        and levenshtein(one.domain, other.domain) <= 2

    union all

    select
        'rare_name', 'person', one.profile_key, other.profile_key, 'name', one.name_key, null
    from {{ ref('identity_rare_name') }} as one
    inner join {{ ref('identity_rare_name') }} as other
        on one.name_key = other.name_key and one.profile_key < other.profile_key

    union all

    select rule_id, 'person', left_key, right_key, 'attributes', agreeing, null
    from {{ ref('identity_likeness') }}

    union all

    select
        case one.id_type when 'domain' then 'same_domain' else 'same_name' end,
        one.entity, one.profile_key, other.profile_key, one.id_type, one.value,
        one.reason
    from identifiers as one
    inner join identifiers as other
        on one.value = other.value
        and one.id_type = other.id_type
        and one.source < other.source
    where one.id_type in ('domain', 'name')

    union all

    select
        'domain_of_people', one.entity, one.profile_key, other.profile_key, other.id_type,
        other.value, coalesce(one.reason, other.reason)
    from identifiers as one
    inner join identifiers as other
        on one.value = other.value and one.source <> other.source
    where one.id_type = 'people_domain'
        and other.id_type = 'domain'
        and not exists (
            select 1
            from identifiers as nearer
            where nearer.id_type = 'domain'
                and nearer.value = one.value
                and nearer.source = one.source
        )
),

pairs as (
    select
        least(one, other) as left_key,
        greatest(one, other) as right_key,
        entity,
        rule_id,
        id_type,
        -- a handle is public, and of attributes only their names are told
        case when id_type in ('handle', 'attributes') then value else {{ masked('value') }} end
            as evidence,
        refusal
    from candidates
    where one <> other
        {{ only_if_touched(key_hash('one'), 'identity_touched') }}
        {{ only_if_touched(key_hash('other'), 'identity_touched') }}
),

-- One row per pair, rule and evidence; a value seen twice on a profile is one evidence.
distinct_pairs as (
    select left_key, right_key, entity, rule_id, id_type, evidence, max(refusal) as refusal
    from pairs
    group by left_key, right_key, entity, rule_id, id_type, evidence
)

select
    distinct_pairs.left_key,
    distinct_pairs.right_key,
    distinct_pairs.entity,
    distinct_pairs.rule_id,
    distinct_pairs.id_type,
    distinct_pairs.evidence,
    case
        when distinct_pairs.refusal is null
            and distinct_pairs.rule_id not in ('claimed_handle', 'merged_record')
            and (one_network.source is not null or other_network.source is not null)
            then 'a profile of another network joins nobody without a claim'
        else distinct_pairs.refusal
    end as refusal,
    rules.tier,
    rules.needs_agreement,
    rules.band,
    {{ key_hash('distinct_pairs.left_key') }} as left_hash,
    {{ key_hash('distinct_pairs.right_key') }} as right_hash
from distinct_pairs
inner join {{ ref('identity_rule_standing') }} as rules on distinct_pairs.rule_id = rules.rule_id
left join networks as one_network
    on split_part(distinct_pairs.left_key, ':', 1) = one_network.source
left join networks as other_network
    on split_part(distinct_pairs.right_key, ':', 1) = other_network.source
where rules.band <> 'off'
