with tasks as (
    select
        *,
        coalesce(status = 'COMPLETED', false) as is_done
    from {{ current(ref('stg_hubspot__tasks')) }} as tasks
    where not _is_deleted and due_at is not null
),

deals as (
    select * from {{ ref('int_hubspot__deals') }}
),

cases as (
    select * from {{ ref('int_hubspot__cases') }}
),

linked as (
    select
        tasks.*,
        {{ profile_key('contacts', 'contact_links.to_id', 'tasks._source') }} as contact_key,
        {{ profile_key('companies', 'company_links.to_id', 'tasks._source') }} as company_key,
        {{ profile_key('deals', 'deal_links.to_id', 'tasks._source') }} as deal_key,
        {{ profile_key('tickets', 'ticket_links.to_id', 'tasks._source') }} as case_key
    from tasks
    {%- for links, to_type in [
        ('contact_links', 'contacts'), ('company_links', 'companies'), ('deal_links', 'deals'),
        ('ticket_links', 'tickets')
    ] %}
    left join {{ hubspot_links(to_type) }} as {{ links }}
        on tasks._source = {{ links }}._source
        and tasks._stream = {{ links }}.from_type
        and tasks._key = {{ links }}.from_id
        and {{ links }}.link_rank = 1
    {%- endfor %}
),

placed as (
    select
        linked.*,
        cases.case_id,
        coalesce(contact_key, cases.person_key) as person_key,
        coalesce(company_key, deals.organization_key, cases.organization_key) as organization_key
    from linked
    left join deals on linked.deal_key = deals.deal_id
    left join cases on linked.case_key = cases.case_id
),

words as (
    select * from {{ ref('channel_word') }} where usage = 'activity'
)

select {{ commitment_row({
    'commitment_id': profile_key('tasks', '_key'), 'source': '_source',
    'person_key': 'person_key', 'organization_key': 'organization_key',
    'owner_key': profile_key('owners', 'owner_id'), 'case_id': 'case_id',
    'kind': "coalesce(words.kind, 'task')", 'is_ours': 'true', 'made_at': 'created_at',
    'due_at': 'due_at', 'fulfilled_at': 'case when is_done then completed_at end',
    'is_fulfilled': 'is_done', 'is_called_off': 'false', 'occurred_at': 'created_at',
    'loaded_at': '_first_loaded_at',
}) }}
from placed
left join words on lower(placed.task_type) = words.word
where (person_key is not null or organization_key is not null)
    and (
        not is_done
        or completed_at is null
        or {{ seconds_between('created_at', 'completed_at') }} > 60
    )
