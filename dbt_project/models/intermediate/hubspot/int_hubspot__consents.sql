{#
    The vendor tells the last answer to each kind of e-mail; earlier ones are known as far as we
    read them. Who was never asked gave no answer. Who left all e-mail is told beside that, or by a
    flag of the contact alone: consents are not visible, or it was another address of theirs.
#}
with consenting as (
    select * from {{ current(ref('stg_hubspot__subscription_statuses')) }} as consenting
    where not _is_deleted
),

contacts as (
    select * from {{ current(ref('stg_hubspot__contacts')) }} as contacts
    where not _is_deleted
),

purposes as (
    select * from {{ current(ref('stg_hubspot__subscription_types')) }} as purposes
),

versions as (
    select versions.*
    from {{ known(ref('stg_hubspot__subscription_statuses')) }} as versions
    inner join consenting
        on versions._source = consenting._source and versions._key = consenting._key
    where versions._op <> 'delete'
),

spread as (
    select _source, _key, _version, _loaded_at, {{ text_list('statuses') }} as status
    from versions
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
),

wide as (
    select _source, _key, _seq, {{ text_list('wide_statuses') }} as status
    from versions
),

-- Of a unit of the business each kind of e-mail tells by itself.
left_all as (
    select
        _source,
        _key,
        _seq,
        max({{ try_timestamp(custom_value('status', "'timestamp'")) }}) as left_at
    from wide
    where {{ custom_value('status', "'wideStatusType'") }} = 'PORTAL_WIDE'
        and {{ custom_value('status', "'status'") }} = 'UNSUBSCRIBED'
    group by _source, _key, _seq
),

looks as (
    select
        versions._source,
        versions._key,
        versions._version,
        versions._seq,
        versions._loaded_at,
        'status' as told_by,
        left_all._seq is not null as is_out,
        left_all.left_at
    from versions
    left join left_all
        on versions._source = left_all._source
        and versions._key = left_all._key
        and versions._seq = left_all._seq
    where versions.wide_statuses is not null

    union all

    select
        flagged._source,
        flagged._key,
        flagged._version,
        flagged._seq,
        flagged._loaded_at,
        'flag',
        flagged.has_opted_out_of_email,
        null
    from {{ known(ref('stg_hubspot__contacts')) }} as flagged
    inner join contacts on flagged._source = contacts._source and flagged._key = contacts._key
    where flagged.has_opted_out_of_email is not null
        and not exists (
            select 1 from left_all
            where left_all._source = flagged._source and left_all._key = flagged._key
        )
),

turns as (
    select
        *,
        coalesce(
            lag(is_out) over (partition by _source, _key, told_by order by _version, _seq), false
        ) as was_out
    from looks
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

union all

select {{ consent_row({
    'source': '_source', 'profile_key': profile_key('contacts', '_key'), 'purpose_id': "'all'",
    'purpose': "'all'", 'channel': "'email'",
    'answer': "case when is_out then 'refused' else 'granted' end",
    'occurred_at': 'coalesce(left_at, _version)', 'loaded_at': '_loaded_at',
}) }}
from turns
where is_out <> was_out
