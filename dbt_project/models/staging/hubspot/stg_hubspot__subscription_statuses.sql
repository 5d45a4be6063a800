{{ stage_records(source('landing', 'hubspot__subscription_statuses'), [
    ['contact_id', 'contactId', 'text'],
    ['statuses', 'statuses', 'json'],
    ['wide_statuses', 'wideStatuses', 'json'],
]) }}
