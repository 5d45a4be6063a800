select 1 as n from {{ ref('fct_interaction') }}
