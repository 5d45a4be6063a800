select * from {{ ref('stg_discourse__posts') }}
