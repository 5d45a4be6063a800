{{ stage_records(source('landing', 'salesforce__opportunity_field_history'), [
    ['opportunity_field_history_id', 'Id', 'text'],
    ['opportunity_id', 'OpportunityId', 'text'],
    ['created_by_id', 'CreatedById', 'text'],
    ['field', 'Field', 'text'],
    ['old_value', 'OldValue', 'text'],
    ['new_value', 'NewValue', 'text'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
