{# Fails where two half-open rows [valid_from, valid_to) of one `of` share a moment. #}
{% test one_at_a_time(model, of, where='true') %}

select *
from (
    select
        {{ of }},
        valid_from,
        valid_to,
        lead(valid_from) over (partition by {{ of }} order by valid_from) as next_from
    from {{ model }}
    where {{ where }}
) as rows_in_order
where next_from < valid_to or (next_from is not null and valid_to is null)

{% endtest %}
