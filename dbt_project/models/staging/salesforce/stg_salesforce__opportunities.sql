{{ stage_records(source('landing', 'salesforce__opportunities'), [
    ['opportunity_id', 'Id', 'text'],
    ['account_id', 'AccountId', 'text'],
    ['owner_id', 'OwnerId', 'text'],
    ['name', 'Name', 'text'],
    ['stage', 'StageName', 'text'],
    ['amount', 'Amount', 'decimal'],
    ['currency', 'CurrencyIsoCode', 'text'],
    ['close_date', 'CloseDate', 'date'],
    ['is_closed', 'IsClosed', 'boolean'],
    ['is_won', 'IsWon', 'boolean'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
