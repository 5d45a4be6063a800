{#
    The lower end of a rule's precision falls only when somebody says no: it rises with every yes,
    and starts at nothing. So from its first no on a rule must prove itself on the verdicts; while
    nobody found it wrong, few verdicts say nothing against it.
#}
{% set least_precision = 0.99 %}

with reviews as (
    -- a pair counts once for a rule, however many people looked at it
    select distinct rule_id, left_key, right_key, verdict
    from {{ source('control', 'reviews') }}
),

counted as (
    select
        rule_id,
        count(case when verdict in ('yes', 'no') then 1 end) as n_reviewed,
        count(case when verdict = 'yes' then 1 end) as n_right
    from reviews
    group by rule_id
),

judged as (
    select
        rules.*,
        coalesce(counted.n_reviewed, 0) as n_reviewed,
        counted.n_right,
        {{ wilson_low('counted.n_right', 'counted.n_reviewed') }} as reviewed_precision_low
    from {{ ref('identity_rule') }} as rules
    left join counted on rules.rule_id = counted.rule_id
)

select
    rule_id,
    entity,
    tier,
    needs_agreement,
    case
        when band = 'auto' and n_right < n_reviewed
            and reviewed_precision_low < {{ least_precision }}
            then 'suggest'
        else band
    end as band,
    band as declared_band,
    words,
    why,
    measured_precision,
    precision_low,
    n_pairs,
    measured_on,
    n_reviewed,
    n_right,
    reviewed_precision_low
from judged
