"""The Discourse connector against the emulated forum, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount

from connectors import registry
from connectors.base import State, Window
from connectors.discourse import Discourse, Settings
from connectors.discourse.client import Forum as AskedForum
from connectors.discourse.client import limits
from connectors.discourse.links import with_links
from connectors.discourse.reads import Reader
from connectors.errors import AuthError, ServerError
from connectors.session import Session
from connectors.sync import Progress, SyncResult, sync_stream
from sandbox.clock import Clock
from sandbox.discourse import Forum, ForumSettings, app
from sandbox.discourse.store import WHISPER, Category
from sandbox.faults import Faults

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
NO_LIMITS = {"ip_per_10_s": 10**6, "ip_per_minute": 10**6, "admin_api_per_minute": 10**6}


class Site:
    """A forum, its clock, and a connector that asks it."""

    def __init__(self, home: Path, serve: Callable[[Any], str], **settings: Any) -> None:
        self.home = home
        self.clock = Clock(START)
        self.faults = Faults()
        self.forum = Forum(at=START, settings=ForumSettings(**{**NO_LIMITS, **settings}))
        self.admin = self.user("rapport", admin=True)
        self.ann = self.user("ann", external_id="0037")
        self.bob = self.user("bob")
        self.forum.add_api_key("the-api-key")
        self.emulator = app(self.forum, self.clock, self.faults)
        self.url = serve(self.emulator)

    def user(self, name: str, **more: Any) -> int:
        return self.forum.create_user(name, email=f"{name}@mill.example", at=self.now, **more)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def topic(self, replies: int = 0) -> int:
        """Open a topic with replies; each takes a minute."""
        key = self.forum.create_topic(self.ann, "How to card wool?", "The question", self.now)
        for _ in range(replies):
            self.clock.advance(seconds=60)
            self.forum.reply(key, self.bob, "An answer", self.now)
        self.clock.advance(seconds=60)
        return key

    def open(self, **changed: Any) -> Discourse:
        settings = {"url": self.url, "api_key": "the-api-key", "api_username": "rapport"}
        source = registry.open_source("forum", "discourse", settings | changed, home=self.home)
        assert isinstance(source, Discourse)
        source.session.backoff_s = 0.01
        return source

    def sync(self, name: str, source: Discourse | None = None, **more: Any) -> SyncResult:
        source = source or self.open()
        stream = next(stream for stream in source.streams() if stream.name == name)
        return sync_stream(source, stream, self.home, **more)

    def set_faults(self, *faults: dict[str, Any]) -> None:
        self.faults.set({"discourse": faults})

    def asked(self, path: str) -> int:
        counters = requests.get(f"{self.url}/sandbox/requests", timeout=10).json()
        return sum(count for route, count in counters.items() if path in route)


@pytest.fixture
def site(tmp_path: Path, serve: Callable[[Any], str]) -> Site:
    return Site(tmp_path, serve)


def live(rows: dict[str, Any]) -> dict[int, Any]:
    return {int(key): json.loads(record) for key, (op, _, record) in rows.items() if op == "upsert"}


def at_page(number: int, act: Callable[[], Any]) -> Callable[[Progress], None]:
    """Return a progress callback that acts once, when so many pages have been read."""
    done: list[bool] = []

    def on_progress(progress: Progress) -> None:
        if progress.pages == number and not done:
            done.append(True)
            act()

    return on_progress


# Everything, and then only what changed


def test_a_whole_forum_arrives_and_a_second_sync_lands_nothing(site, landed):
    for replies in range(7):
        site.topic(replies)
    first = {name: site.sync(name) for name in ("users", "topics", "posts")}
    assert set(live(landed("forum.users"))) == set(site.forum.users)
    assert set(live(landed("forum.topics"))) == set(site.forum.topics)
    assert set(live(landed("forum.posts"))) == set(site.forum.posts)
    assert first["users"].missing == first["topics"].missing == 0
    again = [site.sync(name) for name in ("users", "topics", "posts")]
    assert [(result.rows, result.deletes) for result in again] == [(0, 0)] * 3


def test_an_empty_forum_is_no_error(site, landed):
    assert [site.sync(name).rows for name in ("topics", "posts")] == [0, 0]


def test_no_text_no_whisper_no_message_and_no_small_action_is_ever_stored(site, landed):
    topic = site.topic(2)
    hidden = {
        site.forum.reply(topic, site.admin, "staff only", site.now, post_type=WHISPER),
        site.forum.small_action(topic, site.admin, "closed.enabled", site.now),
    }
    letter = site.forum.private_message(site.ann, [site.bob], "Dear Bob", "private", site.now)
    for name in ("users", "topics", "posts"):
        site.sync(name)
    assert letter not in live(landed("forum.topics"))
    assert not hidden & set(live(landed("forum.posts")))
    everything = "".join(
        str(record)
        for name in ("topics", "posts")
        for _, _, record in landed(f"forum.{name}").values()
    )
    for text in ("wool", "question", "answer<", "staff only", "private", "Dear"):
        assert text not in everything


# Users


def test_the_admin_list_doubles_nobody_though_page_0_is_page_1(site, landed):
    for number in range(230):
        site.user(f"weaver{number}")
    result = site.sync("users")
    assert (result.rows, result.duplicates) == (len(site.forum.users), 0)


def test_a_deleted_user_becomes_a_tombstone_and_an_anonymized_one_stays(site, landed):
    site.sync("users")
    site.forum.delete_user(site.bob, site.now)
    site.forum.anonymize_user(site.ann, site.now)
    assert site.sync("users").deletes == 1
    users = live(landed("forum.users"))
    assert site.bob not in users
    assert users[site.ann]["username"].startswith("anon") and users[site.ann]["name"] is None


def test_a_deletion_during_the_walk_costs_nobody_else_their_record(site, landed):
    for number in range(230):
        site.user(f"weaver{number}")
    site.sync("users")
    delete_an_early_one = at_page(1, lambda: site.forum.delete_user(site.bob, site.now))
    assert site.sync("users", on_progress=delete_an_early_one).deletes == 0
    assert set(live(landed("forum.users"))) == {*site.forum.users, site.bob}
    assert site.sync("users").deletes == 1
    assert set(live(landed("forum.users"))) == set(site.forum.users)


def test_addresses_come_only_when_asked_for_since_the_forum_logs_it(site, landed):
    site.user("staged", staged=True)
    site.sync("users")
    assert all("email" not in user for user in live(landed("forum.users")).values())
    assert site.forum.staff_action_log == []
    site.sync("users", site.open(show_emails=True))
    assert live(landed("forum.users"))[site.ann]["email"] == "ann@mill.example"
    assert [action for _, _, action in site.forum.staff_action_log] == ["check_email"] * 2


def test_sign_on_ids_are_asked_for_once_and_again_when_a_user_changes(site, landed):
    source = site.open(sso=True)
    site.sync("users", source)
    users = live(landed("forum.users"))
    assert users[site.ann]["single_sign_on_record"] == {"external_id": "0037"}
    assert users[site.bob]["single_sign_on_record"] is None
    asked = site.asked("/admin/users/{")
    assert site.sync("users", source).rows == 0
    assert site.asked("/admin/users/{") == asked
    site.forum.rename_user(site.ann, "anna")
    assert site.sync("users", source).rows == 1
    assert site.asked("/admin/users/{") == asked + 1
    assert live(landed("forum.users"))[site.ann]["single_sign_on_record"]["external_id"] == "0037"


def test_sign_on_ids_are_asked_for_where_the_setting_comes_later_and_comes_back(site, landed):
    for sso in (False, True, False, True):
        site.sync("users", site.open(sso=sso))
        told = live(landed("forum.users"))[site.ann].get("single_sign_on_record")
        assert told == ({"external_id": "0037"} if sso else None)


def test_suspended_silenced_staged_and_anonymized_users_are_told(site, landed):
    source = site.open(show_emails=True, sso=True)
    mail = site.user("mail", staged=True)
    site.forum.suspend_user(site.bob, site.now, days=2)
    site.forum.silence_user(mail, site.now, days=2)
    site.sync("users", source)
    users = live(landed("forum.users"))
    assert users[site.bob]["suspended_till"] and users[mail]["silenced_till"]
    assert users[mail]["staged"] is True
    site.forum.anonymize_user(site.ann, site.now)
    site.clock.advance(days=3)
    site.sync("users", source)
    users = live(landed("forum.users"))
    assert "suspended_till" not in users[site.bob] and "silenced_till" not in users[mail]
    name = users[site.ann]["username"]
    assert users[site.ann]["email"] == f"{name}@anonymized.invalid"
    assert (users[site.ann]["name"], users[site.ann]["single_sign_on_record"]) == (None, None)


# Topics


def test_a_topic_bumped_between_two_pages_is_neither_lost_nor_doubled(site, landed):
    topics = [site.topic() for _ in range(250)]
    bump_an_old_one = at_page(1, lambda: site.forum.reply(topics[3], site.bob, "Ho", site.now))
    site.sync("topics", on_progress=bump_an_old_one)
    site.sync("topics")
    rows = live(landed("forum.topics"))
    assert set(rows) == set(topics)
    assert rows[topics[3]]["posts_count"] == 2


def test_a_deleted_topic_is_noticed_within_a_day_while_it_is_young(site, landed):
    old, young, kept = site.topic(1), site.topic(1), site.topic(1)
    for name in ("topics", "posts"):
        site.sync(name)
    of_young = {post.id for post in site.forum.topics[young].posts}
    site.forum.delete_topic(young, site.now)
    site.clock.advance(days=1)
    assert site.sync("topics").deletes == 1
    assert site.sync("posts").deletes == len(of_young)
    assert set(live(landed("forum.topics"))) == {old, kept}
    assert not of_young & set(live(landed("forum.posts")))


def test_a_topic_that_came_and_went_within_a_day_is_noticed(site, landed):
    site.topic()
    site.sync("topics")
    site.clock.advance(seconds=3600)
    spam = site.topic()
    assert site.sync("topics").rows == 1
    site.forum.delete_topic(spam, site.now)
    site.clock.advance(days=1)
    assert site.sync("topics").deletes == 1
    assert spam not in live(landed("forum.topics"))


def test_a_deleted_old_topic_is_noticed_within_a_week(site, landed):
    old, kept = site.topic(), site.topic()
    site.sync("topics")
    site.clock.advance(days=60)
    site.sync("topics")
    site.forum.delete_topic(old, site.now)
    site.clock.advance(days=1)
    assert site.sync("topics").deletes == 0
    site.clock.advance(days=7)
    assert site.sync("topics").deletes == 1
    assert set(live(landed("forum.topics"))) == {kept}


def test_a_forum_too_old_for_filters_is_read_by_its_latest_topics(site, landed, serve):
    topics = [site.topic() for _ in range(120)]
    site.forum.pin(topics[0], site.now)

    async def old_forum(scope: Any, receive: Any, send: Any) -> None:
        answer: Any = site.emulator
        if scope["path"] == "/filter.json":
            answer = JSONResponse({"errors": ["No such page"]}, status_code=404)
        await answer(scope, receive, send)

    source = site.open(url=serve(old_forum))
    site.sync("topics", source)
    assert set(live(landed("forum.topics"))) == set(topics)
    site.clock.advance(days=3)
    new = site.topic()
    result = site.sync("topics", source)
    assert result.rows == 1 and new in live(landed("forum.topics"))


# Posts


@pytest.mark.parametrize("posts_window", [True, False], ids=["window of ids", "50 posts"])
def test_empty_pages_do_not_end_the_walk(tmp_path, serve, landed, posts_window):
    site = Site(tmp_path, serve, posts_window=posts_window)
    first = site.topic(3)
    for _ in range(6):
        site.forum.delete_topic(site.topic(30), site.now)
    last = site.topic(3)
    site.clock.advance(days=20)
    site.sync("posts")
    expected = {post.id for key in (first, last) for post in site.forum.topics[key].posts}
    assert set(live(landed("forum.posts"))) == expected


@pytest.mark.parametrize("hide", ["deleted", "private"])
def test_an_empty_first_page_does_not_end_the_walk(tmp_path, serve, landed, hide):
    site = Site(tmp_path, serve, posts_window=True, posts_cache_s=0)
    shown = site.topic(60)

    def hide_the_newest() -> None:
        if hide == "deleted":
            site.forum.delete_topic(site.topic(70), site.now)
        for _ in range(70 if hide == "private" else 0):
            site.forum.private_message(site.ann, [site.bob], "Dear Bob", "private", site.now)

    liked: set[int] = set()
    for walk in range(2):
        new = {*posts_of(site, shown)[:: 20 + walk]} - liked
        for post in new:
            site.forum.like(post, site.admin, site.now)
        liked |= new
        hide_the_newest()
        for name in ("posts", "likes"):
            site.sync(name, site.open(likers=True))
        assert set(live(landed("forum.posts"))) == {*posts_of(site, shown)}
        assert {post for post, _ in likes(landed("forum.likes"))} == liked
        site.forum.reply(shown, site.bob, "A late answer", site.now)
        site.clock.advance(days=2)


def test_a_deleted_post_leaves_and_a_recovered_one_returns(site, landed):
    topic = site.topic(30)
    site.sync("posts")
    gone = site.forum.topics[topic].posts[7].id
    site.forum.delete_post(gone, site.now)
    assert site.sync("posts").deletes == 1
    assert gone not in live(landed("forum.posts"))
    site.forum.recover_post(gone, site.now)
    site.sync("posts")
    assert set(live(landed("forum.posts"))) == set(site.forum.posts)


def test_a_full_refresh_finds_deletions_in_old_topics(site, landed):
    topic = site.topic(3)
    site.sync("posts")
    site.clock.advance(days=60)
    site.sync("posts")
    gone = site.forum.topics[topic].posts[2].id
    site.forum.delete_post(gone, site.now)
    site.clock.advance(seconds=120)  # the forum repeats its newest page for a minute
    assert site.sync("posts").deletes == 0
    assert site.sync("posts", full_refresh=True).deletes == 1
    assert gone not in live(landed("forum.posts"))


@pytest.mark.parametrize("name", ["posts", "likes", "revisions"])
def test_a_deletion_before_a_full_refresh_that_breaks_off_is_followed_all_the_same(
    site, landed, name
):
    posts = posts_of(site, site.topic(3))
    for post in posts:
        site.forum.like(post, site.admin, site.now)
        site.forum.edit_post(post, "Better", site.now, by=site.admin)

    def sync(**how: Any) -> set[int]:
        """Return of which posts something is held."""
        site.sync(name, site.open(likers=True, revisions=True), checkpoint_bytes=1, **how)
        rows = landed(f"forum.{name}").items()
        keys = [json.loads(key) for key, (op, _, _) in rows if op == "upsert"]
        return {key[0] if isinstance(key, list) else key for key in keys}

    def break_off() -> None:
        raise ServerError("The forum is gone.", place=f"forum.{name}")

    assert sync() == {*posts}
    site.forum.delete_post(posts[1], site.now)
    site.forum.delete_post(posts[3], site.now)
    site.clock.advance(days=1)
    with pytest.raises(ServerError):
        sync(full_refresh=True, on_progress=at_page(1, break_off))
    assert sync() == {posts[0], posts[2]}


def test_a_post_that_both_comparison_and_full_refresh_miss_is_deleted_once(site, landed):
    topic = site.topic(3)
    site.sync("posts")
    site.forum.delete_post(site.forum.topics[topic].posts[2].id, site.now)
    site.clock.advance(seconds=120)
    assert site.sync("posts", full_refresh=True).deletes == 1


def test_a_post_moved_to_another_topic_is_not_deleted(site, landed):
    topic = site.topic(5)
    site.sync("posts")
    moved = site.forum.topics[topic].posts[4].id
    elsewhere = site.forum.move_posts([moved], "Another question", site.now)
    site.sync("posts")
    assert live(landed("forum.posts"))[moved]["topic_id"] == elsewhere


def test_likes_and_accepted_answers_arrive_at_once_and_edits_within_a_day(site, landed):
    topic = site.topic(3)
    site.sync("posts")
    answer = site.forum.topics[topic].posts[2].id
    site.forum.like(answer, site.ann, site.now)
    site.forum.accept(answer, by=site.ann)
    site.sync("posts")
    post = live(landed("forum.posts"))[answer]
    assert post["accepted_answer"] is True
    assert {"id": 2, "count": 1} in post["actions_summary"]
    site.forum.edit_post(
        site.forum.topics[topic].posts[1].id, "Better", site.now + timedelta(hours=2)
    )
    site.clock.advance(days=1)
    result = site.sync("posts")
    assert result.rows == 1


# Who liked what


def likes(rows: dict[str, Any]) -> dict[tuple[int, int], str | None]:
    """Return (post, user) -> the emoji, of what is held as given."""
    told = [json.loads(record) for op, _, record in rows.values() if op == "upsert"]
    return {(like["post_id"], like["id"]): like.get("reaction") for like in told}


def posts_of(site: Site, topic: int) -> list[int]:
    return [post.id for post in site.forum.topics[topic].posts]


def test_who_liked_is_asked_for_only_with_the_setting(site, landed):
    assert "likes" not in {stream.name for stream in site.open().streams()}
    assert "likes" in {stream.name for stream in site.open(likers=True).streams()}


@pytest.mark.parametrize("plugin", [{}, {"lists_reactors": False}, {"reactions": False}])
def test_likes_come_with_who_gave_them_and_are_followed_when_taken_back(
    tmp_path, serve, landed, plugin
):
    site = Site(tmp_path, serve, posts_cache_s=0, **plugin)
    has_list = not plugin
    question, answer = posts_of(site, site.topic(1))
    site.forum.like(question, site.bob, site.now)
    site.forum.like(answer, site.ann, site.now)
    site.forum.like(answer, site.admin, site.now)
    if plugin.get("reactions", True):
        site.forum.react(question, site.admin, "clap", site.now)
    site.sync("likes", site.open(likers=True))
    heart, clap = ("heart", {(question, site.admin): "clap"}) if has_list else (None, {})
    given = {(question, site.bob), (answer, site.ann), (answer, site.admin)}
    assert likes(landed("forum.likes")) == dict.fromkeys(given, heart) | clap

    site.clock.advance(seconds=7_200)
    site.forum.unlike(answer, site.ann)
    site.forum.like(question, site.admin, site.now)  # in place of the clap
    assert site.sync("likes", site.open(likers=True)).requests <= 1  # of the clock: not a day ago
    site.clock.advance(days=1)
    site.sync("likes", site.open(likers=True))
    given = {(question, site.bob), (question, site.admin), (answer, site.admin)}
    assert likes(landed("forum.likes")) == dict.fromkeys(given, heart)
    site.clock.advance(days=1)
    before = site.asked("post_action_users") + site.asked("reactions-users-list")
    again = site.sync("likes", site.open(likers=True))
    assert (again.rows, again.deletes) == (0, 0)
    asked = site.asked("post_action_users") + site.asked("reactions-users-list") - before
    assert asked == (2 if plugin == {"lists_reactors": False} else 0)  # has it been updated since?


def test_a_post_that_half_the_forum_likes_is_read_to_its_last_like(site, landed):
    [post] = posts_of(site, site.topic())
    fans = [site.user(f"fan{number}") for number in range(100)]
    for fan in fans:
        site.forum.like(post, fan, site.now)
    result = site.sync("likes", site.open(likers=True))
    assert set(likes(landed("forum.likes"))) == {(post, fan) for fan in fans}
    assert site.asked("reactions-users-list") == 3
    assert result.rows == 100


def test_likes_of_a_year_are_read_once_and_young_posts_alone_looked_at_again(site, landed):
    ancient = posts_of(site, site.topic(60))
    site.forum.like(ancient[0], site.bob, site.now)
    site.clock.advance(days=370)
    old = posts_of(site, site.topic(200))
    site.forum.like(old[0], site.bob, site.now)
    site.clock.advance(days=30)
    young = posts_of(site, site.topic(1))
    site.sync("likes", site.open(likers=True))
    assert set(likes(landed("forum.likes"))) == {(old[0], site.bob)}
    site.forum.like(young[0], site.bob, site.now)
    site.forum.like(old[1], site.ann, site.now)
    site.clock.advance(days=1)
    before = site.asked("/posts.json")
    site.sync("likes", site.open(likers=True))
    assert site.asked("/posts.json") == before + 2
    assert set(likes(landed("forum.likes"))) == {(old[0], site.bob), (young[0], site.bob)}
    site.sync("likes", site.open(likers=True), full_refresh=True)
    assert {(old[1], site.ann), (ancient[0], site.bob)} <= set(likes(landed("forum.likes")))


@pytest.mark.parametrize("posts_window", [True, False])
def test_likes_of_a_deleted_post_are_gone_until_it_is_recovered(
    tmp_path, serve, landed, posts_window
):
    site = Site(tmp_path, serve, posts_window=posts_window, posts_cache_s=0)
    posts = posts_of(site, site.topic(120))
    for post in (posts[0], posts[60], posts[-2]):
        site.forum.like(post, site.admin, site.now)
    everything = {(post, site.admin) for post in (posts[0], posts[60], posts[-2])}
    site.sync("likes", site.open(likers=True))
    assert set(likes(landed("forum.likes"))) == everything
    for post in posts[20:-1]:
        site.forum.delete_post(post, site.now)
    site.clock.advance(days=1)
    site.sync("likes", site.open(likers=True))
    assert set(likes(landed("forum.likes"))) == {(posts[0], site.admin)}
    for post in posts[20:-1]:
        site.forum.recover_post(post, site.now)
    site.clock.advance(days=1)
    site.sync("likes", site.open(likers=True))
    assert set(likes(landed("forum.likes"))) == everything


def test_a_forum_that_is_updated_tells_emoji_from_then_on(tmp_path, serve, landed):
    site = Site(tmp_path, serve, lists_reactors=False)
    posts = posts_of(site, site.topic(2))
    for post in posts:
        site.forum.react(post, site.admin, "clap", site.now)
    site.forum.like(posts[0], site.bob, site.now)
    site.sync("likes", site.open(likers=True))
    assert likes(landed("forum.likes")) == {(posts[0], site.bob): None}
    site.forum.settings = ForumSettings(**NO_LIMITS)
    site.clock.advance(days=1)
    site.sync("likes", site.open(likers=True))
    claps = {(post, site.admin): "clap" for post in posts}
    assert likes(landed("forum.likes")) == claps | {(posts[0], site.bob): "heart"}
    # A list that is known and not found costs nobody their like.
    site.forum.react(posts[0], site.bob, "-1", site.now)
    site.forum.settings = ForumSettings(**NO_LIMITS, lists_reactors=False)
    site.clock.advance(days=1)
    assert site.sync("likes", site.open(likers=True)).deletes == 0
    site.forum.settings = ForumSettings(**NO_LIMITS)
    site.clock.advance(days=1)
    site.sync("likes", site.open(likers=True))
    assert likes(landed("forum.likes")) == claps | {(posts[0], site.bob): "-1"}


def test_a_reading_of_likes_that_broke_asks_no_post_twice(site, landed):
    posts = posts_of(site, site.topic(120))
    for post in posts:
        site.forum.like(post, site.admin, site.now)
    site.set_faults({"match": "reactions-users-list", "after": 80, "times": None, "kind": "500"})
    with pytest.raises(ServerError):
        site.sync("likes", site.open(likers=True))
    site.set_faults()
    read = len(likes(landed("forum.likes")))
    assert 0 < read <= 80
    asked = site.asked("reactions-users-list")
    site.sync("likes", site.open(likers=True))
    assert set(likes(landed("forum.likes"))) == {(post, site.admin) for post in posts}
    assert site.asked("reactions-users-list") - asked == len(posts) - read


def test_likes_of_private_messages_and_whispers_are_never_asked_for(site, landed):
    topic = site.topic(1)
    letter = site.forum.private_message(site.ann, [site.bob], "Dear Bob", "private", site.now)
    whisper = site.forum.reply(topic, site.admin, "staff only", site.now, post_type=WHISPER)
    for post in (*posts_of(site, letter), whisper):
        site.forum.like(post, site.bob, site.now)
    site.sync("likes", site.open(likers=True))
    assert likes(landed("forum.likes")) == {}


# Who edited what


def edits(rows: dict[str, Any]) -> dict[tuple[int, int], Any]:
    told = [json.loads(record) for op, _, record in rows.values() if op == "upsert"]
    return {(edit["post_id"], edit["current_revision"]): edit for edit in told}


@pytest.fixture
def edited(tmp_path: Path, serve: Callable[[Any], str]) -> Site:
    return Site(tmp_path, serve, posts_cache_s=0)


def test_edits_are_asked_for_only_with_the_setting(site):
    assert "revisions" not in {stream.name for stream in site.open().streams()}
    assert "revisions" in {stream.name for stream in site.open(revisions=True).streams()}


def test_an_edit_tells_who_when_and_why_and_whether_it_was_the_author(edited, landed):
    site = edited
    post, other = posts_of(site, site.topic(1))
    site.forum.edit_post(post, "Better words", site.now)
    site.clock.advance(seconds=600)
    site.forum.edit_post(post, "Best words", site.now, by=site.admin, reason="house style")
    site.forum.make_wiki(post, site.now, by=site.admin)  # in time: part of the same edit
    site.sync("revisions", site.open(revisions=True))
    told = edits(landed("forum.revisions"))
    assert set(told) == {(post, 2)}
    site.clock.advance(days=1)
    site.forum.edit_post(post, "Bob's words", site.now, by=site.bob)
    site.forum.edit_post(other, "An answer, better", site.now)
    asked = site.asked("/revisions/")
    assert site.sync("revisions", site.open(revisions=True)).rows == 2
    assert site.asked("/revisions/") == asked + 2
    told = edits(landed("forum.revisions"))
    assert {key: (edit["username"], edit["by_author"]) for key, edit in told.items()} == {
        (post, 2): ("rapport", False),
        (post, 3): ("bob", False),
        (other, 2): ("bob", True),
    }
    assert (told[post, 2]["edit_reason"], told[post, 3]["edit_reason"]) == ("house style", None)
    assert told[post, 3]["created_at"] == f"{site.now:%Y-%m-%dT%H:%M:%S}.000Z"
    assert "words" not in str(landed("forum.revisions"))
    site.sync("posts")
    assert live(landed("forum.posts"))[post]["wiki"] is True
    site.clock.advance(days=1)
    asked = site.asked("/revisions/")
    assert site.sync("revisions", site.open(revisions=True)).rows == 0
    assert site.asked("/revisions/") == asked


@pytest.mark.parametrize("is_staff", [True, False], ids=["staff", "others"])
def test_an_edit_that_is_hidden_undone_or_erased_is_gone(edited, landed, is_staff):
    site = edited
    hidden, undone, erased, deleted = (posts_of(site, site.topic())[0] for _ in range(4))
    for number, post in enumerate((hidden, hidden, hidden, undone, erased, deleted)):
        site.clock.advance(seconds=600)
        site.forum.edit_post(post, f"words {number}", site.now, reason=f"{number}")
    source = site.open(revisions=True, api_username="rapport" if is_staff else "ann")
    site.sync("revisions", source)
    assert len(edits(landed("forum.revisions"))) == 6
    site.forum.hide_revision(hidden, 3)
    site.forum.posts[hidden].updated_at = site.now + timedelta(seconds=1)  # hiding saves the post
    site.forum.erase_revisions(erased, site.now)
    site.forum.posts[undone].version = 1
    site.forum.revisions[undone].clear()
    site.forum.delete_post(deleted, site.now)
    site.clock.advance(days=1)
    source = site.open(revisions=True, api_username="rapport" if is_staff else "ann")
    assert site.sync("revisions", source).deletes == 4
    assert set(edits(landed("forum.revisions"))) == {(hidden, 2), (hidden, 4)}


def test_a_history_that_is_not_for_us_is_asked_for_once(tmp_path, serve, landed):
    site = Site(tmp_path, serve, posts_cache_s=0, edit_history_public=False)
    post, _ = posts_of(site, site.topic(1))
    site.forum.edit_post(post, "words", site.now + timedelta(hours=1))
    site.clock.advance(days=1)
    source = site.open(revisions=True, api_username="bob")
    assert site.sync("revisions", source).rows == 0
    site.clock.advance(days=1)
    asked = site.asked("/revisions/")
    site.sync("revisions", source)
    assert site.asked("/revisions/") == asked == 1


def test_an_edit_too_large_to_compare_costs_no_other(tmp_path, serve, landed):
    site = Site(tmp_path, serve, posts_cache_s=0, diff_limit=200)
    post = posts_of(site, site.topic())[0]
    for text in ("short", "x" * 300, "short again", "still short", "y" * 300):
        site.clock.advance(seconds=600)
        site.forum.edit_post(post, text, site.now)
    source = site.open(revisions=True)
    site.sync("revisions", source)
    assert set(edits(landed("forum.revisions"))) == {(post, 2), (post, 5)}


def test_a_wiki_is_looked_at_weekly_however_old_it_is(edited, landed):
    site = edited
    wiki, plain = (posts_of(site, site.topic())[0] for _ in range(2))
    site.clock.advance(seconds=600)
    site.forum.make_wiki(wiki, site.now, by=site.admin)
    site.sync("revisions", site.open(revisions=True))
    for _ in range(3):
        site.clock.advance(days=30)
        for _ in range(60):  # so that a page of posts does not show the old ones anyway
            site.topic()
        for post in (wiki, plain):
            site.forum.edit_post(post, f"words {site.now}", site.now, by=site.bob)
        site.sync("revisions", site.open(revisions=True))
    assert set(edits(landed("forum.revisions"))) == {(wiki, number) for number in (2, 3, 4, 5)}
    site.clock.advance(days=1)
    asked = site.asked("/posts/{post_id:int}.json")
    site.sync("revisions", site.open(revisions=True))
    assert site.asked("/posts/{post_id:int}.json") == asked
    site.forum.delete_topic(site.forum.posts[wiki].topic_id, site.now)
    site.clock.advance(days=8)
    assert site.sync("revisions", site.open(revisions=True)).deletes == 4


def test_a_walk_that_broke_goes_on_below_and_reads_what_came_since(site, landed):
    for _ in range(30):
        site.topic(9)
    source = site.open()
    source.session.attempts = 1
    site.set_faults({"kind": "500", "match": "/posts.json", "after": 5, "times": None})
    with pytest.raises(ServerError):
        site.sync("posts", source)
    held = len(landed("forum.posts"))
    assert 0 < held < len(site.forum.posts)
    site.set_faults()
    site.topic(2)
    before = site.asked("/posts.json")
    result = site.sync("posts")
    assert result.rows == len(site.forum.posts) - held
    assert set(live(landed("forum.posts"))) == set(site.forum.posts)
    assert site.asked("/posts.json") - before < 6  # from the newest it would be eight


def test_a_post_that_became_public_late_is_found_below_the_newest(site, landed):
    hidden = site.topic()
    site.forum.unlist(hidden)
    site.topic(3)
    site.clock.advance(days=20)
    site.sync("posts")
    assert hidden not in {post["topic_id"] for post in live(landed("forum.posts")).values()}
    site.forum.topics[hidden].visible = True
    site.clock.advance(seconds=120)
    assert site.sync("posts").rows == 1


@given(
    visible=st.sets(st.integers(1, 600), max_size=120),
    later=st.sets(st.integers(601, 700), max_size=20),
    breaks_after=st.lists(st.integers(1, 6), max_size=3),
    is_window=st.booleans(),
    hidden=st.integers(0, 150),
)
def test_the_id_walk_reads_every_post_however_often_it_breaks(
    visible, later, breaks_after, is_window, hidden
):
    forum = {"ids": sorted(visible, reverse=True)}
    topic = {"id": 1, "last_posted_at": START.isoformat(), "archetype": "regular"}

    def answer(path: str, asked: Any = None, hint: str = "") -> bytes:
        ids = forum["ids"]
        if path == "/filter.json":
            return msgspec.json.encode({"topic_list": {"topics": [topic] if ids else []}})
        if path == "/t/1.json":
            return msgspec.json.encode({**topic, "post_stream": {"stream": ids}})
        if is_window:  # where the newest posts are hidden, the first one is empty
            top = asked["before"] if asked else max(ids, default=0) + hidden
            ids = [key for key in ids if top - 50 < key <= top]
        elif asked:
            ids = [key for key in ids if key < asked["before"]]
        return msgspec.json.encode({"latest_posts": [{"id": key} for key in ids[:50]]})

    settings = Settings(url="http://unused", api_key="key")
    asked_forum = AskedForum(settings, Session("forum"))
    asked_forum.get = answer
    reader = Reader(asked_forum, settings)
    window = Window(now=START)
    state: State = {}
    read: set[int] = set()

    def walk(pages: int | None) -> None:
        nonlocal state
        working = dict(state)
        for number, page in enumerate(reader._new_posts(working, window), 1):
            read.update(json.loads(record)["id"] for record in page.records)
            state = page.state
            if number == pages:
                return
        state = working

    for pages in breaks_after:
        walk(pages)
    forum["ids"] = sorted(visible | later, reverse=True)
    walk(None)  # ends what was broken off
    walk(None)
    assert read == visible | later


def test_a_deleted_topic_that_is_recovered_comes_back_with_its_posts(site, landed):
    topic = site.topic(3)
    posts = {post.id for post in site.forum.topics[topic].posts}
    for name in ("topics", "posts"):
        site.sync(name)
    site.forum.delete_topic(topic, site.now)
    site.clock.advance(days=1)
    assert (site.sync("topics").deletes, site.sync("posts").deletes) == (1, len(posts))
    site.forum.recover_topic(topic)
    site.clock.advance(days=1)
    for name in ("topics", "posts"):
        site.sync(name)
    assert set(live(landed("forum.topics"))) == {topic}
    assert set(live(landed("forum.posts"))) == posts


def test_an_answer_no_longer_accepted_says_so_at_once(site, landed):
    topic = site.topic(2)
    answer = site.forum.topics[topic].posts[1].id
    told = []
    for is_accepted in (True, False):
        if is_accepted:
            site.forum.accept(answer, by=site.ann)
        else:
            site.forum.unaccept(topic)
        site.clock.advance(seconds=3600)
        site.sync("posts")
        told.append(live(landed("forum.posts"))[answer]["accepted_answer"])
    assert told == [True, False]


def test_whom_a_post_quotes_and_mentions_is_kept_and_nothing_of_its_text(site, landed):
    topic = site.topic(1)
    raw = (
        f'[quote="bob, post:2, topic:{topic}"]\nSays @ann\n[/quote]\n\n'
        "@Bob and @rapport, not @nobody nor x@ann.example: dye it green."
    )
    post = site.forum.reply(topic, site.ann, raw, site.now)
    site.sync("posts")
    kept = live(landed("forum.posts"))[post]
    assert kept["quotes"] == [{"topic": topic, "post": 2}]
    assert kept["mentions"] == ["bob", "rapport"]
    assert "green" not in str(landed("forum.posts")) and "Says" not in str(landed("forum.posts"))


@given(text=st.text(st.sampled_from('<![a]>"=/ &;@\n') | st.characters(codec="utf-8")))
def test_whatever_stands_in_a_post_its_links_are_read_or_left(text):
    post = msgspec.json.encode({"id": 1, "cooked": f'<a class="mention" href="/u/bob">{text}'})
    kept = json.loads(with_links(post))
    assert kept["mentions"][0] == "bob" and kept["cooked"].endswith(text)


# Categories


@pytest.mark.parametrize("is_lazy", [False, True], ids=["at once", "in pages"])
def test_every_category_arrives_with_what_it_lies_under(tmp_path, serve, landed, is_lazy):
    site = Site(tmp_path, serve, lazy_categories=is_lazy)
    for key in range(100, 190):
        parent = {100: None}.get(key, 100 if key < 120 else 110 if key < 140 else None)
        site.forum.categories[key] = Category(id=key, name=f"c{key}", slug="c", parent_id=parent)
    assert site.sync("categories").rows == 91
    kept = live(landed("forum.categories"))
    assert {key: row.get("parent_category_id") for key, row in kept.items()} == {
        key: category.parent_id for key, category in site.forum.categories.items()
    }
    site.forum.categories[150] = Category(id=150, name="Looms", slug="looms")
    del site.forum.categories[151]
    result = site.sync("categories")
    assert (result.rows, result.deletes) == (1, 1)
    assert live(landed("forum.categories"))[150]["name"] == "Looms"


# Limits and refusals


@pytest.mark.parametrize("kind", ["429", "429_text", "429_crawler"])
def test_all_shapes_of_a_limit_are_waited_for(site, landed, kind):
    site.topic(2)
    site.set_faults({"kind": kind, "match": "/posts.json", "wait_s": 1})
    result = site.sync("posts")
    assert result.rows == 3 and 1 <= result.waits_s < 3


@pytest.mark.parametrize(("kind", "window_s"), [("429_text", 10.0), ("429", None)])
def test_the_limit_of_an_address_is_told_by_its_window(site, kind, window_s):
    site.set_faults({"kind": kind, "match": "/posts.json", "wait_s": 3})
    limit = limits(requests.get(f"{site.url}/posts.json", timeout=10))
    assert (limit.wait_s, limit.window_s) == (3.0, window_s)


def test_a_forum_that_is_being_rebuilt_is_asked_again_and_then_said_to_be_away(site):
    site.topic(2)
    source = site.open()
    site.set_faults({"kind": "503_html", "match": "/posts.json", "wait_s": 0})
    assert site.sync("posts", source).rows == 3
    source.session.max_wait_s = 0.5
    site.set_faults({"kind": "503_html", "match": "/posts.json", "times": None, "wait_s": 1})
    with pytest.raises(ServerError, match="not available") as refusal:
        site.sync("posts", source)
    assert "<html>" not in str(refusal.value)


def test_an_error_that_comes_with_http_200_deletes_nothing(site, landed, serve):
    topic = site.topic(2)
    site.sync("posts")
    site.clock.advance(days=1)

    async def erring(scope: Any, receive: Any, send: Any) -> None:
        answer: Any = site.emulator
        if scope["path"] == f"/t/{topic}.json":
            answer = JSONResponse({"errors": ["Slow down"], "error_type": "rate_limit"})
        await answer(scope, receive, send)

    with pytest.raises(ServerError) as error:
        site.sync("posts", site.open(url=serve(erring)))
    assert str(error.value) == (
        f"forum.posts: `/t/{topic}.json` answered HTTP 200 with an error instead of data. "
        "Try again later."
    )
    assert len(live(landed("forum.posts"))) == 3


def test_a_forum_below_a_folder_is_read_like_any_other(site, landed, serve):
    site.topic(40)
    below = Starlette(routes=[Mount("/community", site.emulator)])
    source = site.open(url=f"{serve(below)}/community/")
    assert source.check().ok
    for name in ("users", "topics", "posts", "categories"):
        site.sync(name, source)
    assert set(live(landed("forum.posts"))) == set(site.forum.posts)


def test_a_page_that_is_not_json_is_an_error_that_says_so(site):
    site.set_faults({"kind": "not_json", "match": "/posts.json", "times": None})
    with pytest.raises(ServerError, match="which is not JSON"):
        site.sync("posts")


def test_a_wrong_key_is_named_without_being_shown(site):
    with pytest.raises(AuthError) as refusal:
        site.open(api_key="a-wrong-key").check()
    assert str(refusal.value) == (
        "forum: HTTP 403 from `/session/current.json`. The forum refused `api_key` with "
        "`api_username`; look at its Admin > API keys."
    )


def test_a_key_that_sees_public_content_only_is_told_by_check_and_by_users(site, landed):
    source = site.open(api_username="ann")
    told = source.check()
    assert not told.ok and "sees public content only" in told.detail
    with pytest.raises(AuthError, match="Give an API key of a staff user"):
        site.sync("users", source)
    site.topic(1)
    assert site.sync("posts", source).rows == 2


def test_check_tells_who_we_are(site):
    told = site.open().check()
    assert told.ok and told.account == f"user {site.admin} at {site.url}"
