select {{ survey_answer_row({
    'survey_answer_id': "_source || ':' || _stream || ':' || _key", 'source': '_source',
    'stream': '_stream', 'person_key': 'person_key', 'organization_key': 'organization_key',
    'channel': 'lower(channel)', 'survey_id': 'survey', 'survey': 'survey', 'kind': 'lower(kind)',
    'question': 'question', 'score': 'score',
    'scale_low': "coalesce(scale_low, case lower(kind) when 'nps' then 0 end)",
    'scale_high': "coalesce(scale_high, case lower(kind) when 'nps' then 10 end)",
    'occurred_at': 'occurred_at', 'source_seen_at': 'occurred_at',
    'loaded_at': '_first_loaded_at', 'is_deleted': '_is_deleted',
}) }}
from {{ current(ref('stg_mapped__survey_answers')) }} as answers
where occurred_at is not null
