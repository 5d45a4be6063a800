{{ stage_records(source('landing', 'salesforce__contact_point_emails'), [
    ['contact_point_id', 'Id', 'text'],
    ['parent_id', 'ParentId', 'text'],
    ['email', 'EmailAddress', 'text'],
    ['is_primary', 'IsPrimary', 'boolean'],
    ['active_from', 'ActiveFromDate', 'date'],
    ['active_to', 'ActiveToDate', 'date'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
