select run.as_of, count(*) as n
from {{ ref('fct_interaction') }}, {{ source('control', 'run') }} as run
group by run.as_of
