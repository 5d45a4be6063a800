"""What is read of a Discourse forum, and how long what moves or vanishes is looked at.

Belongs here: declarations. Does not belong here: how anything is asked for.
"""

from __future__ import annotations

from datetime import timedelta

from connectors.base import Stream, by_field

ACTIVITY_OVERLAP = timedelta(days=1)  # `activity-after` knows days only, in the server's zone
TAIL = timedelta(days=14)
REREAD_EVERY = timedelta(days=1)
BESIDE_AT_FIRST = timedelta(days=365)  # at a call per post, what lies beside older ones takes days

STREAMS: tuple[Stream, ...] = (
    Stream(
        name="users",
        key=("id",),
        fields=(
            *("id", "username", "name", "email", "secondary_emails", "created_at", "last_seen_at"),
            *("active", "staged", "admin", "moderator", "trust_level", "post_count"),
            *("suspended_at", "suspended_till", "silenced_till"),
            "single_sign_on_record.external_id",
        ),
        sync_mode="full",
        deletes="census",
        types=by_field(
            integer="id trust_level post_count",
            boolean="active staged admin moderator",
            timestamp="created_at last_seen_at suspended_at suspended_till silenced_till",
            json="secondary_emails single_sign_on_record",
        ),
        pii=by_field(
            direct="name email secondary_emails",
            pseudonym="id username single_sign_on_record",
        ),
        reconciles="the whole list, at every sync",
        coverage="an anonymized user stays, under the same id and a name like `anon12345`",
    ),
    Stream(
        name="topics",
        key=("id",),
        fields=(
            *("id", "created_at", "last_posted_at", "bumped_at", "posts_count", "reply_count"),
            *("highest_post_number", "like_count", "category_id", "tags", "archetype", "visible"),
            *("closed", "archived", "pinned", "has_accepted_answer", "deleted_at"),
        ),
        cursor="bumped_at",
        cursor_trusted=False,  # staff can move it back, and most changes leave it alone
        lookback=ACTIVITY_OVERLAP,
        deletes="census",
        types=by_field(
            integer="id posts_count reply_count highest_post_number like_count category_id",
            boolean="visible closed archived pinned has_accepted_answer",
            timestamp="created_at last_posted_at bumped_at deleted_at",
            json="tags",
        ),
        reconciles="the whole list, weekly",
        coverage="what does not bump a topic (likes, closing, deletion) is noticed within 1 day "
        "for 14 days after its last activity, then within 7 days",
    ),
    Stream(
        name="posts",
        key=("id",),
        fields=(
            *("id", "topic_id", "post_number", "post_type", "reply_to_post_number", "user_id"),
            *("username", "created_at", "updated_at", "version", "deleted_at", "user_deleted"),
            *("hidden", "staff", "admin", "moderator", "trust_level", "accepted_answer", "wiki"),
            *("actions_summary.id", "actions_summary.count", "reactions.id", "reactions.count"),
            *("quotes", "mentions"),
        ),
        cursor="updated_at",
        cursor_trusted=False,  # likes, reactions and accepted answers leave it alone
        lookback=ACTIVITY_OVERLAP,
        deletes="reread",
        types=by_field(
            integer="id topic_id post_number post_type reply_to_post_number user_id version "
            "trust_level",
            boolean="user_deleted hidden staff admin moderator accepted_answer wiki",
            timestamp="created_at updated_at deleted_at",
            json="actions_summary reactions quotes mentions",
        ),
        pii=by_field(pseudonym="user_id username mentions"),
        unreconciled="no list shows all posts, and the forum's own count has deleted ones and "
        "private messages in it; those of topics active within 14 days are compared one by one",
        coverage="edits, likes, deletions and moderators' notes are noticed in topics active "
        "within 14 days, there in the newest 200 posts",
    ),
    Stream(
        name="categories",
        key=("id",),
        fields=("id", "name", "slug", "parent_category_id", "read_restricted"),
        sync_mode="full",
        deletes="census",
        reconciles="the whole list, at every sync",
        types=by_field(integer="id parent_category_id", boolean="read_restricted"),
        coverage="only categories that `api_username` may see",
    ),
    Stream(
        name="likes",
        key=("post_id", "id"),
        fields=("post_id", "id", "reaction"),
        deletes="reread",
        types=by_field(integer="post_id id"),
        pii=by_field(pseudonym="id"),
        unreconciled="no list shows all likes; those of posts of the last 14 days are compared "
        "with the count of each",
        coverage="read with `likers: true` only: at first about posts of the last 365 days, then "
        "once a day about those of the last 14 days whose count has changed; `--since` and "
        "`--full-refresh` go further back. When it was is not told; a like taken back while "
        "another was given is not noticed; other emoji come only where the forum lists them",
    ),
    Stream(
        name="revisions",
        key=("post_id", "current_revision"),
        fields=(
            *("post_id", "current_revision", "created_at", "username", "by_author"),
            "edit_reason",
        ),
        deletes="reread",
        types=by_field(
            integer="post_id current_revision", timestamp="created_at", boolean="by_author"
        ),
        pii=by_field(pseudonym="username", text="edit_reason"),
        text_fields=("edit_reason",),
        unreconciled="no list shows all edits; those of posts of the last 14 days are compared "
        "with the version of each",
        coverage="read with `revisions: true` only: at first of posts of the last 365 days, then "
        "once a day of those of the last 14 days that changed, and once a week of older ones that "
        "everybody may edit; `--since` and `--full-refresh` go further back. An edit that its "
        "author made within minutes is none; of a post with more, the newest 99; not those that "
        "staff hid, and not those whose texts the forum cannot compare",
    ),
)
