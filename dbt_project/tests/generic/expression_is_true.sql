{# Fails for every row of which `expression` is false; null passes, as in a check constraint. #}
{% test expression_is_true(model, expression) %}

select *
from {{ model }}
where not ({{ expression }})

{% endtest %}
