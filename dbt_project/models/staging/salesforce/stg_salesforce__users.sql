{{ stage_records(source('landing', 'salesforce__users'), [
    ['user_id', 'Id', 'text'],
    ['name', 'Name', 'text'],
    ['given_name', 'FirstName', 'text'],
    ['family_name', 'LastName', 'text'],
    ['email', 'Email', 'text'],
    ['title', 'Title', 'text'],
    ['is_active', 'IsActive', 'boolean'],
    ['user_type', 'UserType', 'text'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
