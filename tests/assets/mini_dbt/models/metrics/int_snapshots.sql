select as_of from {{ source('control', 'run') }}
