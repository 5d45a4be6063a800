select
    organization_id,
    ancestor_organization_id,
    distance
from {{ ref('identity_organization_ancestor') }}
