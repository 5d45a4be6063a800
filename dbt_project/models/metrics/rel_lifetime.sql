{{ config(**snapshot_table()) }}

{%- set grain = ['line', 'span_days', 'cohort_number'] %}
{%- set windows = [90, 180, 270, 365] %}
{%- set points = [30, 90, 180, 270, 365, 545, 730] %}
{%- set horizons = [365, 730] %}
{%- set fewest = 20 %}

with

snapshots as (

    {{ snapshots() }}

),

settings as (

    {{ metric_settings() }}

),

seen as (

    {{ silos_seen(['crm', 'forum', 'support', 'orders']) }}

),

days as (

    select as_of
    from snapshots
    group by as_of

),

---------- silences so long that a party counts as gone, by four measures and the strategy's own

windows as (

    select quiet_days from settings
    {%- for days in windows %}
    union
    select {{ days }} as quiet_days
    {%- endfor %}

),

-- Per step and party the day before the first such silence; after the last day there is always one.
stays as (

    select
        party_steps.step,
        party_steps.is_community_only,
        party_steps.party_id,
        party_steps.first_day,
        {%- for days in windows + ['settings.quiet_days'] %}
        min(
            case
                when
                    party_steps.next_day is null
                    or {{ days_between('party_steps.day', 'party_steps.next_day') }}
                    > {{ days }}
                    then party_steps.day
            end
        ) as last_day_{{ loop.index }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_parties__steps') }} as party_steps
    cross join settings
    group by
        party_steps.step,
        party_steps.is_community_only,
        party_steps.party_id,
        party_steps.first_day

),

-- Numbers are counted and sorted several times faster than days and names together: what is told
-- of one day, step and length of silence is a line.
lines as (

    select
        cast(row_number() over (order by days.as_of, steps.step, windows.quiet_days) as int)
            as line,
        days.as_of,
        steps.step,
        steps.is_community_only,
        windows.quiet_days
    from days
    cross join windows
    cross join (
        select
            step,
            is_community_only
        from stays
        group by step, is_community_only
    ) as steps

),

parties as (

    select party_id
    from stays
    group by party_id

),

named_cohorts as (

    {{ lasting_cohorts('parties') }}

),

cohort_names as (

    select
        cohort_type,
        cohort,
        cast(row_number() over (order by cohort_type, cohort) as int) as number
    from named_cohorts
    group by cohort_type, cohort

),

cohorts as (

    select
        named_cohorts.party_id,
        names.number,
        names.cohort_type = 'all' as is_everybody
    from named_cohorts
    inner join cohort_names as names
        on named_cohorts.cohort_type = names.cohort_type and named_cohorts.cohort = names.cohort

),

---------- how long it lasts: up to the first such silence

-- What happened within the last quiet_days cannot be judged yet, for the living and the gone
-- alike: lives are watched up to then.
lives as (

    select
        line,
        number,
        first_span,
        case
            when is_over then {{ days_between('first_day', 'last_day') }}
            else {{ days_between('first_day', 'as_of') }} - quiet_days
        end as lived,
        count(*) as parties,
        count(case when is_over then 1 end) as ended
    from (
        select
            *,
            {{ days_between('last_day', 'as_of') }} > quiet_days as is_over
        from (
            select
                lines.line,
                lines.as_of,
                lines.quiet_days,
                cohorts.number,
                {{ first_span('stays.first_day', 'lines.as_of') }} as first_span,
                stays.first_day,
                case lines.quiet_days
                    {%- for days in windows %}
                    when {{ days }} then stays.last_day_{{ loop.index }}
                    {%- endfor %}
                    else stays.last_day_{{ windows | length + 1 }}
                end as last_day
            from lines
            inner join stays on lines.step = stays.step and lines.as_of >= stays.first_day
            inner join cohorts on stays.party_id = cohorts.party_id
        ) as dated
    ) as judged
    group by
        line,
        number,
        first_span,
        case
            when is_over then {{ days_between('first_day', 'last_day') }}
            else {{ days_between('first_day', 'as_of') }} - quiet_days
        end

),

lives_in_cohorts as (

    {{ in_cohorts('lives', ['line', 'lived', 'parties', 'ended']) }}

),

waits as (

    select
        {{ grain | join(', ') }},
        lived as wait,
        cast(sum(parties) as bigint) as n_waits,
        cast(sum(ended) as bigint) as n_over
    from lives_in_cohorts
    group by {{ grain | join(', ') }}, lived

),

counts as (

    select
        {{ grain | join(', ') }},
        cast(sum(n_waits) as bigint) as came,
        cast(sum(case when wait >= 0 then n_waits else 0 end) as bigint) as watched,
        cast(sum(n_over) as bigint) as ended
    from waits
    group by {{ grain | join(', ') }}

),

watched_waits as (

    select * from waits
    where wait >= 0

),

curves as (

    {{ survival_curve('watched_waits', grain) }}

),

lasting as (

    {{ survival_points('curves', grain, points, horizons) }}

),

---------- against those who came one span before, over the days for which the younger were watched

judged as (

    select
        waits.*,
        least(730, (waits.cohort_number - 1) * waits.span_days - lines.quiet_days) as horizon,
        least(730, (waits.cohort_number - 2) * waits.span_days - lines.quiet_days)
            as next_horizon
    from waits
    inner join lines on waits.line = lines.line
    where waits.span_days > 0

),

means as (

    {%- for role, horizon, shift in [('this', 'horizon', 0), ('prior', 'next_horizon', 1)] %}
    select
        line,
        span_days,
        cohort_number - {{ shift }} as cohort_number,
        '{{ role }}' as role,
        {{ horizon }} as horizon,
        sum(n_waits) as n,
        cast(sum(n_waits * {{ cut('wait', horizon) }}) as double) / sum(n_waits) as mean,
        cast(
            sum(n_waits)
            * sum(n_waits * {{ cut('wait', horizon) }} * {{ cut('wait', horizon) }})
            - sum(n_waits * {{ cut('wait', horizon) }}) * sum(n_waits * {{ cut('wait', horizon) }})
            as double
        ) / (cast(sum(n_waits) as double) * cast(sum(n_waits) - 1 as double)) as variance
    from judged
    where {{ horizon }} >= 28
    group by line, span_days, cohort_number, {{ horizon }}
    having sum(n_waits) >= {{ fewest }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

compared as (

    select
        this.line,
        this.span_days,
        this.cohort_number,
        this.horizon,
        this.mean - prior.mean as delta,
        sqrt(this.variance / this.n + prior.variance / prior.n) as error,
        count(*) over (partition by this.line, this.span_days) as comparisons
    from means as this
    inner join means as prior
        on
            this.line = prior.line
            and this.span_days = prior.span_days
            and this.cohort_number = prior.cohort_number
    where this.role = 'this' and prior.role = 'prior' and this.variance + prior.variance > 0

),

---------- how often they came before they went

gone as (

    select
        lines.line,
        cohorts.number,
        {{ first_span('silent.first_day', 'silent.as_of') }} as first_span,
        silent.steps,
        count(*) as parties
    from (
        select
            days.as_of,
            party_steps.step,
            party_steps.party_id,
            party_steps.first_day,
            party_steps.steps,
            {{ days_between('party_steps.day', 'days.as_of') }} as silent_days
        from days
        inner join {{ ref('int_parties__steps') }} as party_steps
            on
                party_steps.day <= days.as_of
                and (party_steps.next_day is null or party_steps.next_day > days.as_of)
    ) as silent
    inner join lines
        on
            silent.as_of = lines.as_of
            and silent.step = lines.step
            and silent.silent_days > lines.quiet_days
    inner join cohorts on silent.party_id = cohorts.party_id
    group by
        lines.line,
        cohorts.number,
        {{ first_span('silent.first_day', 'silent.as_of') }},
        silent.steps

),

gone_in_cohorts as (

    {{ in_cohorts('gone', ['line', 'steps', 'parties']) }}

),

gone_by_steps as (

    select
        {{ grain | join(', ') }},
        steps,
        sum(parties) as parties,
        sum(sum(parties)) over (
            partition by {{ grain | join(', ') }} order by steps
            rows between unbounded preceding and current row
        ) as up_to,
        sum(sum(parties)) over (partition by {{ grain | join(', ') }}) as gone
    from gone_in_cohorts
    group by {{ grain | join(', ') }}, steps

),

goings as (

    select
        {{ grain | join(', ') }},
        cast(max(gone) as bigint) as gone,
        cast(sum(parties * steps) as double) / cast(max(gone) as double) as mean_steps,
        -- of an even number the mean of the middle two
        cast(
            (
                min(case when 2 * up_to >= gone then steps end)
                + min(case when 2 * up_to > gone then steps end)
            ) as decimal(10, 1)
        ) / 2 as median_steps,
        sum(case when steps = 1 then parties else 0 end) as after_one,
        sum(case when steps >= 4 then parties else 0 end) as after_four
    from gone_by_steps
    group by {{ grain | join(', ') }}

),

---------- who was there in the last 28 days, of those who were there in the 28 before

recent as (

    select
        days.as_of,
        party_steps.step,
        party_steps.party_id,
        party_steps.first_day,
        max(case when party_steps.day > {{ days_after('days.as_of', -28) }} then 1 else 0 end)
            as is_active,
        max(case when party_steps.day <= {{ days_after('days.as_of', -28) }} then 1 else 0 end)
            as was_active
    from days
    inner join {{ ref('int_parties__steps') }} as party_steps
        on
            party_steps.day <= days.as_of
            and party_steps.day > {{ days_after('days.as_of', -56) }}
    group by
        days.as_of,
        party_steps.step,
        party_steps.party_id,
        party_steps.first_day

),

recent_alike as (

    select
        recent.as_of,
        recent.step,
        {{ first_span('recent.first_day', 'recent.as_of') }} as first_span,
        recent.is_active,
        cohorts.number,
        count(*) as parties
    from recent
    inner join cohorts on recent.party_id = cohorts.party_id
    where recent.was_active = 1
    group by
        recent.as_of,
        recent.step,
        {{ first_span('recent.first_day', 'recent.as_of') }},
        recent.is_active,
        cohorts.number

),

recent_in_cohorts as (

    {{ in_cohorts('recent_alike', ['as_of', 'step', 'is_active', 'parties']) }}

),

retained as (

    select
        as_of,
        step,
        span_days,
        cohort_number,
        cast(sum(parties) as bigint) as previous_active,
        cast(sum(parties * is_active) as bigint) as retained
    from recent_in_cohorts
    group by as_of, step, span_days, cohort_number

),

---------- what BG/NBD expects of those who buy

fits as (

    select * from {{ ref('int_purchases__fits') }}
    where model = 'bg_nbd' and state = 'fitted'

),

expected as (

    select
        histories.as_of,
        histories.basis,
        {{ first_span('histories.first_day', 'histories.as_of') }} as first_span,
        cohorts.number,
        sum(cast(outlook.expected as decimal(18, 9))) as expected,
        count(*) as parties
    from {{ ref('int_purchases__histories') }} as histories
    inner join {{ ref('int_purchases__outlook') }} as outlook
        on
            histories.as_of = outlook.as_of
            and histories.basis = outlook.basis
            and histories.repeats = outlook.repeats
            and histories.recency_days = outlook.recency_days
            and histories.age_days = outlook.age_days
    inner join cohorts on histories.party_id = cohorts.party_id
    where outlook.model = 'bg_nbd'
    group by
        histories.as_of,
        histories.basis,
        {{ first_span('histories.first_day', 'histories.as_of') }},
        cohorts.number

),

expected_in_cohorts as (

    {{ in_cohorts('expected', ['as_of', 'basis', 'expected', 'parties']) }}

),

expectations as (

    select
        as_of,
        basis,
        span_days,
        cohort_number,
        cast(sum(expected) as double) / cast(sum(parties) as double) as expected_purchases
    from expected_in_cohorts
    group by as_of, basis, span_days, cohort_number

),

---------- together

joined as (

    select
        counts.*,
        lines.as_of,
        lines.step,
        lines.quiet_days,
        snapshots.basis,
        case
            when counts.span_days > 0 then 'arrival_' || cast(counts.span_days as string) || 'd'
            else names.cohort_type
        end as cohort_type,
        case when counts.span_days > 0 then cast(counts.cohort_number as string) else names.cohort end
            as cohort,
        lines.quiet_days = settings.quiet_days as is_chosen,
        settings.outlook_days,
        {%- for point in points %}
        cast(lasting.share_beyond_{{ point }} as double) as alive_{{ point }}d,
        {%- endfor %}
        lasting.median_wait as median_days,
        {%- for horizon in horizons %}
        cast(lasting.mean_{{ horizon }} as double) as mean_{{ horizon }},
        1.959964 * sqrt(cast(lasting.variance_{{ horizon }} as double)) as reach_{{ horizon }},
        {%- endfor %}
        compared.horizon,
        compared.delta,
        compared.error,
        compared.comparisons,
        coalesce(goings.gone, 0) as gone,
        goings.mean_steps,
        goings.median_steps,
        {{ share('goings.after_one', 'goings.gone') }} as one_step_share,
        {{ share('goings.after_four', 'goings.gone') }} as four_steps_share,
        coalesce(retained.previous_active, 0) as previous_active,
        retained.retained,
        case when lines.step = 'purchase' then fits.a end as a,
        case when lines.step = 'purchase' then fits.b end as b,
        case when lines.step = 'purchase' then expectations.expected_purchases end
            as expected_purchases,
        snapshots.known_at,
        case
            when lines.step = 'purchase' then case when seen.sees_orders then 1.0 else 0.0 end
            when lines.is_community_only then case when seen.sees_forum then 1.0 else 0.0 end
            when lines.step = 'any act' then seen.coverage
            else cast(
                case when seen.sees_crm then 1 else 0 end
                + case when seen.sees_forum then 1 else 0 end
                + case when seen.sees_support then 1 else 0 end as double
            ) / 3
        end as coverage
    from counts
    cross join settings
    inner join lines on counts.line = lines.line
    inner join snapshots on lines.as_of = snapshots.as_of
    left join cohort_names as names on counts.span_days = 0 and counts.cohort_number = names.number
    {%- for part in ['lasting', 'compared', 'goings'] %}
    left join {{ part }}
        on
            {%- for column in grain %}
            {% if not loop.first %}and {% endif %}counts.{{ column }} = {{ part }}.{{ column }}
            {%- endfor %}
    {%- endfor %}
    left join retained
        on
            lines.as_of = retained.as_of
            and lines.step = retained.step
            and counts.span_days = retained.span_days
            and counts.cohort_number = retained.cohort_number
    left join fits
        on
            lines.as_of = fits.as_of
            and snapshots.basis = fits.basis
            and names.cohort_type = 'all'
    left join expectations
        on
            lines.as_of = expectations.as_of
            and snapshots.basis = expectations.basis
            and counts.span_days = expectations.span_days
            and counts.cohort_number = expectations.cohort_number
    left join seen on lines.as_of = seen.as_of and snapshots.basis = seen.basis

),

found as (

    select
        *,
        -- as sure as 1 in 20 over all comparisons of this kind on this day, not in each of them
        case
            when abs(delta) > error * {{ normal_beyond('0.025 / comparisons') }}
                then case when delta > 0 then 'longer' else 'shorter' end
            when delta is not null then 'no difference'
        end as delta_finding
    from joined

),

final as (

    select
        ---------- grain
        as_of,
        basis,
        step,
        cast(quiet_days as int) as quiet_days,
        cohort_type,
        cohort,
        is_chosen,
        case
            when span_days > 0
                then {{ days_after('as_of', '1 - cohort_number * span_days') }}
        end as came_from,
        case
            when span_days > 0
                then {{ days_after('as_of', '-(cohort_number - 1) * span_days') }}
        end as came_until,
        came,
        watched,
        ended,

        ---------- how long it lasts
        {%- for point in points %}
        alive_{{ point }}d,
        {%- endfor %}
        cast(median_days as bigint) as median_days,
        {%- for horizon, months in [(365, 12), (730, 24)] %}
        mean_{{ horizon }} as rmst_{{ months }}m_days,
        -- an end of the interval that is unknown must not become the bound
        case
            when mean_{{ horizon }} is not null
                then greatest(mean_{{ horizon }} - reach_{{ horizon }}, 0)
        end as rmst_{{ months }}m_low,
        case
            when mean_{{ horizon }} is not null
                then least(mean_{{ horizon }} + reach_{{ horizon }}, {{ horizon }})
        end as rmst_{{ months }}m_high,
        {%- endfor %}

        ---------- against the prior cohort
        cast(horizon as int) as delta_horizon_days,
        delta as delta_days,
        delta - 1.959964 * error as delta_low,
        delta + 1.959964 * error as delta_high,
        delta_finding,

        ---------- before they go
        gone,
        mean_steps as gone_after_mean,
        cast(median_steps as decimal(10, 1)) as gone_after_median,
        one_step_share as gone_after_one_share,
        four_steps_share as gone_after_four_share,
        b / (a + b) as model_beyond_1,
        b / (a + b) * (b + 1) / (a + b + 1) as model_beyond_2,
        b / (a + b) * (b + 1) / (a + b + 1) * (b + 2) / (a + b + 2) as model_beyond_3,
        expected_purchases,
        cast(outlook_days as int) as expected_within_days,

        ---------- who stays, by two other definitions
        previous_active as previous_active_28d,
        {{ share('coalesce(retained, 0)', 'previous_active') }} as period_retention_28d,
        {{ share('came - gone', 'came') }} as rolling_retention,

        ---------- in words
        case
            when delta_finding in ('longer', 'shorter')
                then 'those who came then stay '
                    || {{ rounded_days('cast(abs(delta) as decimal(10, 1))') }}
                    || ' ' || delta_finding || ' than those before, of the first '
                    || cast(horizon as string)
        end as reason_1,
        case
            when gone > 0
                then cast(gone as string) || ' of ' || cast(came as string)
                    || ' have not come for ' || {{ counted('quiet_days', 'day') }}
                    || '; half of these came '
                    || case
                        when median_steps = 1 then 'once'
                        else 'no more than ' || {{ days_number('median_steps') }} || ' times'
                    end
        end as reason_2,

        ---------- provenance
        watched as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from found

)

select * from final
