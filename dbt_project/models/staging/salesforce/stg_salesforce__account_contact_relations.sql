{{ stage_records(source('landing', 'salesforce__account_contact_relations'), [
    ['relation_id', 'Id', 'text'],
    ['account_id', 'AccountId', 'text'],
    ['contact_id', 'ContactId', 'text'],
    ['is_direct', 'IsDirect', 'boolean'],
    ['is_active', 'IsActive', 'boolean'],
    ['start_date', 'StartDate', 'date'],
    ['end_date', 'EndDate', 'date'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
