{{ stage_records(source('landing', 'bluesky__posts'), [
    ['uri', 'uri', 'text'],
    ['cid', 'cid', 'text'],
    ['author_did', 'author.did', 'text'],
    ['claimed_at', 'record.createdAt', 'text'],
    ['reply', 'record.reply', 'json'],
    ['about', 'about', 'json'],
    ['n_replies', 'replyCount', 'integer'],
    ['n_reposts', 'repostCount', 'integer'],
    ['n_likes', 'likeCount', 'integer'],
    ['n_quotes', 'quoteCount', 'integer'],
    ['indexed_at', 'indexedAt', 'timestamp'],
]) }}
