select as_of, 1 as n from {{ ref('int_snapshots') }}, {{ ref('fct_interaction') }}
