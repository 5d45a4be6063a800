{#
    Fails for every row that this build wrote, by a strategy, in a state that somebody has to do
    something about (`red`: values of `column`), and that lacks what to do, who does it, or why.
#}
{% test red_needs_action(model, column, red, reason='reason_1', owner='owner') %}

select rows_of_build.*
from {{ model }} as rows_of_build
inner join {{ source('control', 'run') }} as run on rows_of_build.known_at = run.known_at
cross join ({{ metric_settings() }}) as settings
where
    settings.has_strategy
    and {{ column }} in (
        {%- for value in red %}{{ "'" ~ value ~ "'" if value is string else value }}{{ ', ' if not loop.last }}{% endfor -%}
    )
    and (action is null or {{ owner }} is null or {{ reason }} is null)

{% endtest %}
