{{ resolved('organization', 'organization_id') }}
