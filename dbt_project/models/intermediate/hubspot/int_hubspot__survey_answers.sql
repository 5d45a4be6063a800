-- An answer keeps the id that its contact had then.
select {{ survey_answer_row({
    'survey_answer_id': profile_key('feedback_submissions', 'answers._key', 'answers._source'),
    'source': 'answers._source', 'stream': 'answers._stream',
    'person_key': profile_key(
        'contacts', 'coalesce(merges.contact_id, answers.contact_id)', 'answers._source'
    ),
    'channel': 'lower(survey_channel)', 'survey_id': 'survey_id', 'survey': 'survey_name',
    'kind': 'lower(survey_type)', 'score': 'value',
    'scale_low': "case lower(survey_type) when 'nps' then 0 when 'ces' then 1 end",
    'scale_high': "case lower(survey_type) when 'nps' then 10 when 'ces' then 7 end",
    'answer_group': 'lower(coalesce(response_group, sentiment))',
    'occurred_at': 'coalesce(submitted_at, created_at)', 'source_seen_at': 'created_at',
    'loaded_at': '_first_loaded_at', 'is_deleted': '_is_deleted',
}) }}
from {{ current(ref('stg_hubspot__feedback_submissions')) }} as answers
left join {{ hubspot_merges() }} as merges
    on answers._source = merges._source and answers.contact_id = merges._key
