{{ stage_records(source('landing', 'discourse__users'), [
    ['user_id', 'id', 'integer'],
    ['username', 'username', 'text'],
    ['name', 'name', 'text'],
    ['email', 'email', 'text'],
    ['secondary_emails', 'secondary_emails', 'json'],
    ['external_id', 'single_sign_on_record.external_id', 'text'],
    ['is_admin', 'admin', 'boolean'],
    ['is_moderator', 'moderator', 'boolean'],
    ['is_active', 'active', 'boolean'],
    ['is_staged', 'staged', 'boolean'],
    ['created_at', 'created_at', 'timestamp'],
]) }}
