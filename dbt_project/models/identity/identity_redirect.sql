select id as old_id, entity, max(current_id) as current_id, max(retired_at) as since
from {{ ref('identity_ledger') }}
where retired_at is not null
group by id, entity
