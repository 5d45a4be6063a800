select * from {{ source('landing', 'discourse__posts') }}
