{{ stage_records(source('landing', 'discourse__topics'), [
    ['topic_id', 'id', 'integer'],
    ['category_id', 'category_id', 'integer'],
    ['archetype', 'archetype', 'text'],
    ['has_accepted_answer', 'has_accepted_answer', 'boolean'],
    ['created_at', 'created_at', 'timestamp'],
    ['deleted_at', 'deleted_at', 'timestamp'],
]) }}
