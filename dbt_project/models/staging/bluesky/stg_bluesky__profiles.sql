{{ stage_records(source('landing', 'bluesky__profiles'), [
    ['did', 'did', 'text'],
    ['handle', 'handle', 'text'],
    ['display_name', 'displayName', 'text'],
    ['is_ours', 'ours', 'boolean'],
]) }}
