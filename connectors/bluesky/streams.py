"""What is read of Bluesky, and how long what settles, moves or vanishes is looked at.

Belongs here: declarations. Does not belong here: how anything is asked for.
"""

from __future__ import annotations

from datetime import timedelta

from connectors.base import Stream, by_field
from connectors.incremental import PUNCTUAL

INDEXING = timedelta(minutes=2)
LATE = timedelta(days=2)
NO_UNAUTHENTICATED = "!no-unauthenticated"

STREAMS: tuple[Stream, ...] = (
    Stream(
        name="posts",
        key=("uri",),
        fields=(
            *("uri", "cid", "author.did", "record.createdAt", "record.reply", "indexedAt"),
            *("replyCount", "repostCount", "likeCount", "quoteCount", "about"),
        ),
        cursor="indexedAt",
        cursor_trusted=False,  # an edit and a counter leave it alone
        lag=INDEXING,
        lookback=LATE,
        deletes="reread",
        types=by_field(
            integer="replyCount repostCount likeCount quoteCount",
            timestamp="indexedAt",
            json="author record about",
        ),
        pii=by_field(pseudonym="uri author record"),
        unreconciled="a search says how many it found, not how many there are; every post of the "
        "last 14 days is asked for again, daily",
        coverage="what the vendor's search shows: it may leave posts out, hides those of accounts "
        "that block us, and finds a post dated back by more than 2 days only as a notification, "
        "by more than 14 days not at all; "
        "edits, likes and deletions are noticed within 1 day for 14 days, then not any more",
    ),
    Stream(
        name="notifications",
        key=("uri",),  # a post notifies an account once: as a mention, else quote, else reply
        fields=(
            *("uri", "cid", "author.did", "reason", "reasonSubject", "record.createdAt"),
            *("record.reply", "indexedAt"),
        ),
        cursor="indexedAt",
        cursor_trusted=False,
        lookback=PUNCTUAL,
        deletes="reread",
        types=by_field(timestamp="indexedAt", json="author record"),
        pii=by_field(pseudonym="uri author reasonSubject record"),
        unreconciled="the vendor counts only what is unread, and lists no further back than it "
        "likes; every post of the last 14 days is asked for again, daily",
        coverage="mentions, replies and quotes as far back as the vendor lists them, without "
        "accounts that block us; deletions are noticed within 1 day for 14 days, then not any more",
    ),
    Stream(
        name="reactions",
        key=("uri",),
        fields=("uri", "author.did", "reason", "reasonSubject", "record.createdAt", "indexedAt"),
        cursor="indexedAt",
        cursor_trusted=False,
        lookback=PUNCTUAL,
        deletes="reread",
        types=by_field(timestamp="indexedAt", json="author record"),
        pii=by_field(pseudonym="uri author reasonSubject"),
        unreconciled="the vendor's list of them ends where it likes; those of the last 14 days are "
        "compared with it, daily",
        coverage="read with `likers: true` only: likes and reposts of our own posts, as far back "
        "as the vendor lists them but no further than `history_days`, without accounts that block "
        "us; what is taken back is noticed within 1 day for 14 days, then not any more",
    ),
    Stream(
        name="profiles",
        key=("did",),
        fields=("did", "handle", "displayName", "ours"),
        lag=INDEXING,
        lookback=LATE,
        deletes="reread",
        types=by_field(boolean="ours"),
        pii=by_field(pseudonym="did", direct="handle displayName"),
        unreconciled="nobody but us knows which accounts wrote about us; each is asked for again, "
        "daily",
        coverage="accounts whose posts are about us, with `likers: true` also those that liked or "
        "reposted ours; those that ask not to be shown to people who "
        f"are not logged in (`{NO_UNAUTHENTICATED}`) without handle and name",
    ),
)
