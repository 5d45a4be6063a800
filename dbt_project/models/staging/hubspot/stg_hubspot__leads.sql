{{ stage_records(source('landing', 'hubspot__leads'), [
    ['lead_id', 'id', 'text'],
    ['name', 'properties.hs_lead_name', 'text'],
    ['lead_type', 'properties.hs_lead_type', 'text'],
    ['label', 'properties.hs_lead_label', 'text'],
    ['pipeline', 'properties.hs_pipeline', 'text'],
    ['stage', 'properties.hs_pipeline_stage', 'text'],
    ['owner_id', 'properties.hubspot_owner_id', 'text'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
