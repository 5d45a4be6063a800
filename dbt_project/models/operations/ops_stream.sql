with

streams as (

    select * from {{ source('control', 'streams') }}

),

final as (

    select
        ---------- grain
        source,
        stream,

        ---------- the last sync
        last_sync_at,
        finished as is_finished,
        changes,
        deletes,
        late,
        quarantined,
        calls,
        calls_per_change,
        spans_left,

        ---------- compared with the source
        source_count,
        held_count,
        missing,
        extra,
        case
            when missing is null then 'unknown'
            when missing = 0 and extra = 0 then 'equal'
            else 'differs'
        end as reconciliation,
        reconciles as reconciled_by,
        unreconciled as not_reconciled_because,
        coverage as coverage_text
    from streams

)

select * from final
