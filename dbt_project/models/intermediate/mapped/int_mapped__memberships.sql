-- Every version of a person, as the organization it told and when.
select
    _source || ':' || _stream || ':' || _key as profile_key,
    case when _op <> 'delete' then organization_key end as organization_key,
    cast(null as {{ dbt.type_string() }}) as title,
    created_at,
    _version,
    _seq
from {{ known(ref('stg_mapped__people')) }} as people
