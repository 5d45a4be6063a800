{% for stream in ['contacts', 'leads', 'users'] %}
select
    _source || ':{{ stream }}:' || _key as profile_key,
    email,
    created_at,
    _version,
    _seq
from {{ known(ref('stg_salesforce__' ~ stream)) }} as {{ stream }}
{{ 'union all' if not loop.last }}
{% endfor %}
