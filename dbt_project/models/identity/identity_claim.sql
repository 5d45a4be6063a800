with run as (
    select cast(known_at as date) as today from {{ source('control', 'run') }}
),

policies as (
    select * from {{ source('control', 'link_policy') }}
),

-- A handle that several accounts had, one after the other, does not tell whose it was.
bearers as (
    select source, handle, min(profile_key) as profile_key, count(*) as n_bearers
    from {{ ref('identity_handle') }}
    group by source, handle
),

-- What somebody told is over when the record that holds it is gone, not when it was merged.
fields as (
    select
        fields.source || '.' || fields.stream || '.' || fields.field as place,
        fields.network,
        {{ lower_case('trim(' ~ custom_value('profiles.custom', 'fields.field') ~ ')') }} as text,
        profiles.profile_key
    from {{ ref('identity_profile') }} as profiles
    inner join {{ source('control', 'handle_fields') }} as fields
        on profiles.source = fields.source and profiles.stream = fields.stream
    where profiles.entity = 'person'
        and profiles.custom is not null
        and (not profiles.is_deleted or profiles.merged_into is not null)
),

told as (
    select
        place,
        'field' as origin,
        network,
        case when text like '@%' then substr(text, 2) else text end as handle,
        cast(null as {{ dbt.type_string() }}) as left_key,
        profile_key as record_key,
        'self_declared_form' as basis,
        cast(null as {{ dbt.type_string() }}) as evidence,
        cast(null as {{ dbt.type_string() }}) as author,
        cast(null as date) as asserted_at,
        cast(null as date) as expires_at,
        cast(null as date) as revoked_at
    from fields
    where text <> ''

    union all

    select
        place, 'file', network, handle, left_key, right_key, basis, evidence, author,
        asserted_at, expires_at, revoked_at
    from {{ source('control', 'identity_claim') }}
),

met as (
    select
        told.*,
        coalesce(bearers.n_bearers, 1) as n_bearers,
        handles.source as handle_source,
        handles.profile_key as handle_key,
        case when shown_handles.handle is null then handles.display_name end as shown_name,
        records.source as record_source,
        records.profile_key as known_record_key
    from told
    left join bearers on told.network = bearers.source and told.handle = bearers.handle
    left join {{ ref('identity_profile') }} as handles
        on coalesce(told.left_key, bearers.profile_key) = handles.profile_key
        and handles.entity = 'person'
    -- who shows no name is shown by a handle
    left join {{ ref('identity_handle') }} as shown_handles
        on handles.profile_key = shown_handles.profile_key
        and {{ lower_case('handles.display_name') }} = shown_handles.handle
    left join {{ ref('identity_profile') }} as records
        on told.record_key = records.profile_key and records.entity = 'person'
),

judged as (
    select
        met.*,
        handle_policies.is_own_space,
        case
            when met.n_bearers > 1 then 'ambiguous'
            when met.handle_key is null then 'unknown_handle'
            when met.known_record_key is null then 'unknown_profile'
            when met.revoked_at <= run.today then 'revoked'
            when met.expires_at < run.today then 'expired'
            when handle_policies.basis is null or record_policies.basis is null then 'not_allowed'
            else 'in_force'
        end as state
    from met
    cross join run
    left join policies as handle_policies
        on met.handle_source = handle_policies.source and met.basis = handle_policies.basis
    left join policies as record_policies
        on met.record_source = record_policies.source and met.basis = record_policies.basis
)

select
    place,
    origin,
    coalesce(handle_source, network) as network,
    case when n_bearers = 1 then handle_key end as handle_key,
    record_key,
    basis,
    evidence,
    author,
    asserted_at,
    expires_at,
    revoked_at,
    state,
    -- in a space of our own names are read from where they are kept
    case when not is_own_space then shown_name end as shown_name,
    case state
        when 'revoked' then 'the claim was revoked'
        when 'expired' then 'the claim has expired'
        when 'not_allowed' then 'no link of ' || handle_source || ' may rest on ' || basis
        when 'ambiguous' then 'several accounts had that handle'
        when 'unknown_handle' then 'no profile has that handle'
        when 'unknown_profile' then 'there is no such profile'
        else null
    end as refusal
from judged
