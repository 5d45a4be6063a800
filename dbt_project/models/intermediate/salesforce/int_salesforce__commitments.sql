with tasks as (
    select
        *,
        coalesce(is_closed, false) as is_done,
        {{ salesforce_person('who_id') }} as who_key,
        coalesce(
            {{ profile_key('accounts', 'account_id') }},
            case when what_id like '001%' then {{ profile_key('accounts', 'what_id') }} end
        ) as account_key,
        case when what_id like '006%' then {{ profile_key('opportunities', 'what_id') }} end
            as deal_key,
        case when what_id like '500%' then {{ profile_key('cases', 'what_id') }} end as case_key
    from {{ current(ref('stg_salesforce__tasks')) }} as tasks
    where not _is_deleted and activity_date is not null
),

deals as (
    select * from {{ ref('int_salesforce__deals') }}
),

cases as (
    select * from {{ ref('int_salesforce__cases') }}
),

words as (
    select * from {{ ref('channel_word') }} where usage = 'activity'
),

placed as (
    select
        tasks.*,
        cases.case_id,
        coalesce(who_key, cases.person_key) as person_key,
        coalesce(account_key, deals.organization_key, cases.organization_key) as organization_key
    from tasks
    left join deals on tasks.deal_key = deals.deal_id
    left join cases on tasks.case_key = cases.case_id
)

select {{ commitment_row({
    'commitment_id': profile_key('tasks', '_key'), 'source': '_source',
    'person_key': 'person_key', 'organization_key': 'organization_key',
    'owner_key': salesforce_user('owner_id'), 'case_id': 'case_id',
    'kind': "coalesce(words.kind, 'task')", 'is_ours': 'true', 'made_at': 'created_at',
    'due_at': end_of_day('activity_date'), 'fulfilled_at': 'case when is_done then completed_at end',
    'is_fulfilled': 'is_done', 'is_called_off': 'false', 'occurred_at': 'created_at',
    'loaded_at': '_first_loaded_at',
}) }}
from placed
left join words
    on lower(coalesce(nullif(placed.task_subtype, 'Task'), placed.task_type, 'task')) = words.word
where (person_key is not null or organization_key is not null)
    and (not is_done or {{ seconds_between('created_at', 'completed_at') }} > 60)
