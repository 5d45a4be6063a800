-- Every version of a contact, as the organization and title it told and when.
select
    _source || ':contacts:' || _key as profile_key,
    case when _op <> 'delete' then {{ profile_key('accounts', 'account_id') }} end
        as organization_key,
    title,
    created_at,
    _version,
    _seq
from {{ known(ref('stg_salesforce__contacts')) }} as contacts
where not coalesce(is_person_account, false)
