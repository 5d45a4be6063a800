"""The forum's emulator against what the vendor documents, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.clock import Clock
from sandbox.discourse import Forum, ForumSettings, app
from sandbox.discourse.store import SMALL_ACTION, WHISPER, Category
from sandbox.faults import Faults

SPECS = Path(__file__).parents[3] / "shared" / "specs" / "discourse"
OnStage = Callable[[Any], str]
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
GENEROUS = {"ip_per_10_s": 100_000, "ip_per_minute": 100_000, "admin_api_per_minute": 100_000}


class Client:
    """A forum on a free port and one who asks it."""

    def __init__(self, on_stage: OnStage, **settings: Any) -> None:
        self.clock = Clock(START + timedelta(days=30))
        self.faults = Faults()
        self.forum = Forum(
            at=START,
            settings=ForumSettings(**{**GENEROUS, **settings}),
            categories=[Category(id=2, name="Team", slug="team", read_restricted=True)],
        )
        self.admin = self.forum.create_user(
            "rapport", email="r@looms.example", at=START, admin=True
        )
        self.ann = self.forum.create_user(
            "ann", name="Ann", email="Ann@Mill.example", at=START, external_id="0037"
        )
        self.bob = self.forum.create_user("bob", email="bob@yarn.example", at=START)
        self.forum.add_api_key("key")
        self.headers = {"Api-Key": "key", "Api-Username": "rapport"}
        self.url = on_stage(app(self.forum, self.clock, self.faults))

    def ask(self, path: str, *, anonymous: bool = False, **params: Any) -> requests.Response:
        headers = {} if anonymous else self.headers
        return requests.get(self.url + path, params=params, headers=headers, timeout=10)

    def get(self, path: str, **params: Any) -> Any:
        answer = self.ask(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def topics(self, path: str = "/latest.json", **params: Any) -> list[int]:
        return [row["id"] for row in self.get(path, **params)["topic_list"]["topics"]]

    def at(self, **later: float) -> datetime:
        return START + timedelta(**later)


@pytest.fixture
def client(on_stage: OnStage) -> Client:
    return Client(on_stage)


@pytest.fixture
def strict(on_stage: OnStage) -> Client:
    """A forum with the vendor's own limits."""
    return Client(on_stage, ip_per_10_s=50, ip_per_minute=200, admin_api_per_minute=60)


# Lists


def test_pages_of_lists_count_from_zero_and_a_short_page_ends_them(client: Client) -> None:
    for number in range(35):
        client.forum.create_topic(client.ann, f"Topic {number}", "text", client.at(hours=number))
    first = client.get("/latest.json", page=0)["topic_list"]
    assert first["more_topics_url"] == "/latest?no_definitions=true&page=1"
    assert [row["id"] for row in first["topics"]] == list(range(35, 5, -1))
    last = client.get("/latest.json", page=1)["topic_list"]
    assert "more_topics_url" not in last
    assert [row["id"] for row in last["topics"]] == [5, 4, 3, 2, 1]
    assert client.topics(page=2) == []


def test_pinned_topics_lead_page_zero_and_shift_the_others(client: Client) -> None:
    for number in range(8):
        client.forum.create_topic(client.ann, f"Topic {number}", "text", client.at(hours=number))
    client.forum.pin(1, client.at(days=1))
    assert client.topics(page=0, per_page=4) == [1, 8, 7, 6]
    assert client.topics(page=1, per_page=4) == [5, 4, 3, 2]
    assert client.topics(order="created", per_page=4) == [8, 7, 6, 5]
    assert client.topics("/filter.json", q="order:activity", per_page=3) == [8, 7, 6]


def test_a_bump_between_two_pages_repeats_a_topic(client: Client) -> None:
    for number in range(6):
        client.forum.create_topic(client.ann, f"Topic {number}", "text", client.at(hours=number))
    first = client.topics(page=0, per_page=3)
    client.forum.reply(1, client.bob, "late answer", client.at(days=2))
    second = client.topics(page=1, per_page=3)
    assert first == [6, 5, 4]
    assert second == [4, 3, 2]


def test_filter_knows_days_only_and_reads_them_in_the_servers_zone(on_stage: OnStage) -> None:
    for zone, expected in (("UTC", [2, 3]), ("America/New_York", [3])):
        client = Client(on_stage, time_zone=zone)
        for number, moment in enumerate(("03-09T23:00", "03-10T02:00", "03-10T05:00"), start=1):
            at = datetime.fromisoformat(f"2026-{moment}:00+00:00")
            client.forum.create_topic(client.ann, f"Topic {number}", "text", at)
        query = "activity-after:2026-03-10 order:activity-asc"
        assert client.topics("/filter.json", q=query) == expected
        assert client.topics("/filter.json", q="created-after:soon order:created-asc") == [1, 2, 3]


def test_filter_shows_deleted_topics_to_staff(client: Client) -> None:
    client.forum.create_topic(client.ann, "Gone", "text", START)
    client.forum.create_topic(client.ann, "Here", "text", START)
    client.forum.delete_topic(1, client.at(days=1))
    assert client.topics() == [2]
    rows = client.get("/filter.json", q="status:deleted")["topic_list"]["topics"]
    assert [(row["id"], row["deleted_at"]) for row in rows] == [(1, "2026-03-02T09:00:00.000Z")]


def test_only_new_posts_and_edits_of_the_last_one_bump(client: Client) -> None:
    forum, hour = client.forum, client.at(hours=1)
    topic = forum.create_topic(client.ann, "Warp", "text", START)
    reply = forum.reply(topic, client.bob, "answer", hour)
    first = forum.topics[topic].posts[0].id
    forum.edit_post(first, "text, better", client.at(days=1))
    forum.edit_title(topic, "Warp tension", client.at(days=1))
    forum.like(reply, client.ann, client.at(days=1))
    forum.accept(reply, by=client.ann)
    forum.reply(topic, client.admin, "psst", client.at(days=1), post_type=WHISPER)
    forum.close(topic, client.at(days=1), by=client.admin)
    assert forum.topics[topic].bumped_at == hour
    forum.edit_post(reply, "better answer", client.at(days=2))
    assert forum.topics[topic].bumped_at == client.at(days=2)
    forum.reset_bump(topic)
    assert forum.topics[topic].bumped_at == hour


# Posts


def test_a_topic_shows_twenty_posts_and_the_whole_stream(client: Client) -> None:
    topic = client.forum.create_topic(client.ann, "Long", "question", START)
    for number in range(24):
        client.forum.reply(topic, client.bob, f"reply {number}", client.at(minutes=number))
    view = client.get(f"/t/{topic}.json")
    assert len(view["post_stream"]["posts"]) == 20
    assert view["post_stream"]["stream"] == list(range(1, 26))
    assert "raw" not in view["post_stream"]["posts"][0]
    rest = view["post_stream"]["stream"][20:]
    more = client.get(
        f"/t/{topic}/posts.json", **{"post_ids[]": [*rest, 99_999], "include_raw": "true"}
    )
    assert [post["id"] for post in more["post_stream"]["posts"]] == rest
    assert more["post_stream"]["posts"][0]["raw"] == "reply 19"
    again = client.get(f"/t/{topic}.json", page=1)["post_stream"]["posts"]
    assert again[0]["post_number"] == 1
    assert client.ask(f"/t/{topic}.json", page=3).status_code == 404


def test_posts_come_in_windows_of_fifty_ids_that_may_be_empty(client: Client) -> None:
    topic = client.forum.create_topic(client.ann, "Posts", "question", START)
    for number in range(119):
        kind = SMALL_ACTION if 40 <= number < 95 else 1
        client.forum.reply(
            topic, client.bob, f"r{number}", client.at(minutes=number), post_type=kind
        )
    newest = client.get("/posts.json")["latest_posts"]
    assert [post["id"] for post in newest] == list(range(120, 96, -1))
    assert client.get("/posts.json", before=95)["latest_posts"] == []
    older = client.get("/posts.json", before=45)["latest_posts"]
    assert [post["id"] for post in older] == list(range(41, 0, -1))
    assert older[-1]["topic_title"] == "Posts"


def test_newer_forums_return_fifty_posts_below_the_id(on_stage: OnStage) -> None:
    client = Client(on_stage, posts_window=False)
    topic = client.forum.create_topic(client.ann, "Posts", "question", START)
    for number in range(70):
        kind = SMALL_ACTION if number % 2 else 1
        client.forum.reply(
            topic, client.bob, f"r{number}", client.at(minutes=number), post_type=kind
        )
    rows = client.get("/posts.json", before=60)["latest_posts"]
    assert rows[0]["id"] < 60
    assert len(rows) == 30


def test_the_newest_posts_are_repeated_for_a_minute(client: Client) -> None:
    topic = client.forum.create_topic(client.ann, "Posts", "question", START)
    assert len(client.get("/posts.json")["latest_posts"]) == 1
    client.forum.reply(topic, client.bob, "answer", client.clock.now())
    before = [post["id"] for post in client.get("/posts.json")["latest_posts"]]
    requests.post(f"{client.url}/sandbox/advance", json={"seconds": 61}, timeout=10)
    after = [post["id"] for post in client.get("/posts.json")["latest_posts"]]
    assert before == [1]
    assert after == [2, 1]


def test_a_deleted_post_leaves_the_stream_and_staff_can_still_read_it(client: Client) -> None:
    topic = client.forum.create_topic(client.ann, "Delete", "question", START)
    reply = client.forum.reply(topic, client.bob, "spam", client.at(hours=1))
    client.forum.delete_post(reply, client.at(hours=2), by=client.admin)
    view = client.get(f"/t/{topic}.json")
    assert view["post_stream"]["stream"] == [1]
    assert view["has_deleted"] is True
    assert view["last_posted_at"] == "2026-03-01T09:00:00.000Z"
    shown = client.get(f"/t/{topic}.json", show_deleted="true")
    assert shown["post_stream"]["stream"] == [1, reply]
    batch = client.get(f"/t/{topic}/posts.json", **{"post_ids[]": [reply]})["post_stream"]["posts"]
    assert batch[0]["deleted_at"] == "2026-03-01T11:00:00.000Z"
    hidden = client.ask(f"/t/{topic}/posts.json", anonymous=True, **{"post_ids[]": [reply]})
    assert hidden.json()["post_stream"]["posts"] == []


def test_an_author_who_deletes_leaves_a_stub(client: Client) -> None:
    topic = client.forum.create_topic(client.ann, "Stub", "question", START)
    reply = client.forum.reply(topic, client.bob, "never mind", client.at(hours=1))
    client.forum.delete_post(reply, client.at(hours=2), by=client.bob)
    stub = client.get(f"/posts/{reply}.json")
    assert (stub["raw"], stub["user_deleted"]) == ("(post deleted by author)", True)
    assert stub["deleted_at"] is None
    assert stub["version"] == 2


def test_whispers_and_private_messages_are_for_staff(client: Client) -> None:
    topic = client.forum.create_topic(client.ann, "Public", "question", START)
    client.forum.reply(topic, client.admin, "psst", client.at(hours=1), post_type=WHISPER)
    message = client.forum.private_message(client.ann, [client.bob], "Private", "hi", START)
    client.forum.create_topic(client.admin, "Inside", "plan", START, category_id=2)
    assert client.get(f"/t/{topic}.json")["post_stream"]["stream"] == [1, 2]
    assert client.ask(f"/t/{topic}.json", anonymous=True).json()["post_stream"]["stream"] == [1]
    assert client.get(f"/t/{message}.json")["archetype"] == "private_message"
    refused = client.ask(f"/t/{message}.json", anonymous=True)
    assert refused.status_code == 404
    assert message not in client.topics()
    assert client.ask("/t/3.json", anonymous=True).json()["error_type"] == "invalid_access"
    assert {post["topic_id"] for post in client.get("/posts.json")["latest_posts"]} == {1, 3}


def test_accepted_answers_likes_and_reactions_are_shown_on_the_post(client: Client) -> None:
    topic = client.forum.create_topic(client.ann, "Solved", "question", START)
    reply = client.forum.reply(topic, client.bob, "answer", client.at(hours=1))
    client.forum.like(reply, client.ann, client.at(hours=2))
    client.forum.react(reply, client.admin, "-1", client.at(hours=2))
    client.forum.accept(reply, by=client.ann)
    view = client.get(f"/t/{topic}.json")
    assert view["accepted_answer"]["post_number"] == 2
    assert view["accepted_answer"]["username"] == "bob"
    post = view["post_stream"]["posts"][1]
    assert post["accepted_answer"] is True
    assert post["actions_summary"][0] == {"id": 2, "count": 1, "can_act": True}
    assert post["reactions"] == [
        {"id": "-1", "type": "emoji", "count": 1},
        {"id": "heart", "type": "emoji", "count": 1},
    ]
    likers = client.get("/post_action_users.json", id=reply, post_action_type_id=2)
    assert [user["username"] for user in likers["post_action_users"]] == ["ann"]


def test_who_reacted_is_listed_first_come_first_and_one_way_each(client: Client) -> None:
    topic = client.forum.create_topic(client.ann, "Loved", "question", START)
    post = client.forum.topics[topic].posts[0].id
    users = [
        client.forum.create_user(f"fan{number}", email=f"{number}@mill.example", at=START)
        for number in range(202)
    ]
    for hour, user in enumerate(users):
        client.forum.like(post, user, client.at(hours=hour))
    client.forum.react(post, users[0], "clap", client.at(hours=300))
    client.forum.react(post, users[1], "-1", client.at(hours=301))
    client.forum.like(post, users[1], client.at(hours=302))
    client.forum.delete_user(users[2], client.at(hours=303))

    likes = {"id": post, "post_action_type_id": 2}
    pages = [client.get("/post_action_users.json", **likes, page=page) for page in (0, 1)]
    assert [len(page["post_action_users"]) for page in pages] == [200, 0]
    assert "total_rows_post_action_users" not in pages[0]
    few = client.get("/post_action_users.json", **likes, limit=2, page=1)
    assert [user["id"] for user in few["post_action_users"]] == users[5:7]
    assert few["total_rows_post_action_users"] == 200
    assert client.ask("/post_action_users.json", **likes, limit=201).status_code == 400
    assert client.ask("/post_action_users.json", id=post).status_code == 400

    path = f"/discourse-reactions/posts/{post}/reactions-users-list.json"
    last = client.get(path, limit=33, page=6)
    assert [(user["id"], user["reaction"]) for user in last["users"][-2:]] == [
        (users[0], "clap"),
        (users[1], "heart"),
    ]
    assert last["total_rows"] == 201
    assert len(client.get(path)["users"]) == 30
    assert len(client.get(path, limit=1000)["users"]) == 50
    assert client.get(path, limit=33, page=7)["users"] == []
    assert [user["id"] for user in client.get(path, reaction_value="clap")["users"]] == users[:1]
    assert client.ask("/discourse-reactions/posts/999/reactions-users-list.json").status_code == 404


def test_markup_in_texts_is_escaped_and_quotes_and_mentions_become_elements(
    client: Client,
) -> None:
    raw = (
        '[quote="Bob, post:2, topic:1"]\nhow?\n[/quote]\n\n'
        "<script>alert('x')</script> thanks @BOB and @nobody\0"
    )
    client.forum.create_topic(client.ann, '<script>"title"</script>', raw, START)
    post = client.get("/posts/1.json")
    assert "\0" not in post["raw"]
    assert "<script>" not in post["cooked"]
    assert '<aside class="quote no-group" data-username="Bob" data-post="2"' in post["cooked"]
    assert '<a class="mention" href="/u/bob">@bob</a>' in post["cooked"]
    assert '<span class="mention">@nobody</span>' in post["cooked"]


# Categories


def test_categories_come_nested_at_once_or_in_pages_with_few_of_those_below(
    on_stage: OnStage,
) -> None:
    def shown(client: Client, **asked: Any) -> list[tuple[int, list[int] | None, list[int]]]:
        listed = client.get("/categories.json", **asked)["category_list"]["categories"]
        return [
            (row["id"], [below["id"] for below in row["subcategory_list"] or ()] or None,
             row["subcategory_ids"])
            for row in listed
        ]  # fmt: skip

    plain, lazy = Client(on_stage), Client(on_stage, lazy_categories=True)
    for client in (plain, lazy):
        for number in range(30):
            key = 100 + number
            below = number % 2 and {"parent_id": 100 if number < 20 else key - 1}
            client.forum.categories[key] = Category(id=key, name="c", slug="c", **(below or {}))
    ten = [101 + 2 * number for number in range(10)]
    assert (100, None, ten) in shown(plain)
    assert (100, ten, ten) in shown(plain, include_subcategories="true")
    assert shown(plain, page=2) == []
    first = [key for key, *_ in shown(lazy, include_subcategories="true")]
    assert len(first) == 17 + 5 + 5 and 109 in first and 111 not in first
    assert [key for key, *_ in shown(lazy, parent_category_id=100)] == ten
    assert shown(lazy, page=2) == []
    seen = lazy.ask("/categories.json", anonymous=True).json()["category_list"]["categories"]
    assert 2 not in {row["id"] for row in seen}


# Edits


def test_an_edit_tells_who_when_and_why_and_what_was_there_before(client: Client) -> None:
    forum = client.forum
    topic = forum.create_topic(client.ann, "Warp", "text", START)
    post = forum.topics[topic].posts[0].id
    assert client.ask(f"/posts/{post}/revisions/latest.json").status_code == 404
    forum.edit_post(post, "text, better", client.at(minutes=2))  # in time: no new version
    assert client.ask(f"/posts/{post}/revisions/latest.json").status_code == 404
    forum.edit_post(post, "text & all", client.at(hours=1), by=client.admin, reason="more")
    forum.edit_title(topic, "Warp tension", client.at(hours=2), by=client.ann)
    forum.make_wiki(post, client.at(hours=3), by=client.admin)
    row = client.get(f"/posts/{post}.json")
    assert (row["version"], row["wiki"], row["edit_reason"]) == (4, True, None)
    second = client.get(f"/posts/{post}/revisions/2.json")
    assert second["created_at"] == "2026-03-01T10:00:00.000Z"
    assert (second["username"], second["edit_reason"]) == ("rapport", "more")
    assert "<del>text, better</del><ins>text &amp; all</ins>" in second["body_changes"]["inline"]
    pointers = ("first_revision", "previous_revision", "next_revision", "last_revision")
    assert [second[name] for name in pointers] == [2, None, 3, 4]
    third = client.get(f"/posts/{post}/revisions/3.json")
    assert "Warp tension" in third["title_changes"]["inline"] and third["username"] == "ann"
    latest = client.get(f"/posts/{post}/revisions/latest.json")
    assert [latest[name] for name in pointers] == [2, 3, None, 4]
    assert latest["wiki_changes"] == {"previous": False, "current": True}
    assert client.ask(f"/posts/{post}/revisions/1.json").json()["error_type"] == (
        "invalid_parameters"
    )
    assert client.ask(f"/posts/{post}/revisions/9.json").status_code == 404
    forum.delete_user(client.ann, client.at(days=1), delete_posts=False)
    assert client.get(f"/posts/{post}/revisions/3.json")["username"] == "system"


def test_an_edit_that_is_undone_in_time_is_none(client: Client) -> None:
    forum = client.forum
    topic = forum.create_topic(client.ann, "Warp", "text", START)
    post = forum.topics[topic].posts[0]
    forum.edit_post(post.id, "text, better", client.at(hours=1))
    assert post.version == 2
    forum.edit_post(post.id, "text", client.at(hours=1, minutes=2))
    assert post.version == 1
    assert client.ask(f"/posts/{post.id}/revisions/latest.json").status_code == 404


def test_a_hidden_edit_is_for_staff_and_a_hidden_post_has_none_for_others(client: Client) -> None:
    forum = client.forum
    topic = forum.create_topic(client.ann, "Warp", "text", START)
    post = forum.topics[topic].posts[0]
    for number in range(3):
        forum.edit_post(post.id, f"text {number}", client.at(days=1 + number), reason=f"{number}")
    forum.hide_revision(post.id, 3)
    path = f"/posts/{post.id}/revisions"
    assert client.get(f"{path}/3.json")["previous_hidden"] is True
    for number, status in ((2, 200), (3, 403), (4, 200)):
        assert client.ask(f"{path}/{number}.json", anonymous=True).status_code == status
    second = client.ask(f"{path}/2.json", anonymous=True).json()
    assert second["next_revision"] == 4
    assert "edit_reason" not in second  # of which edit it would be is not told
    assert client.ask(f"{path}/latest.json", anonymous=True).json()["previous_revision"] == 2
    seen = client.ask(f"/posts/{post.id}.json", anonymous=True).json()
    assert (seen["version"], client.get(f"/posts/{post.id}.json")["version"]) == (3, 4)
    forum.hide_post(post.id, client.at(days=9))
    assert client.ask(f"{path}/2.json", anonymous=True).status_code == 404
    assert client.get(f"{path}/2.json")["edit_reason"] == "0"


def test_a_forum_may_keep_who_edited_what_to_its_staff(on_stage: OnStage) -> None:
    client = Client(on_stage, edit_history_public=False)
    topic = client.forum.create_topic(client.ann, "Warp", "text", START)
    post = client.forum.topics[topic].posts[0].id
    client.forum.edit_post(post, "better", client.at(days=1))
    path = f"/posts/{post}/revisions/latest.json"
    assert client.ask(path, anonymous=True).json()["error_type"] == "invalid_access"
    assert client.ask(path).status_code == 200
    client.forum.make_wiki(post, client.at(days=2), by=client.admin)
    assert client.ask(path, anonymous=True).status_code == 200


def test_texts_that_cannot_be_compared_are_an_error_of_two_kinds(on_stage: OnStage) -> None:
    client = Client(on_stage, diff_limit=50)
    topic = client.forum.create_topic(client.ann, "Warp", "text", START)
    post = client.forum.topics[topic].posts[0].id
    client.forum.edit_post(post, "x" * 60, client.at(days=1))
    assert client.ask(f"/posts/{post}/revisions/latest.json").status_code == 422
    assert client.ask(f"/posts/{post}/revisions/2.json").status_code == 500


# Users


def test_the_admin_list_has_hundred_a_page_and_page_zero_is_page_one(client: Client) -> None:
    for number in range(120):
        client.forum.create_user(f"user{number}", email=f"u{number}@x.example", at=START)
    path, order = "/admin/users/list/active.json", {"order": "created", "asc": "true"}
    pages = [[user["id"] for user in client.get(path, page=page, **order)] for page in range(4)]
    assert pages[0] == pages[1]
    assert [len(page) for page in pages] == [100, 100, 24, 0]
    assert pages[1][0] == -1
    assert len(set(pages[1] + pages[2])) == 124


def test_addresses_need_show_emails_which_is_logged(client: Client) -> None:
    plain = client.get("/admin/users/list/active.json")
    staged = client.forum.create_user("mail", email="m@x.example", at=START, staged=True)
    told = {user["id"] for user in client.get("/admin/users/list/new.json") if "email" in user}
    assert told == {client.admin, staged}  # one's own, and of who only ever wrote by e-mail
    assert [user["id"] for user in plain if "email" in user] == [client.admin]
    assert client.forum.staff_action_log == []
    shown = client.get("/admin/users/list/active.json", show_emails="true")
    assert {user["email"] for user in shown} >= {"ann@mill.example", "bob@yarn.example"}
    assert [action for _, _, action in client.forum.staff_action_log] == ["check_email"]


def test_a_punishment_is_shown_as_long_as_it_lasts(client: Client) -> None:
    client.forum.suspend_user(client.ann, START, days=40)
    client.forum.silence_user(client.bob, START, days=40)

    def punished() -> dict[int, set[str]]:
        rows = client.get("/admin/users/list/new.json")
        words = {"suspended", "suspended_at", "suspended_till", "silenced", "silenced_till"}
        return {row["id"]: words & row.keys() for row in rows if words & row.keys()}

    assert punished() == {
        client.ann: {"suspended", "suspended_at", "suspended_till"},
        client.bob: {"silenced", "silenced_till"},
    }
    client.clock.advance(days=11)
    assert punished() == {}


def test_a_new_username_is_written_into_the_texts_of_others(client: Client) -> None:
    raw = 'Ask @Ann or @anne\n\n[quote="ann, post:1, topic:1"]\nwool\n[/quote]'
    topic = client.forum.create_topic(client.ann, "Names", "question", START)
    post = client.forum.reply(topic, client.bob, raw, START)
    client.forum.anonymize_user(client.ann, START)
    name = client.forum.users[client.ann].username
    row = client.get(f"/posts/{post}.json")
    assert row["raw"] == raw.replace("@Ann ", f"@{name} ").replace('"ann,', f'"{name},')
    assert (row["version"], f'href="/u/{name}"' in row["cooked"]) == (1, True)


def test_single_sign_on_is_on_the_users_own_page(client: Client) -> None:
    record = client.get(f"/admin/users/{client.ann}.json")["single_sign_on_record"]
    assert record["external_id"] == "0037"
    assert record["external_email"] == "Ann@Mill.example"
    assert client.get(f"/admin/users/{client.bob}.json")["single_sign_on_record"] is None
    assert client.get("/u/by-external/0037.json")["user"]["username"] == "ann"
    assert client.get("/admin/users/-1.json")["username"] == "system"


def test_renamed_anonymized_merged_and_deleted_users(client: Client) -> None:
    forum = client.forum
    topic = forum.create_topic(client.ann, "People", "question", START)
    reply = forum.reply(topic, client.bob, "answer", client.at(hours=1))
    forum.rename_user(client.ann, "ann.mill")
    assert client.get("/posts/1.json")["username"] == "ann.mill"
    forum.anonymize_user(client.ann, client.at(days=1))
    anonymous = client.get("/posts/1.json")
    assert anonymous["user_id"] == client.ann
    assert anonymous["username"].startswith("anon")
    second = forum.create_user("bob2", email="b2@yarn.example", at=START)
    forum.merge_users(client.bob, second, client.at(days=2))
    assert client.get(f"/posts/{reply}.json")["user_id"] == second
    assert client.ask(f"/admin/users/{client.bob}.json").status_code == 404
    forum.delete_user(second, client.at(days=3), delete_posts=False)
    orphan = client.get(f"/posts/{reply}.json")
    assert (orphan["user_id"], orphan["username"]) == (None, None)
    forum.delete_user(client.ann, client.at(days=3))
    assert client.topics() == []


def test_mentions_follow_every_rename_and_nobody_elses_name(client: Client) -> None:
    forum = client.forum
    topic = forum.create_topic(client.ann, "People", "question", START)
    text = '@BOB @bob.mill @bobby x@bob [quote="bob, post:1, topic:1"]'
    reply = forum.reply(topic, client.ann, "nothing yet", client.at(hours=1))
    forum.edit_post(reply, text, client.at(hours=2))
    forum.rename_user(client.bob, "rob")
    assert forum.posts[reply].raw == '@rob @rob.mill @bobby x@bob [quote="rob, post:1, topic:1"]'
    forum.rename_user(client.bob, "rob.mill")
    forum.rename_user(client.bob, "boo")
    assert forum.posts[reply].raw.startswith("@boo @boo.mill @bobby x@bob")


# Limits and errors


def test_a_wrong_key_and_a_missing_key_are_told_apart(client: Client) -> None:
    wrong = requests.get(
        f"{client.url}/latest.json",
        headers={"Api-Key": "no", "Api-Username": "rapport"},
        timeout=10,
    )
    assert wrong.status_code == 403
    assert wrong.json()["error_type"] == "invalid_access"
    assert client.ask("/admin/users/list/active.json", anonymous=True).status_code == 404
    assert client.ask("/session/current.json", anonymous=True).status_code == 404
    assert client.get("/session/current.json")["current_user"]["admin"] is True
    lost = client.ask("/t/999.json")
    assert lost.json() == {
        "errors": ["The requested URL or resource could not be found."],
        "error_type": "not_found",
    }


def test_the_address_limit_answers_in_text(strict: Client) -> None:
    answers = [strict.ask("/latest.json", anonymous=True) for _ in range(51)]
    assert {answer.status_code for answer in answers[:50]} == {200}
    limited = answers[50]
    assert limited.status_code == 429
    assert limited.headers["Content-Type"].startswith("text/plain")
    assert limited.headers["Discourse-Rate-Limit-Error-Code"] == "ip_10_secs_limit"
    assert 1 <= int(limited.headers["Retry-After"]) <= 10
    assert limited.text.startswith("Slow down")


def test_the_admin_key_limit_answers_in_json(on_stage: OnStage) -> None:
    client = Client(on_stage, admin_api_per_minute=3)
    answers = [client.ask("/latest.json") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    body = answers[3].json()
    assert body["error_type"] == "rate_limit"
    assert body["extras"]["wait_seconds"] == int(answers[3].headers["Retry-After"])


def test_crawlers_get_a_third_kind_of_429(client: Client) -> None:
    headers = {"User-Agent": "Mozilla/5.0 (compatible; GPTBot/1.2)"}
    answers = [requests.get(f"{client.url}/latest.json", headers=headers, timeout=10) for _ in "ab"]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "crawler" in answers[1].text


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("429", 429, "application/json"),
        ("429_text", 429, "text/plain"),
        ("429_crawler", 429, "text/plain"),
        ("503_html", 503, "text/html"),
    ],
)
def test_faults_have_the_vendors_shapes(
    client: Client, kind: str, status: int, content_type: str
) -> None:
    client.faults.set({"discourse": [{"kind": kind, "match": "/latest"}]})
    broken = client.ask("/latest.json")
    assert broken.status_code == status
    assert broken.headers["Content-Type"].startswith(content_type)
    assert client.ask("/latest.json").status_code == 200


def test_every_answer_carries_the_worlds_date(client: Client) -> None:
    assert client.ask("/latest.json").headers["Date"] == client.clock.http_date()
    assert client.get("/sandbox/clock")["now"] == client.clock.now().isoformat()
    counted = client.get("/sandbox/requests")
    assert counted["/latest.json"] == 1


# Against the vendor's own description


PATHS = {
    "/latest.json": "/latest.json",
    "/t/{id}.json": "/t/1.json",
    "/t/{id}/posts.json": "/t/1/posts.json?post_ids[]=1",
    "/posts.json": "/posts.json",
    "/posts/{id}.json": "/posts/1.json",
    "/admin/users/list/{flag}.json": "/admin/users/list/active.json?show_emails=true",
    "/admin/users/{id}.json": "/admin/users/2.json",
    "/directory_items.json": "/directory_items.json?period=all&order=post_count",
    "/categories.json": "/categories.json",
    "/site/basic-info.json": "/site/basic-info.json",
}
LOOSE_IN_THE_DESCRIPTION = {
    "reply_to_post_number",  # described as text, is a number
    "extras",  # null unless there is something to say
    "single_sign_on_record",  # described as text, is an object
    "ip_address",  # this instance keeps none
    "load_more_directory_items",
    "suspended_by",
    "image_url",  # null for a topic without a picture
    "bookmarked",  # null in lists, as the recorded answers show
    "liked",
    "flair_group_id",
    "name",  # null where full names are not asked for
    "display_username",
}


@pytest.mark.parametrize("described", PATHS)
def test_answers_have_the_fields_and_types_of_the_official_description(
    client: Client, described: str
) -> None:
    if not SPECS.exists():
        pytest.skip(f"the vendor's description is not at {SPECS}")
    topic = client.forum.create_topic(client.ann, "Shape", "question", START, tags=["warp"])
    client.forum.reply(topic, client.bob, "answer", client.at(hours=1), reply_to=1)
    client.forum.like(2, client.ann, client.at(hours=2))
    paths = json.loads((SPECS / "openapi.json").read_text())["paths"]
    answer = paths[described]["get"]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]
    problems = list(_differences(schema, client.get(PATHS[described]), described))
    assert problems == []


def _differences(schema: dict[str, Any], value: Any, place: str) -> Iterator[str]:
    """Yield required fields that are missing and values of another type."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    actual = "null" if value is None else names.get(type(value), "number")
    loose = place.rsplit(".", 1)[-1] in LOOSE_IN_THE_DESCRIPTION
    numeric = actual in ("integer", "number") and bool({"integer", "number"} & set(kinds))
    if kinds and actual not in kinds and not loose and not numeric:
        yield f"{place}: {actual}, not {kinds}"
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{place}.{name} is missing"
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from _differences(inner, value[name], f"{place}.{name}")
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value[:3]:
            yield from _differences(schema["items"], item, place)
