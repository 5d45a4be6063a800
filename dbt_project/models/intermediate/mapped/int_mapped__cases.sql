select {{ case_row({
    'case_id': "_source || ':' || _stream || ':' || _key", 'source': '_source',
    'organization_key': 'organization_key', 'person_key': 'person_key', 'owner_key': 'owner_key',
    'channel': "coalesce(lower(channel), 'other')", 'status': 'status', 'priority': 'priority',
    'opened_at': 'opened_at', 'closed_at': 'closed_at', 'is_closed': 'closed_at is not null',
    'is_deleted': '_is_deleted', 'loaded_at': '_first_loaded_at',
}) }}
from {{ current(ref('stg_mapped__cases')) }} as cases
where opened_at is not null
