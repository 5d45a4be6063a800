{{ config(materialized='incremental') }}
select snapshots.as_of, count(*) as n
from {{ ref('fct_interaction') }}, {{ ref('int_snapshots') }} as snapshots
group by snapshots.as_of
