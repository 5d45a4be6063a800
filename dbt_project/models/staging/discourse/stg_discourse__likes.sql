{{ stage_records(source('landing', 'discourse__likes'), [
    ['post_id', 'post_id', 'integer'],
    ['user_id', 'id', 'integer'],
    ['emoji', 'reaction', 'text'],
]) }}
