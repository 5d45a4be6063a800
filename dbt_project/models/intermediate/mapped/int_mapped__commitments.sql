select {{ commitment_row({
    'commitment_id': "_source || ':' || _stream || ':' || _key", 'source': '_source',
    'person_key': 'person_key', 'organization_key': 'organization_key', 'owner_key': 'owner_key',
    'kind': "coalesce(lower(kind), 'other')", 'is_ours': "coalesce(lower(made_by) <> 'them', true)",
    'made_at': 'made_at', 'due_at': 'due_at', 'fulfilled_at': 'fulfilled_at',
    'is_fulfilled': 'coalesce(is_fulfilled, fulfilled_at is not null)',
    'is_called_off': 'coalesce(is_called_off, false)',
    'occurred_at': 'coalesce(made_at, due_at)', 'loaded_at': '_first_loaded_at',
}) }}
from {{ current(ref('stg_mapped__commitments')) }} as commitments
where not _is_deleted and due_at is not null
