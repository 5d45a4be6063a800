{#
    The vendor tells the last answer to each kind of e-mail; earlier ones are known as far as we
    read them. Who was never asked gave no answer.
#}
with contacts as (
    select * from {{ current(ref('stg_hubspot__subscription_statuses')) }} as contacts
    where not _is_deleted
),

purposes as (
    select * from {{ current(ref('stg_hubspot__subscription_types')) }} as purposes
),

spread as (
    select
        versions._source,
        versions._key,
        versions._version,
        versions._loaded_at,
        {{ text_list('versions.statuses') }} as status
    from {{ known(ref('stg_hubspot__subscription_statuses')) }} as versions
    inner join contacts on versions._source = contacts._source and versions._key = contacts._key
    where versions._op <> 'delete'
),

told as (
    select
        _source,
        _key,
        _version,
        _loaded_at,
        {{ custom_value('status', "'subscriptionId'") }} as purpose_id,
        {{ custom_value('status', "'status'") }} as word,
        {{ custom_value('status', "'legalBasis'") }} as legal_basis,
        {{ try_timestamp(custom_value('status', "'timestamp'")) }} as said_at
    from spread
)

select {{ consent_row({
    'source': 'told._source', 'profile_key': profile_key('contacts', 'told._key', 'told._source'),
    'purpose_id': 'told.purpose_id', 'purpose': 'purposes.name', 'channel': "'email'",
    'answer': "case told.word when 'SUBSCRIBED' then 'granted' else 'refused' end",
    'legal_basis': 'lower(told.legal_basis)',
    'occurred_at': 'coalesce(told.said_at, told._version)', 'loaded_at': 'told._loaded_at',
}) }}
from told
left join purposes on told._source = purposes._source and told.purpose_id = purposes._key
where told.word in ('SUBSCRIBED', 'UNSUBSCRIBED')
