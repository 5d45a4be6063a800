{{ stage_records(source('landing', 'salesforce__accounts'), [
    ['account_id', 'Id', 'text'],
    ['name', 'Name', 'text'],
    ['account_type', 'Type', 'text'],
    ['parent_account_id', 'ParentId', 'text'],
    ['owner_id', 'OwnerId', 'text'],
    ['website', 'Website', 'text'],
    ['industry', 'Industry', 'text'],
    ['phone', 'Phone', 'text'],
    ['is_person_account', 'IsPersonAccount', 'boolean'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
