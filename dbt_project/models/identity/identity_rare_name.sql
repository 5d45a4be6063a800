{# more are many people #}
{% set most_profiles_of_a_name = 12 %}

with names as (
    select profile_key, name_key, family
    from {{ ref('identity_name') }}
    where name_key is not null
),

single_families as (
    select family
    from names
    group by family
    having min(name_key) = max(name_key)
),

bearers as (
    select names.profile_key, names.name_key
    from names
    inner join single_families on names.family = single_families.family
),

-- a name can be of several families: they are spelled otherwise
counted as (
    select names.name_key
    from names
    where names.name_key in (select name_key from bearers)
    group by names.name_key
    having count(*) between 2 and {{ most_profiles_of_a_name }}
)

select bearers.profile_key, bearers.name_key
from bearers
inner join counted on bearers.name_key = counted.name_key
