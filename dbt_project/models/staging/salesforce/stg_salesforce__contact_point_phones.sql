{{ stage_records(source('landing', 'salesforce__contact_point_phones'), [
    ['contact_point_id', 'Id', 'text'],
    ['parent_id', 'ParentId', 'text'],
    ['phone', 'TelephoneNumber', 'text'],
    ['is_primary', 'IsPrimary', 'boolean'],
    ['active_from', 'ActiveFromDate', 'date'],
    ['active_to', 'ActiveToDate', 'date'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
