{{ stage_records(source('landing', 'salesforce__email_message_relations'), [
    ['email_message_relation_id', 'Id', 'text'],
    ['email_message_id', 'EmailMessageId', 'text'],
    ['relation_id', 'RelationId', 'text'],
    ['relation_type', 'RelationType', 'text'],
    ['relation_address', 'RelationAddress', 'text'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
