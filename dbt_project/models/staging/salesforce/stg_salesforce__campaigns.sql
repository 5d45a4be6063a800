{{ stage_records(source('landing', 'salesforce__campaigns'), [
    ['campaign_id', 'Id', 'text'],
    ['parent_campaign_id', 'ParentId', 'text'],
    ['owner_id', 'OwnerId', 'text'],
    ['name', 'Name', 'text'],
    ['campaign_type', 'Type', 'text'],
    ['status', 'Status', 'text'],
    ['start_date', 'StartDate', 'date'],
    ['end_date', 'EndDate', 'date'],
    ['is_active', 'IsActive', 'boolean'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
