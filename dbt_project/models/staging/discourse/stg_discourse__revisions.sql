{{ stage_records(source('landing', 'discourse__revisions'), [
    ['post_id', 'post_id', 'integer'],
    ['revision_number', 'current_revision', 'integer'],
    ['editor_username', 'username', 'text'],
    ['is_by_author', 'by_author', 'boolean'],
    ['edit_reason', 'edit_reason', 'text'],
    ['created_at', 'created_at', 'timestamp'],
]) }}
