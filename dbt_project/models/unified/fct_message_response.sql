with messages as (
    select * from {{ ref('fct_message_sent') }}
),

responses as (
    select {{ message_response_row({
        'message_response_id': 'message_sent_id', 'source': '_source', 'person_key': 'person_key',
        'message_sent_id': 'message_sent_id', 'kind': "'responded'",
        'occurred_at': 'greatest(responded_at, sent_at)', 'loaded_at': '_first_loaded_at',
    }) }}
    from {{ ref('int_salesforce__messages') }}
    where has_responded and responded_at is not null

    union all

    select {{ message_response_row({
        'message_response_id': 'message_response_id', 'source': '_source',
        'person_key': 'person_key', 'message_sent_id': 'message_sent_id', 'kind': 'kind',
        'is_automatic': 'is_automatic', 'occurred_at': 'occurred_at',
        'loaded_at': '_first_loaded_at',
    }) }}
    from {{ ref('int_hubspot__responses') }}

    union all

    select {{ message_response_row({
        'message_response_id': "_source || ':' || _stream || ':' || _key", 'source': '_source',
        'person_key': 'person_key', 'organization_key': 'organization_key',
        'message_sent_id': 'message_sent_id', 'kind': 'lower(kind)',
        'is_automatic': 'is_automatic', 'occurred_at': 'occurred_at',
        'loaded_at': '_first_loaded_at',
    }) }}
    from {{ current(ref('stg_mapped__message_responses')) }} as responses
    where not _is_deleted and occurred_at is not null and kind is not null
),

placed as (
    {{ with_parties('responses', 'message_response_id') }}
)

select
    placed.message_response_id,
    placed.source,
    messages.message_sent_id,
    -- whose message it was, where the response does not say
    coalesce(placed.person_id, messages.person_id) as person_id,
    coalesce(placed.organization_id, messages.organization_id) as organization_id,
    placed.kind,
    placed.is_automatic,
    placed.occurred_at,
    placed.loaded_at
from placed
left join messages on placed.message_sent_id = messages.message_sent_id
