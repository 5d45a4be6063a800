{{ stage_records(source('landing', 'discourse__categories'), [
    ['category_id', 'id', 'integer'],
    ['name', 'name', 'text'],
    ['parent_category_id', 'parent_category_id', 'integer'],
]) }}
