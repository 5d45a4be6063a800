"""What a forum has beyond what is taken: it does not describe itself, so a page is looked at.

Belongs here: which lists to look at, and what is known of Discourse and never asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.base import Stream
from connectors.discourse import likes
from connectors.discourse.client import Forum
from connectors.discourse.revisions import Revisions
from connectors.discourse.streams import STREAMS
from connectors.discovery import Discovery, FoundObject, sampled
from connectors.records import split, values

_TAKEN_BY_SETTING = {
    "email": "`show_emails: true` takes it",
    "secondary_emails": "`show_emails: true` takes it",
    "single_sign_on_record.external_id": "`sso: true` takes it, by one call per user",
}
_ADDED = {"posts": ("quotes", "mentions"), "revisions": ("by_author",)}
_BESIDE = (
    FoundObject(name="likes", label="Who liked what",
                note="`likers: true` takes it, by one call per liked post"),
    FoundObject(name="revisions", label="Who edited what, and why",
                note="`revisions: true` takes it, by one call per edit"),
)  # fmt: skip
_TEXTS = ("raw", "cooked", "excerpt", "title", "fancy_title", "topic_title", "topic_html_title")
_NOT_READ = (
    FoundObject(name="private_messages", label="Messages", note="never taken"),
    FoundObject(name="whispers", label="Whispers and small actions", note="never taken"),
    FoundObject(name="earlier_texts", label="What posts said before an edit", note="never taken"),
    FoundObject(name="chat_messages", label="Chat", note="not built"),
    FoundObject(name="tags", label="Tags and groups of tags", note="only a topic's own are taken"),
    FoundObject(name="groups", label="Groups and their members", note="not built"),
    FoundObject(name="badges", label="Badges and who has them", note="not built"),
    FoundObject(name="polls", label="Polls and votes", note="not built"),
)


def discovered(forum: Forum, streams: Sequence[Stream]) -> Discovery:
    """Look at one page of each list."""
    samples: dict[str, Callable[[], list[bytes]]] = {
        "users": lambda: forum.user_page(1),
        "topics": lambda: split(forum.topic_list(None, 0), "topic_list", "topics"),
        "posts": lambda: split(forum.get("/posts.json"), "latest_posts"),
        "categories": lambda: next(forum.category_pages()),
        "likes": lambda: _likes(forum),
        "revisions": lambda: _revisions(forum),
    }
    taken = {stream.name for stream in streams}
    declared = {stream.name: stream.fields for stream in STREAMS}
    return Discovery(
        streams=tuple(
            sampled(
                stream,
                samples[stream.name],
                added=_ADDED.get(stream.name, ()),
                by_setting={
                    name: _TAKEN_BY_SETTING.get(name, "")
                    for name in declared[stream.name]
                    if name not in stream.fields
                },
                texts=_TEXTS,
            )
            for stream in streams
        ),
        objects=(*_NOT_READ, *(found for found in _BESIDE if found.name not in taken)),
        how="what Discourse is known to have; which of it this forum uses was not asked",
    )


def _likes(forum: Forum) -> list[bytes]:
    """Return who liked the newest of the posts that anybody liked."""
    posts = split(forum.get("/posts.json"), "latest_posts")
    liked = next((post for post in posts if likes.counts_mark(post)), None)
    return (likes.of_post(forum, liked) or []) if liked is not None else []


def _revisions(forum: Forum) -> list[bytes]:
    """Return the last edit of the newest of the posts that anybody edited."""
    posts = split(forum.get("/posts.json"), "latest_posts")
    revisions = Revisions(forum)
    edited = next((values(post, "id")[0] for post in posts if revisions.mark(post)), None)
    found = None if edited is None else forum.revision(edited, None)
    return [] if found is None else [found]
