{{ stage_records(source('landing', 'salesforce__task_relations'), [
    ['task_relation_id', 'Id', 'text'],
    ['task_id', 'TaskId', 'text'],
    ['relation_id', 'RelationId', 'text'],
    ['is_what', 'IsWhat', 'boolean'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
