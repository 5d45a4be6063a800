{{ config(materialized='view') }}

with edges as (
    select * from {{ ref('identity_edge') }}
),

rules as (
    select * from {{ ref('identity_rule_standing') }}
)

select
    edges.*,
    case edges.rule_id
        when 'override_link' then 'people say that they are one'
        when 'override_unlink' then 'people keep them apart'
        else rules.words
    end as words,
    coalesce(rules.tier, 0) as tier,
    -- what people or a source say of their own is not measured
    cast(case
        when rules.n_pairs > 0 then rules.measured_precision
        when coalesce(rules.tier, 0) <= 1 then 1
    end as double) as precision,
    rules.n_reviewed,
    rules.n_right
from edges
-- what people say is of no rule
left join rules on edges.rule_id = rules.rule_id
