{{ stage_records(source('landing', 'salesforce__contact_history'), [
    ['contact_history_id', 'Id', 'text'],
    ['contact_id', 'ContactId', 'text'],
    ['created_by_id', 'CreatedById', 'text'],
    ['field', 'Field', 'text'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
