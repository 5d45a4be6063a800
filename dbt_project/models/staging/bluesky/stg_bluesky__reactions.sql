{{ stage_records(source('landing', 'bluesky__reactions'), [
    ['uri', 'uri', 'text'],
    ['author_did', 'author.did', 'text'],
    ['reason', 'reason', 'text'],
    ['post_uri', 'reasonSubject', 'text'],
    ['claimed_at', 'record.createdAt', 'text'],
    ['indexed_at', 'indexedAt', 'timestamp'],
]) }}
