{{ stage_records(source('landing', 'hubspot__marketing_emails'), [
    ['marketing_email_id', 'id', 'text'],
    ['name', 'name', 'text'],
    ['state', 'state', 'text'],
    ['email_type', 'type', 'text'],
    ['campaign_id', 'campaign', 'text'],
    ['sendings', 'allEmailCampaignIds', 'json'],
    ['subscription_type', 'subscriptionDetails', 'json'],
    ['counters', 'stats.counters', 'json'],
    ['published_at', 'publishDate', 'timestamp'],
    ['is_archived', 'archived', 'boolean'],
    ['created_at', 'createdAt', 'timestamp'],
]) }}
