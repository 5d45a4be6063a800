{{ stage_records(source('landing', 'hubspot__list_memberships'), [
    ['list_id', 'listId', 'text'],
    ['record_id', 'recordId', 'text'],
    ['joined_at', 'membershipTimestamp', 'timestamp'],
]) }}
