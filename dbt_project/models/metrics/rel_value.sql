{{ config(**snapshot_table()) }}

with

snapshots as (

    {{ snapshots() }}

),

settings as (

    {{ metric_settings() }}

),

seen as (

    {{ silos_seen(['crm', 'support', 'orders']) }}

),

spending as (

    select * from {{ ref('int_spending__histories') }}

),

---------- what it took us: minutes of ours with them, as the strategy counts them

minutes as (

    select * from {{ source('control', 'service_minutes') }}

),

served_days as (

    select
        coalesce({{ outsider('acts') }}, acts.organization_id) as party_id,
        acts.day,
        sum(cast(minutes.minutes as decimal(9, 2))) as minutes
    from {{ ref('int_acts__counted') }} as acts
    inner join minutes on acts.kind = minutes.kind
    where acts.is_by_staff and not acts.is_by_bot and not acts.is_internal
    group by coalesce({{ outsider('acts') }}, acts.organization_id), acts.day

),

service as (

    select
        snapshots.as_of,
        snapshots.basis,
        served_days.party_id,
        sum(served_days.minutes) as minutes,
        sum(
            case
                when served_days.day > {{ days_after('snapshots.as_of', -365) }}
                    then served_days.minutes
                else 0
            end
        ) as minutes_365d
    from snapshots
    inner join served_days on served_days.day <= snapshots.as_of
    where served_days.party_id is not null
    group by snapshots.as_of, snapshots.basis, served_days.party_id

),

---------- a party per currency it paid in; what service costs is in the home currency

home as (

    select coalesce({{ home_currency() }}, 'unknown') as currency

),

spine as (

    select
        as_of,
        basis,
        party_id,
        currency
    from spending
    union
    select
        service.as_of,
        service.basis,
        service.party_id,
        home.currency
    from service
    cross join home
    cross join settings
    where settings.service_hour is not null

),

---------- what is expected of them

outlook as (

    select
        histories.as_of,
        histories.basis,
        histories.party_id,
        histories.repeats + 1 as days,
        {%- for name in ['p_alive', 'expected', 'variance', 'low', 'high'] %}
        max(case when outlook.model = 'bg_nbd' then outlook.{{ name }} end) as {{ name }},
        {%- endfor %}
        max(case when outlook.model = 'mbg_nbd' then outlook.expected end) as mbg_expected
    from {{ ref('int_purchases__histories') }} as histories
    inner join {{ ref('int_purchases__outlook') }} as outlook
        on
            histories.as_of = outlook.as_of
            and histories.basis = outlook.basis
            and histories.repeats = outlook.repeats
            and histories.recency_days = outlook.recency_days
            and histories.age_days = outlook.age_days
    group by histories.as_of, histories.basis, histories.party_id, histories.repeats

),

fits as (

    select * from {{ ref('int_spending__fits') }}
    where state = 'fitted'

),

joined as (

    select
        spine.*,
        people.person_id,
        case when people.person_id is null then spine.party_id else people.organization_id end
            as organization_id,
        settings.margin_share,
        settings.outlook_days,
        cast(coalesce(spending.days, 0) as double) / outlook.days as share_of_days,
        case when seen.sees_orders then coalesce(spending.days, 0) end as purchase_days,
        case when seen.sees_orders then coalesce(spending.spend, 0) end as spend,
        case when seen.sees_orders then coalesce(spending.spend_365d, 0) end as spend_365d,
        {%- for window in ['', '_365d'] %}
        case
            when spine.currency = home.currency and (seen.sees_crm or seen.sees_support)
                then cast(
                    round(coalesce(service.minutes{{ window }}, 0) * settings.service_hour / 60, 2)
                    as decimal(18, 2)
                )
        end as cost_to_serve{{ window }},
        {%- endfor %}
        outlook.p_alive,
        outlook.expected,
        outlook.variance,
        outlook.low,
        outlook.high,
        outlook.mbg_expected,
        fits.p,
        -- the purchases that are known draw the model's mean toward the party's own
        fits.p * spending.repeat_days + fits.q as shape,
        fits.gamma + cast(spending.repeat_spend as double) as scale,
        snapshots.known_at,
        coalesce(seen.coverage, 0) as coverage
    from spine
    cross join settings
    cross join home
    inner join snapshots on spine.as_of = snapshots.as_of and spine.basis = snapshots.basis
    left join {{ ref('dim_person') }} as people on spine.party_id = people.person_id
    left join spending
        on
            spine.as_of = spending.as_of
            and spine.basis = spending.basis
            and spine.party_id = spending.party_id
            and spine.currency = spending.currency
    left join service
        on
            spine.as_of = service.as_of
            and spine.basis = service.basis
            and spine.party_id = service.party_id
    left join outlook
        on
            spine.as_of = outlook.as_of
            and spine.basis = outlook.basis
            and spine.party_id = outlook.party_id
    left join fits
        on
            spine.as_of = fits.as_of
            and spine.basis = fits.basis
            and spine.currency = fits.currency
    left join seen on spine.as_of = seen.as_of and spine.basis = seen.basis
    where not coalesce(people.is_staff, false) and not coalesce(people.is_bot, false)

),

expectations as (

    select
        *,
        expected * share_of_days as expected_purchases,
        case when shape > 1 then p * scale / (shape - 1) end as per_purchase,
        -- moments of a sum of as many gamma values of one unknown scale
        case
            when shape > 2
                then
                    expected * p * scale * scale / ((shape - 1) * (shape - 2))
                    + (variance + expected * expected) * p * p * scale * scale
                    / ((shape - 1) * (shape - 2))
                    - expected * expected * p * p * scale * scale / ((shape - 1) * (shape - 1))
        end as spend_variance
    from joined

),

valued as (

    select
        *,
        cast(round(spend * margin_share, 2) as decimal(18, 2)) as margin,
        cast(round(spend_365d * margin_share, 2) as decimal(18, 2)) as margin_365d,
        cast(round(expected_purchases * per_purchase, 2) as decimal(18, 2)) as expected_spend,
        cast(round(low * share_of_days * per_purchase, 2) as decimal(18, 2)) as expected_spend_low,
        cast(round(high * share_of_days * per_purchase, 2) as decimal(18, 2)) as expected_spend_high
    from expectations

),

final as (

    select
        ---------- grain
        as_of,
        basis,
        party_id,
        currency,

        ---------- ids
        person_id,
        organization_id,

        ---------- so far
        cast(purchase_days as bigint) as purchase_days,
        cast(spend as decimal(18, 2)) as spend,
        cast(spend_365d as decimal(18, 2)) as spend_365d,
        margin,
        margin_365d,
        cost_to_serve,
        cost_to_serve_365d,
        cast(margin - cost_to_serve as decimal(18, 2)) as profit,
        cast(margin_365d - cost_to_serve_365d as decimal(18, 2)) as profit_365d,

        ---------- expected
        p_alive,
        expected_purchases,
        mbg_expected * share_of_days as expected_purchases_mbg,
        cast(round(per_purchase, 2) as decimal(18, 2)) as expected_per_purchase,
        expected_spend,
        expected_spend_low,
        expected_spend_high,
        cast(
            round(
                share_of_days * sqrt(case when spend_variance > 0 then spend_variance end), 2
            ) as decimal(18, 2)
        ) as expected_spend_deviation,
        cast(round(expected_spend * margin_share, 2) as decimal(18, 2)) as expected_margin,
        cast(outlook_days as int) as expected_within_days,
        case
            when expected_spend is not null
                then cast(rank() over (
                    partition by as_of, basis, currency order by expected_spend desc nulls last
                ) as bigint)
        end as expected_rank,

        ---------- provenance
        cast(purchase_days as bigint) as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from valued

)

select * from final
