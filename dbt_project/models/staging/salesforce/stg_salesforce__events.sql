{{ stage_records(source('landing', 'salesforce__events'), [
    ['event_id', 'Id', 'text'],
    ['who_id', 'WhoId', 'text'],
    ['what_id', 'WhatId', 'text'],
    ['account_id', 'AccountId', 'text'],
    ['owner_id', 'OwnerId', 'text'],
    ['event_type', 'Type', 'text'],
    ['is_private', 'IsPrivate', 'boolean'],
    ['is_child', 'IsChild', 'boolean'],
    ['activity_date', 'ActivityDate', 'date'],
    ['activity_at', 'ActivityDateTime', 'timestamp'],
    ['start_at', 'StartDateTime', 'timestamp'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
