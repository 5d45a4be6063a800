{{ stage_records(source('landing', 'salesforce__contacts'), [
    ['contact_id', 'Id', 'text'],
    ['account_id', 'AccountId', 'text'],
    ['owner_id', 'OwnerId', 'text'],
    ['given_name', 'FirstName', 'text'],
    ['family_name', 'LastName', 'text'],
    ['name', 'Name', 'text'],
    ['email', 'Email', 'text'],
    ['phone', 'Phone', 'text'],
    ['mobile_phone', 'MobilePhone', 'text'],
    ['title', 'Title', 'text'],
    ['is_person_account', 'IsPersonAccount', 'boolean'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
