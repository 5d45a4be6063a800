with messages as (
    select {{ message_sent_row({
        'message_sent_id': 'message_sent_id', 'source': '_source', 'person_key': 'person_key',
        'message_id': 'campaign_id', 'message': 'name', 'campaign': 'name', 'channel': 'channel',
        'occurred_at': 'sent_at', 'loaded_at': '_first_loaded_at',
    }) }}
    from {{ ref('int_salesforce__messages') }}

    union all

    select {{ message_sent_row({
        'message_sent_id': 'message_sent_id', 'source': '_source', 'person_key': 'person_key',
        'message_id': 'message_id', 'message': 'name', 'campaign': 'campaign',
        'channel': "'email'", 'occurred_at': 'occurred_at', 'loaded_at': '_first_loaded_at',
    }) }}
    from {{ ref('int_hubspot__messages') }}

    union all

    select {{ message_sent_row({
        'message_sent_id': "_source || ':' || _stream || ':' || _key", 'source': '_source',
        'person_key': 'person_key', 'organization_key': 'organization_key',
        'message_id': 'message', 'message': 'message', 'campaign': 'campaign',
        'channel': "coalesce(lower(channel), 'email')", 'occurred_at': 'occurred_at',
        'loaded_at': '_first_loaded_at',
    }) }}
    from {{ current(ref('stg_mapped__messages_sent')) }} as messages
    where not _is_deleted and occurred_at is not null
),

placed as (
    {{ with_parties('messages', 'message_sent_id') }}
)

select
    message_sent_id,
    source,
    person_id,
    organization_id,
    message_id,
    message,
    campaign,
    channel,
    occurred_at,
    loaded_at
from placed
