{{ stage_records(source('landing', 'salesforce__opportunity_contact_roles'), [
    ['opportunity_contact_role_id', 'Id', 'text'],
    ['opportunity_id', 'OpportunityId', 'text'],
    ['contact_id', 'ContactId', 'text'],
    ['role', 'Role', 'text'],
    ['is_primary', 'IsPrimary', 'boolean'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
