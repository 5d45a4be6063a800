{{ stage_records(source('landing', 'salesforce__case_comments'), [
    ['case_comment_id', 'Id', 'text'],
    ['case_id', 'ParentId', 'text'],
    ['created_by_id', 'CreatedById', 'text'],
    ['is_published', 'IsPublished', 'boolean'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
