{#
    What the last run saw stands in `identity_seen`, which the last model of a run writes and this
    one takes its mark from: without the mark, as after a run that did not come to its end, all is
    done anew. Profiles meet by their digests, which are numbers: those that meet are alike.
#}
{{ config(post_hook="{{ take_mark() }}") }}
{%- set needed = [ref('identity_digest'), ref('identity_profile')] -%}
{%- set seen = left_by_last_run('identity_seen') -%}
{%- if not seen or should_full_refresh() or not has_published_ids(seen) -%}
select
    cast(null as {{ dbt.type_string() }}) as profile_key,
    'whole' as change,
    {{ key_hash("''") }} as key_hash
from {{ ref('identity_digest') }}
where kind = 'all'
{%- else -%}
with unmet as (
    select profiles.profile_key, seen.key_hash as seen_hash
    from {{ ref('identity_profile') }} as profiles
    full outer join (select key_hash, digest from {{ seen }} where kind = 'profile') as seen
        on profiles.digest = seen.digest
    where profiles.digest is null or seen.digest is null
),

other_facts as (
    select
        coalesce(digests.kind, seen.kind) as kind,
        coalesce(digests.name, seen.name) as name
    from {{ ref('identity_digest') }} as digests
    full outer join (select * from {{ seen }} where kind not in ('profile', 'run')) as seen
        on digests.kind = seen.kind and digests.name = seen.name
    where digests.digest is distinct from seen.digest
),

changes as (
    select profile_key, 'new' as change from unmet where profile_key is not null

    union all

    select name, 'gone'
    from {{ seen }}
    where kind = 'profile' and key_hash in (select seen_hash from unmet)

    union all

    select profile_key, 'changed'
    from {{ ref('identity_profile') }}
    where organization_key in (select name from other_facts where kind = 'place')

    union all

    select profile_key, 'changed'
    from {{ ref('identity_profile') }}
    where entity = 'organization'
        and reference_key in (select name from other_facts where kind = 'place')

    union all

    select profile_key, 'changed'
    from {{ ref('identity_profile') }}
    where {{ company_key('organization_name') }} in (
        select name from other_facts where kind = 'company'
    )

    union all

    select profile_key, 'changed'
    from {{ ref('identity_profile') }}
    where profile_key in (select name from other_facts where kind in ('claim', 'likeness'))

    union all

    select '', 'whole' from other_facts where kind = 'all'

    union all

    select '#flags', 'changed' from other_facts where kind = 'flags'
)

-- who is seen with other fields comes as new and as gone
select
    profile_key,
    case when count(distinct change) > 1 then 'changed' else min(change) end as change,
    {{ key_hash('profile_key') }} as key_hash
from changes
group by profile_key
{%- endif %}
