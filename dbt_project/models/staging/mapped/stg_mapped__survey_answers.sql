{{ stage_mapped(source('landing', 'mapped__survey_answers'), [
    ['id', 'id', 'text'],
    ['person_key', 'person', 'person'],
    ['person_address', 'person', 'address'],
    ['organization_key', 'organization', 'text'],
    ['occurred_at', 'occurred_at', 'timestamp'],
    ['survey', 'survey', 'text'],
    ['kind', 'kind', 'text'],
    ['question', 'question', 'text'],
    ['score', 'score', 'decimal'],
    ['scale_low', 'scale_low', 'decimal'],
    ['scale_high', 'scale_high', 'decimal'],
    ['channel', 'channel', 'text'],
]) }}
