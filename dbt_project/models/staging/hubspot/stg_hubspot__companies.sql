{{ stage_records(source('landing', 'hubspot__companies'), [
    ['company_id', 'id', 'text'],
    ['name', 'properties.name', 'text'],
    ['domain', 'properties.domain', 'text'],
    ['website', 'properties.website', 'text'],
    ['phone', 'properties.phone', 'text'],
    ['company_type', 'properties.type', 'text'],
    ['lifecycle_stage', 'properties.lifecyclestage', 'text'],
    ['industry', 'properties.industry', 'text'],
    ['owner_id', 'properties.hubspot_owner_id', 'text'],
    ['parent_company_id', 'properties.hs_parent_company_id', 'text'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
