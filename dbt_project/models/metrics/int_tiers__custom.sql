{{ config(contract={'enforced': false}, **snapshot_table()) }}

with

-- What a field says stands for today: of another day nobody knows it.
snapshots as (

    {{ snapshots() }}

),

run as (

    select * from {{ source('control', 'run') }}

),

fields as (

    select field
    from {{ source('control', 'tier_measures') }}
    where origin = 'custom'
    group by field

),

told as (

    {{ custom_values('person') }}

),

final as (

    select
        snapshots.as_of,
        snapshots.basis,
        fields.field,
        told.entity_id as person_id,
        {{ try_decimal('told.value') }} as value
    from fields
    cross join snapshots
    inner join run on snapshots.as_of = run.as_of
    inner join told on fields.field = told.field

)

select * from final
