{{ stage_records(source('landing', 'salesforce__event_relations'), [
    ['event_relation_id', 'Id', 'text'],
    ['event_id', 'EventId', 'text'],
    ['relation_id', 'RelationId', 'text'],
    ['status', 'Status', 'text'],
    ['is_what', 'IsWhat', 'boolean'],
    ['is_parent', 'IsParent', 'boolean'],
    ['is_invitee', 'IsInvitee', 'boolean'],
    ['responded_at', 'RespondedDate', 'timestamp'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
