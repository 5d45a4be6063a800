{{ stage_records(source('landing', 'salesforce__campaign_members'), [
    ['campaign_member_id', 'Id', 'text'],
    ['campaign_id', 'CampaignId', 'text'],
    ['lead_id', 'LeadId', 'text'],
    ['contact_id', 'ContactId', 'text'],
    ['status', 'Status', 'text'],
    ['has_responded', 'HasResponded', 'boolean'],
    ['first_responded_date', 'FirstRespondedDate', 'date'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
