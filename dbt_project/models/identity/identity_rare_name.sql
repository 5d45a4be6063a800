{# more are many people #}
{% set most_profiles_of_a_name = 12 %}

with names as (
    select key_hash, name_hash, {{ key_hash('family') }} as family_hash
    from {{ ref('identity_name') }}
    where name_hash is not null
),

single_families as (
    select family_hash
    from names
    group by family_hash
    having min(name_hash) = max(name_hash)
),

bearers as (
    select names.key_hash, names.name_hash
    from names
    inner join single_families on names.family_hash = single_families.family_hash
),

-- a name can be of several families: they are spelled otherwise
counted as (
    select names.name_hash
    from names
    where names.name_hash in (select name_hash from bearers)
    group by names.name_hash
    having count(*) between 2 and {{ most_profiles_of_a_name }}
)

select named.profile_key, named.name_key
from bearers
inner join counted on bearers.name_hash = counted.name_hash
inner join {{ ref('identity_name') }} as named on bearers.key_hash = named.key_hash
