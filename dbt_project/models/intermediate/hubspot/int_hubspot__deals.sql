with deals as (
    select * from {{ current(ref('stg_hubspot__deals')) }} as deals
),

stages as (
    select * from {{ hubspot_stages('deals') }} as stages
),

organizations as (
    select * from {{ hubspot_links('companies') }} as links
    where from_type = 'deals' and link_rank = 1
),

staged as (
    select
        deals.*,
        coalesce(stages.label, deals.stage) as stage_label,
        coalesce(deals.is_closed, stages.is_closed, false) as is_closed_now,
        coalesce(deals.is_won, stages.is_won, false) as is_won_now
    from deals
    left join stages
        on deals._source = stages._source
        and deals.pipeline = stages.pipeline_id
        and deals.stage = stages.stage_id
)

select {{ deal_row({
    'deal_id': profile_key('deals', '_key', 'staged._source'), 'source': 'staged._source',
    'organization_key': profile_key('companies', 'organizations.to_id', 'staged._source'),
    'owner_key': profile_key('owners', 'owner_id', 'staged._source'), 'name': 'name',
    'stage': 'stage_label', 'amount': 'amount', 'currency': 'currency',
    'is_closed': 'is_closed_now', 'is_won': 'is_won_now', 'created_at': 'created_at',
    'closed_at': 'case when is_closed_now then close_at end', 'expected_close_date': 'close_at',
    'is_deleted': '_is_deleted', 'loaded_at': '_first_loaded_at',
}) }}
from staged
left join organizations
    on staged._source = organizations._source and staged.deal_id = organizations.from_id
