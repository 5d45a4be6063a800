{#
    A direct relation only repeats the contact's own account, which its record tells; of it the
    dates are news. An end to come is none yet.
#}
with told as (
    select
        {{ profile_key('contacts', 'contact_id') }} as profile_key,
        {{ profile_key('accounts', 'account_id') }} as organization_key,
        cast(null as {{ dbt.type_string() }}) as title,
        coalesce(is_direct, false) as is_direct,
        start_date is not null as is_start_known,
        coalesce({{ end_of_day(days_after('start_date', -1)) }}, created_at, _first_loaded_at)
            as valid_from,
        case
            when {{ end_of_day('end_date') }} <= run.known_at then {{ end_of_day('end_date') }}
            when _is_deleted or (not is_active and end_date is null) then _version
        end as valid_to
    from {{ current(ref('stg_salesforce__account_contact_relations')) }} as relations
    cross join {{ source('control', 'run') }} as run
    where contact_id is not null
        and account_id is not null
        -- the direct one goes when the contact's record names another account
        and not (coalesce(is_direct, false) and _is_deleted)
)

-- an account whose relation ended is one that somebody left
select *, valid_to is not null as has_left from told
