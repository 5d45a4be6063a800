{#
    What the last run saw stands in `identity_seen`, which the last model of a run writes and this
    one takes its mark from: without the mark, as after a run that did not come to its end, all is
    done anew.
#}
{{ config(post_hook="{{ take_mark() }}") }}
{%- set seen = left_by_last_run('identity_seen') -%}
{%- if not seen or should_full_refresh() or not has_published_ids() -%}
select cast(null as {{ dbt.type_string() }}) as profile_key, 'whole' as change
from {{ ref('identity_digest') }}
where profile_key = ''
{%- else -%}
with digests as (
    select * from {{ ref('identity_digest') }}
),

seen as (
    select * from {{ seen }}
)

select
    coalesce(digests.profile_key, seen.profile_key) as profile_key,
    case
        when digests.profile_key = '' then 'whole'
        when seen.profile_key is null then 'new'
        when digests.profile_key is null then 'gone'
        else 'changed'
    end as change
from digests
full outer join seen on digests.profile_key = seen.profile_key
where digests.digest is distinct from seen.digest
{%- endif %}
