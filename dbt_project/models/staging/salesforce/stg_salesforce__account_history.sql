{{ stage_records(source('landing', 'salesforce__account_history'), [
    ['account_history_id', 'Id', 'text'],
    ['account_id', 'AccountId', 'text'],
    ['created_by_id', 'CreatedById', 'text'],
    ['field', 'Field', 'text'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
