{{ stage_records(source('landing', 'bluesky__notifications'), [
    ['uri', 'uri', 'text'],
    ['author_did', 'author.did', 'text'],
    ['reason', 'reason', 'text'],
    ['claimed_at', 'record.createdAt', 'text'],
    ['reply', 'record.reply', 'json'],
    ['indexed_at', 'indexedAt', 'timestamp'],
]) }}
