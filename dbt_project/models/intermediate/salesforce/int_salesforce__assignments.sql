-- A change of owner stands twice, by id and by name; ids may have 15 characters. A queue is nobody.
with changes as (
    select *, substr(new_value, 1, 3) as owner_kind
    from {{ current(ref('stg_salesforce__case_history')) }} as changes
    where field in ('Owner', 'ownerAccepted', 'ownerAssignment', 'ownerEscalated')
        and length(new_value) in (15, 18)
        and not _is_deleted
),

users as (
    select * from {{ ref('int_salesforce__profiles') }} where stream = 'users'
)

select {{ assignment_row({
    'assignment_id': profile_key('case_history', 'changes._key', 'changes._source'),
    'case_id': profile_key('cases', 'changes.case_id', 'changes._source'),
    'actor_key': salesforce_user('changes.created_by_id', 'changes._source'),
    'owner_key': profile_key('users', 'users.native_id', 'users.source'),
    'occurred_at': 'changes.created_at', 'loaded_at': 'changes._first_loaded_at',
}) }}
from changes
left join users
    on changes._source = users.source and substr(changes.new_value, 1, 15) = users.alternate_id
where changes.owner_kind = '00G' or users.native_id is not null
