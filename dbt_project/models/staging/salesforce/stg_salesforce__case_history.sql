{{ stage_records(source('landing', 'salesforce__case_history'), [
    ['case_history_id', 'Id', 'text'],
    ['case_id', 'CaseId', 'text'],
    ['created_by_id', 'CreatedById', 'text'],
    ['field', 'Field', 'text'],
    ['old_value', 'OldValue', 'text'],
    ['new_value', 'NewValue', 'text'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
