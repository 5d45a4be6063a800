{{ stage_records(source('landing', 'hubspot__email_events'), [
    ['email_event_id', 'id', 'text'],
    ['event_type', 'type', 'text'],
    ['contact_id', 'contactId', 'text'],
    ['sending_id', 'emailCampaignId', 'text'],
    ['sent_by_id', 'sentBy.id', 'text'],
    ['is_filtered', 'filteredEvent', 'boolean'],
    ['change_source', 'source', 'text'],
    ['status_of_all', 'portalSubscriptionStatus', 'text'],
    ['statuses', 'subscriptions', 'json'],
    ['bounce_category', 'category', 'text'],
    ['occurred_at', 'created', 'timestamp'],
]) }}
