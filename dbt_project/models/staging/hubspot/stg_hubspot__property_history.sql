{{ stage_records(source('landing', 'hubspot__property_history'), [
    ['object_type', 'objectType', 'text'],
    ['object_id', 'objectId', 'text'],
    ['property', 'property', 'text'],
    ['versions', 'versions', 'json'],
]) }}
