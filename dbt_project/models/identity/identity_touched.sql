{#
    Every pair of `identity_candidate` that is another than in the last run has both its ends here.
#}
{% set needed = [
    ref('identity_delta'), ref('identity_delta_value'), ref('identity_identifier'),
    ref('identity_identifier_book'), ref('identity_name'), ref('identity_override'),
    ref('identity_profile'), ref('identity_rare_name'), ref('identity_suppression'),
    ref('identity_touched_value'),
] %}
{% set candidates = left_by_last_run('identity_candidate') %}
{% if is_part_run() -%}
with delta as (
    select profile_key, key_hash from {{ ref('identity_delta') }}
),

-- who is merged or converted into another
heirs as (
    select profile_key, merged_into as heir_key
    from {{ ref('identity_profile') }}
    where merged_into is not null
    union all
    select profile_key, converted_into
    from {{ ref('identity_profile') }}
    where converted_into is not null
),

-- Values that could join, or show what is somebody's own, before or now; and numbers that mean
-- something else now.
live as (
    select
        before.value_hash,
        coalesce(before.flag = 'ok', false) <> coalesce(book.flag = 'ok', false) as is_turned
    from {{ ref('identity_touched_value') }} as before
    left join {{ ref('identity_identifier_book') }} as book
        on before.value_hash = book.value_hash
        and before.id_type = book.id_type
    where {{ can_join('before') }}
        or {{ can_join('book') }}
        or (before.id_type = 'phone' and coalesce(before.flag <> book.flag, true))
),

holders as (
    select identifiers.profile_key, identifiers.key_hash, live.is_turned
    from {{ ref('identity_identifier') }} as identifiers
    -- an id of one type meets one of another
    inner join live on identifiers.value_hash = live.value_hash
),

met_names as (
    select names.name_hash
    from {{ ref('identity_name') }} as names
    inner join (
        select key_hash from delta
        union
        select key_hash from holders where is_turned
    ) as bearers on names.key_hash = bearers.key_hash
    where names.name_hash is not null

    union

    select {{ key_hash('value') }} from {{ ref('identity_delta_value') }} where id_type = 'name_key'
),

rare_pairs as (
    select
        least(one.profile_key, other.profile_key) as left_key,
        greatest(one.profile_key, other.profile_key) as right_key
    from {{ ref('identity_rare_name') }} as one
    inner join {{ ref('identity_rare_name') }} as other
        on one.name_key = other.name_key and one.profile_key < other.profile_key
),

turned_rare_pairs as (
    select
        coalesce(rare_pairs.left_key, before.left_key) as left_key,
        coalesce(rare_pairs.right_key, before.right_key) as right_key
    from rare_pairs
    full outer join (select * from {{ candidates }} where rule_id = 'rare_name') as before
        on rare_pairs.left_key = before.left_key and rare_pairs.right_key = before.right_key
    where rare_pairs.left_key is null or before.left_key is null
),

touched as (
    select profile_key from delta
    union
    select profile_key from holders
    union
    select names.profile_key
    from {{ ref('identity_name') }} as names
    inner join met_names on names.name_hash = met_names.name_hash

    union

    select candidates.left_key
    from {{ candidates }} as candidates
    inner join delta on candidates.right_hash = delta.key_hash
    union
    select candidates.right_key
    from {{ candidates }} as candidates
    inner join delta on candidates.left_hash = delta.key_hash

    union

    select heirs.heir_key
    from heirs
    inner join delta on heirs.profile_key = delta.profile_key
    union
    select heirs.profile_key
    from heirs
    inner join delta on heirs.heir_key = delta.profile_key

    union

    select left_key from turned_rare_pairs
    union
    select right_key from turned_rare_pairs

    union

    select value from {{ ref('identity_delta_value') }} where id_type = 'said'
    union
    select left_key from {{ ref('identity_override') }}
    union
    select right_key from {{ ref('identity_override') }}
    union
    select profile_key from {{ ref('identity_suppression') }}
)

select profile_key, {{ key_hash('profile_key') }} as key_hash
from touched
{%- else -%}
select profile_key, key_hash from {{ ref('identity_delta') }} where false
{%- endif %}
