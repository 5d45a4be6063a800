{{ stage_records(source('landing', 'salesforce__opportunity_history'), [
    ['opportunity_history_id', 'Id', 'text'],
    ['opportunity_id', 'OpportunityId', 'text'],
    ['created_by_id', 'CreatedById', 'text'],
    ['stage_name', 'StageName', 'text'],
    ['forecast_category', 'ForecastCategory', 'text'],
    ['amount', 'Amount', 'decimal'],
    ['probability', 'Probability', 'decimal'],
    ['close_date', 'CloseDate', 'date'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
