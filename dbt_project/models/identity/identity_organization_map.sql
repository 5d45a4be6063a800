{{ resolved('organization', 'org', 'organization_id') }}
