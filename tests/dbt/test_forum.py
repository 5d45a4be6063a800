"""What a forum's records become: places, whom posts turn to, reactions, and who was erased."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt.build import build
from tests.dbt.landing_fixture import FIRST_SYNC, Landing

pytestmark = pytest.mark.dbt

ANN, BOB, CAT, DAN = 1, 2, 3, 4
HELP, WARPING, UNSEEN = 5, 9, 77
Rows = Callable[[str], list[tuple[Any, ...]]]


def day(number: int) -> datetime:
    return FIRST_SYNC + timedelta(days=number)


def forum() -> Landing:
    landing = Landing({"forum": ("discourse", "forum")})
    for key, name in ((ANN, "Ann"), (BOB, "Bob"), (CAT, "cat"), (DAN, "Dan")):
        user = {"id": key, "username": name, "name": f"{name} Weaver", "active": True,
                "email": f"{name}@mill.example", "secondary_emails": ["x@mill.example"],
                "moderator": key == DAN}  # fmt: skip
        landing.add("discourse__users", user)
        if key == CAT:
            gone = {"username": "anon4711", "name": None, "email": "anon4711@anonymized.invalid"}
            landing.add("discourse__users", user | gone, version=day(2), loaded_at=day(2))
    for key, name, parent in ((HELP, "Help", None), (WARPING, "Warping", HELP)):
        landing.add(
            "discourse__categories", {"id": key, "name": name, "parent_category_id": parent}
        )
    for key, category in ((10, WARPING), (11, UNSEEN)):
        landing.add("discourse__topics", {"id": key, "category_id": category,
                    "archetype": "regular", "has_accepted_answer": key == 10})  # fmt: skip

    def post(number: int, by: int, topic: int = 10, look: int = 0, **more: Any) -> None:
        landing.add("discourse__posts", {"id": topic * 10 + number, "topic_id": topic,
                    "post_number": number, "user_id": by, "username": f"u{by}", "post_type": 1,
                    "created_at": f"2026-06-02T{number:02d}:00:00.000Z", **more},
                    version=day(look), loaded_at=day(look))  # fmt: skip

    post(1, ANN)
    post(2, BOB)
    post(3, CAT, quotes=[{"topic": 10, "post": 2}])
    post(4, BOB, quotes=[{"topic": 11, "post": 1}])  # elsewhere: that answers nobody here
    post(5, CAT, mentions=["dan", "nobody"])
    post(6, CAT, mentions=["dan", "BOB"])
    post(7, BOB, quotes=[{"topic": 10, "post": 4}])  # of oneself
    post(1, ANN, topic=11)
    for look, accepted in enumerate((False, True, False, True, True), 1):
        likes = [{"id": 2, "count": look}] if look < 4 else [{"id": 3}]
        post(2, BOB, look=look, accepted_answer=accepted, actions_summary=likes)
    emoji = [{"id": "heart", "count": 2}, {"id": "-1", "count": 1}]
    post(3, CAT, look=1, quotes=[{"topic": 10, "post": 2}], reactions=emoji,
         actions_summary=[{"id": 2, "count": 3}], version=3, wiki=True)  # fmt: skip
    liked = {(ANN, None): 2, (CAT, "heart"): 2, (ANN, "clap"): 3, (DAN, "-1"): 3, (99, "heart"): 1}
    for (by, emoji), number in liked.items():
        like = {"post_id": 100 + number, "id": by} | ({"reaction": emoji} if emoji else {})
        landing.add("discourse__likes", like, key=f"[{100 + number},{by}]",
                    version=day(1), loaded_at=day(1))  # fmt: skip
    landing.delete("discourse__likes", f"[102,{CAT}]", at=day(3))
    for number, name in ((2, "bob"), (3, "cat"), (4, "somebody"), (5, "dan")):
        edit = {"post_id": 103, "current_revision": number, "username": name,
                "by_author": name == "cat", "edit_reason": "a typo",
                "created_at": f"2026-06-03T{number:02d}:00:00.000Z"}  # fmt: skip
        landing.add("discourse__revisions", edit, key=f"[103,{number}]",
                    version=day(1), loaded_at=day(1))  # fmt: skip
    landing.delete("discourse__revisions", "[103,5]", at=day(3))
    return landing


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    database: Path = tmp_path_factory.mktemp("forum") / "build.duckdb"
    build(database, forum(), "--exclude", "path:models/metrics")

    def read(query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(database), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(query).fetchall()

    return read


def test_a_place_is_the_path_of_its_category_or_else_its_number(rows: Rows) -> None:
    assert rows(
        "select distinct split_part(thread_id, ':', 3), place from fct_interaction order by 1"
    ) == [
        ("101", "Help > Warping"),
        ("111", "77"),
    ]


def test_a_post_turns_to_whom_it_quotes_or_to_the_one_it_mentions(rows: Rows) -> None:
    assert rows(
        "select split_part(interaction_id, ':', 3), kind, direction, "
        "split_part(in_reply_to_interaction_id, ':', 3), split_part(target_profile_key, ':', 3) "
        "from fct_interaction where thread_id = 'forum:posts:101' order by 1"
    ) == [
        ("101", "question", "inbound", None, None),
        ("102", "answer", "peer", "101", str(ANN)),
        ("103", "reply", "peer", "102", str(BOB)),
        ("104", "answer", "peer", "101", str(ANN)),
        ("105", "answer", "inbound", "101", str(DAN)),
        ("106", "answer", "peer", "101", str(ANN)),
        ("107", "answer", "peer", "101", str(ANN)),
    ]


def test_an_answer_is_accepted_since_we_saw_it_so_without_a_break(rows: Rows) -> None:
    assert rows(
        "select split_part(interaction_id, ':', 3), accepted_seen_at from fct_interaction "
        "where is_accepted"
    ) == [("102", day(4))]


def test_reactions_are_what_we_saw_change_and_not_counted_twice(rows: Rows) -> None:
    assert rows(
        "select split_part(interaction_id, ':', 3), kind, polarity, n_reactions, n_change, "
        "observed_at, is_current from fct_reaction order by observation_id"
    ) == [
        ("102", "like", "positive", 1, 1, day(1), False),
        ("102", "like", "positive", 2, 1, day(2), False),
        ("102", "like", "positive", 3, 1, day(3), False),
        ("102", "like", "positive", 0, -3, day(4), True),
        ("103", "-1", "negative", 1, 1, day(1), True),
        ("103", "like", "positive", 2, 2, day(1), True),
    ]
    assert rows(
        "select distinct split_part(p.profile_key, ':', 3) from fct_reaction as r "
        "join dim_profile as p on r.person_id = p.person_id order by 1"
    ) == [(str(BOB),), (str(CAT),)]


def test_who_reacted_to_whom_is_told_with_what_was_taken_back(rows: Rows) -> None:
    given = rows(
        "select split_part(interaction_id, ':', 3), split_part(actor_profile_key, ':', 3), kind, "
        "polarity, r.first_seen_at, taken_back_at, is_current, a.native_id, t.native_id "
        "from fct_reaction_given as r "
        "left join dim_profile as a on r.actor_person_id = a.person_id "
        "left join dim_profile as t on r.target_person_id = t.person_id order by 1, 2"
    )
    ann, bob, cat, dan = map(str, (ANN, BOB, CAT, DAN))
    assert given == [
        ("101", "99", "like", "positive", day(1), None, True, None, ann),
        ("102", ann, "like", "positive", day(1), None, True, ann, bob),
        ("102", cat, "like", "positive", day(1), day(3), False, cat, bob),
        ("103", ann, "clap", "positive", day(1), None, True, ann, cat),
        ("103", dan, "-1", "negative", day(1), None, True, dan, cat),
    ]


def test_an_edit_is_no_act_and_tells_who_made_it_on_a_post_that_everybody_may_edit(
    rows: Rows,
) -> None:
    assert rows(
        "select e.revision_number, e.editor_username, e.is_by_author, e.edit_reason, "
        "e.created_at, p.is_wiki from stg_discourse__revisions as e "
        "join stg_discourse__posts as p on e.post_id = p.post_id and p.is_wiki "
        "where e._op = 'upsert' order by 1"
    ) == [
        (number, name, name == "cat", "a typo", datetime(2026, 6, 3, number, tzinfo=UTC), True)
        for number, name in ((2, "bob"), (3, "cat"), (4, "somebody"), (5, "dan"))
    ]
    assert rows(
        "select count(*), max(occurred_at) from fct_interaction "
        "where interaction_id = 'forum:posts:103'"
    ) == [(1, datetime(2026, 6, 2, 3, tzinfo=UTC))]


def test_nothing_of_an_erased_person_stays_in_any_published_table(rows: Rows) -> None:
    assert rows(
        f"select display_name, email, is_email_verified from dim_profile where native_id = '{CAT}'"
    ) == [("anon4711", None, False)]
    [(views,)] = rows(
        "select list(table_name) from information_schema.tables where table_schema = 'main' "
        "and (table_name like 'dim_%' or table_name like 'fct_%' or table_name like 'bridge_%' "
        "or table_name like 'identity_%')"
    )
    for name in views:
        text = str(rows(f"select * from {name}"))
        assert "cat@mill" not in text and "cat Weaver" not in text, name
        assert "anonymized.invalid" not in text, name
