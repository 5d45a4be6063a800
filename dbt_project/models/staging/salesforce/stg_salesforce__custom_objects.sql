{{ stage_records(source('landing', 'salesforce__custom_objects'), [
    ['record_id', 'Id', 'text'],
    ['owner_id', 'OwnerId', 'text'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
