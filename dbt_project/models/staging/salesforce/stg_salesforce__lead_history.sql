{{ stage_records(source('landing', 'salesforce__lead_history'), [
    ['lead_history_id', 'Id', 'text'],
    ['lead_id', 'LeadId', 'text'],
    ['created_by_id', 'CreatedById', 'text'],
    ['field', 'Field', 'text'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
