"""The stage of a forum: users, topics, posts, categories, likes and edits, each read in its way."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from unittest import mock

from starlette.types import ASGIApp

from rapport.conformance.stage import ROWS_PER_PAGE, Emulated, Truth
from sandbox import discourse
from sandbox.discourse import Forum, ForumSettings
from sandbox.discourse import http as server
from sandbox.discourse.store import Category, Post

KEY, KEY_USER = "stage-forum-admin-key", "rapport"
_UNLIMITED = 1_000_000
_TOPICS = 3


class Stage(Emulated):
    """A forum whose every record is a user with a post, each third of them in a topic of its own.

    Each of these topics is alone in its category, every other one of which lies under another.
    The verbs' names are ids of posts.
    """

    type = vendor = "discourse"
    streams = ("users", "topics", "posts", "categories", "likes", "revisions")
    kinds: ClassVar = {"limited": ("429", "429_text", "429_crawler")}
    lists = ((), ("topic_list", "topics"), ("latest_posts",), ("post_stream", "posts"),
             ("category_list", "categories"), ("users",))  # fmt: skip
    retyped = (("name",), ("category_id",), ("staff",), ("slug",), ("reaction",))
    wrong: ClassVar = {"errors": ["internal"], "error_type": "rate_limit"}
    limits: ClassVar = {"connectors.discourse.client.POSTS_WINDOW_IDS": ROWS_PER_PAGE}
    beside = ("likes", "revisions")
    lacks: ClassVar = {
        "refused_token": "an API key does not expire",
        "resumes": "a walk taken up again is followed by a look-back of a page, or 50 posts",
        "lost_place": "pages are numbered, or asked for by id",
        "quota": "a forum has no quota of a day",
        "totals": "no answer counts what it lists",
        "pointers": "no page leads to the next one: they are numbered, or asked for by id",
        "empty_pages": "pages are numbered; ids that show nothing are passed by `deleted`",
        "stamps": "no stamp of a forum is trusted to order versions",
        "late": "a forum shows what is written at once",
        "merges": "merging users keeps one of them and leaves no trace of the other",
        "purges": "every deletion of a forum is one without a trace",
    }

    settling = (timedelta(hours=2), timedelta(hours=26))

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        limits = ForumSettings(
            ip_per_10_s=_UNLIMITED, ip_per_minute=_UNLIMITED, admin_api_per_minute=_UNLIMITED,
            posts_cache_s=0, lazy_categories=True,
        )  # fmt: skip
        at = self.clock.now()
        self.forum = Forum(at=at, title="Stage", settings=limits)
        self.forum.create_user(KEY_USER, name="Key", email="key@example.com", at=at, admin=True)
        self.forum.add_api_key(KEY)
        self.secrets.add(KEY)
        self.made = 0
        self._closed: dict[str, Category] = {}
        wanted = ("show_emails", "sso")
        self.settings = {
            "url": "http://forum.invalid",
            "api_key": KEY,
            "api_username": KEY_USER,
            "likers": True,
            "revisions": True,
            **{name: settings[name] for name in wanted if name in settings},
        }

    def emulator(self) -> ASGIApp:
        return discourse.app(self.forum, self.clock, self.faults)

    def connect_to(self, url: str) -> None:
        self.settings["url"] = url

    @contextlib.contextmanager
    def playing(self) -> Iterator[None]:
        with (
            super().playing(),
            mock.patch.object(server, "POSTS_WINDOW", ROWS_PER_PAGE),
            mock.patch.object(server, "USERS_PER_PAGE", ROWS_PER_PAGE),
            mock.patch.object(server, "CATEGORIES_PER_PAGE", ROWS_PER_PAGE),
            mock.patch.object(server, "SUBCATEGORIES_PER_CATEGORY", 1),
            mock.patch.object(server, "MOST_REACTORS", ROWS_PER_PAGE),
            mock.patch("connectors.discourse.client.REACTORS_PER_PAGE", ROWS_PER_PAGE),
            # the stage's clock may be set years ahead of its first posts
            mock.patch("connectors.discourse.beside.BESIDE_AT_FIRST", timedelta(days=3650)),
            mock.patch("connectors.discourse.beside.TAIL", timedelta(days=3650)),
            mock.patch("connectors.discourse.reads.TAIL", timedelta(days=3650)),
        ):
            yield

    def create(self, count: int, *, tied: bool = False) -> list[str]:
        made, forum = [], self.forum
        for _ in range(count):
            at, number = self._now(tied), self.made
            self.made += 1
            user = forum.create_user(f"weaver{number}", name=f"Weaver {number}",
                                     email=f"weaver{number}@example.com", at=at)  # fmt: skip
            open_topics = [topic.id for topic in forum.topics.values() if not topic.deleted_at]
            if number % _TOPICS == 0 or not open_topics:
                topic = forum.create_topic(user, f"How to weave number {number}", "Like so.", at,
                                           category_id=self._open_category(number))  # fmt: skip
                made.append(str(forum.topics[topic].posts[0].id))
            else:
                topic = open_topics[-1 - number % min(4, len(open_topics))]
                made.append(str(forum.reply(topic, user, f"Answer {number}.", at)))
            forum.like(int(made[-1]), self._reader(), at)
        return made

    def change(self, names: Collection[str], *, tied: bool = False) -> None:
        """Edit posts, clap to them or like them again, and let their authors take other names."""
        for name in names:
            at, post = self._now(tied), self.forum.posts[int(name)]
            self.forum.edit_post(post.id, f"changed {at:%d %H:%M:%S}", at, by=1, reason=f"{at:%S}")
            is_liked = self._reader() in (post.likers or ())
            self.forum.react(post.id, self._reader(), "clap" if is_liked else "heart", at)
            if post.user_id in self.forum.users:
                self.forum.users[post.user_id].name = f"Changed {at:%d %H:%M:%S}"
            category = self.forum.categories.get(self.forum.topics[post.topic_id].category_id or 0)
            if category is not None:
                category = dataclasses.replace(category, name=f"Changed {at:%d %H:%M:%S}")
                self.forum.categories[category.id] = category

    def delete(self, names: Collection[str]) -> None:
        """Delete posts, a topic with its first post and its category, and their authors."""
        for name in names:
            at, post = self._now(False), self.forum.posts[int(name)]
            if post.post_number == 1:
                self.forum.delete_topic(post.topic_id, at)
                self._close_category(name, self._category_of(post))
            else:
                self.forum.delete_post(post.id, at)
            if post.user_id in self.forum.users:
                self.forum.delete_user(post.user_id, at, delete_posts=True)

    def restore(self, names: Collection[str]) -> None:
        for name in names:
            post = self.forum.posts[int(name)]
            if post.post_number == 1:
                self.forum.recover_topic(post.topic_id)
                if name in self._closed:
                    self.forum.categories[self._category_of(post)] = self._closed.pop(name)
            else:
                self.forum.recover_post(post.id, self._now(False))

    def living(self) -> list[str]:
        return [str(post.id) for post in self._posts()]

    def _reader(self) -> int:
        return next(user for user in self.forum.users if user > 0)

    def _open_category(self, number: int) -> int:
        """Open a category, every other one under the one before that is on top."""
        last, key = max(self.forum.categories), 100 + number
        is_below = last >= 100 and self.forum.categories[last].parent_id is None
        self.forum.categories[key] = Category(
            id=key,
            name=f"Shed {number}",
            slug=f"shed-{number}",
            parent_id=last if is_below else None,
        )
        return key

    def _close_category(self, name: str, key: int) -> None:
        """Delete a category; the vendor keeps one that others lie under."""
        if not any(category.parent_id == key for category in self.forum.categories.values()):
            self._closed[name] = self.forum.categories.pop(key)

    def _category_of(self, post: Post) -> int:
        return self.forum.topics[post.topic_id].category_id or 0

    def _posts(self) -> list[Any]:
        return [
            post
            for post in self.forum.posts.values()
            if post.deleted_at is None and self.forum.topics[post.topic_id].deleted_at is None
        ]

    def truth(self, stream: str) -> Truth:
        if stream == "users":
            return {str(user.id): user for user in self.forum.users.values()}
        if stream == "categories":
            return {str(key): category for key, category in self.forum.categories.items()}
        if stream == "topics":
            topics = self.forum.topics.values()
            return {str(topic.id): topic for topic in topics if topic.deleted_at is None}
        if stream == "likes":
            return {
                f"[{post.id},{user}]": kind
                for post in self._posts()
                for user, kind in given(post).items()
            }
        if stream == "revisions":
            return {
                f"[{post.id},{edit.number}]": edit
                for post in self._posts()
                for edit in self.forum.revisions.get(post.id, ())
                if not edit.hidden
            }
        return {str(post.id): post for post in self._posts()}

    def agrees(self, stream: str, record: dict[str, Any], true: Any) -> bool:
        if stream == "users":
            return (record["username"], record["name"]) == (true.username, true.name)
        if stream == "categories":
            lies_under = record.get("parent_category_id")
            return (record["name"], lies_under) == (true.name, true.parent_id)
        if stream == "topics":
            return bool(record["like_count"] == true.like_count)
        if stream == "likes":
            return bool(record.get("reaction") == true)
        if stream == "revisions":
            at = datetime.fromisoformat(record["created_at"])
            return bool((at, record["username"]) == (true.created_at, KEY_USER))
        likes = [a["count"] for a in record["actions_summary"] if a["id"] == 2 and "count" in a]
        told = (record["topic_id"], record["post_number"], record["version"], sum(likes))
        return told == (true.topic_id, true.post_number, true.version, len(true.likers or ()))

    def _now(self, tied: bool) -> Any:
        return self.clock.now() if tied else self.clock.advance(seconds=1)


def given(post: Post) -> dict[int, str]:
    """Return user -> how they reacted to a post."""
    likes = dict.fromkeys(post.likers or (), "heart")
    return likes | {user: kind for user, (kind, _) in (post.reactions or {}).items()}


def make(settings: Mapping[str, Any]) -> Stage:
    """Return a stage for a source with these settings."""
    return Stage(settings)
