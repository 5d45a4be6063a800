"""What posts on a social network become: acts towards us, and people nobody guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt.build import build
from tests.dbt.landing_fixture import CONTACT, FIRST_SYNC, Landing, sf_id

pytestmark = pytest.mark.dbt

US, ANN, BOB, EVE, FAY = (f"did:plc:{name}" for name in ("us", "ann", "bob", "eve", "fay"))
Rows = Callable[[str], list[tuple[Any, ...]]]


def uri(did: str, number: int) -> str:
    return f"at://{did}/app.bsky.feed.post/{number}"


def key(did: str, number: int) -> str:
    return f"social:posts:{uri(did, number)}"


def talk() -> Landing:
    """Return a company's account, three people who wrote to it, and one contact."""
    landing = Landing({"crm": ("salesforce", "crm"), "social": ("bluesky", "social")})
    landing.control = {
        "custom_fields": [("crm", "contacts", "Bluesky_Handle__c", "text", "direct")]
    }
    landing.add("salesforce__contacts", {"Id": sf_id(CONTACT, 1), "Name": "Ann Lee",
                "FirstName": "Ann", "LastName": "Lee", "Bluesky_Handle__c": "ann.example",
                "CreatedDate": "2024-01-10T08:00:00.000+0000"})  # fmt: skip

    def profile(did: str, **more: Any) -> None:
        landing.add("bluesky__profiles", {"did": did, **more}, key=did)

    def post(did: str, number: int, about: list[str], **more: Any) -> None:
        at = f"2026-06-02T{number:02d}:00:00.000Z"
        record = {"createdAt": more.pop("created_at", at), **more.pop("record", {})}
        landing.add("bluesky__posts", {"uri": uri(did, number), "cid": "c", "record": record,
                    "author": {"did": did}, "indexedAt": at, "likeCount": 0, "about": about},
                    key=uri(did, number))  # fmt: skip

    def told(did: str, number: int, reason: str, at: str = "", **record: Any) -> None:
        at = at or f"2026-06-02T{number:02d}:00:00.000Z"
        landing.add("bluesky__notifications", {"uri": uri(did, number), "reason": reason,
                    "author": {"did": did}, "record": {"createdAt": at, **record},
                    "indexedAt": at}, key=uri(did, number))  # fmt: skip

    def answers(did: str, number: int, root: tuple[str, int] | None = None) -> dict[str, Any]:
        top = root or (did, number)
        return {"reply": {"root": {"uri": uri(*top)}, "parent": {"uri": uri(did, number)}}}

    profile(US, handle="looms.example", displayName="Looms", ours=True)
    profile(ANN, handle="ann.example", displayName="Ann Lee", ours=False)
    profile(BOB, handle="handle.invalid", ours=False)  # Eve's account was never shown
    post(US, 1, ["own"])
    post(ANN, 2, ["mention"])
    told(ANN, 2, "mention")
    post(US, 3, ["own"], record=answers(ANN, 2))
    told(ANN, 4, "reply", **answers(US, 3, root=(ANN, 2)))
    told(BOB, 5, "quote")
    post(EVE, 6, ["link"], created_at="0001-01-01T00:00:00Z")
    post(BOB, 7, ["mention"], created_at="2199-01-01T00:00:00Z")
    post(BOB, 8, ["tag"], created_at="last Tuesday")
    post(BOB, 9, ["link"], created_at="2026-05-30T10:00:00+02:00", record=answers(EVE, 6))
    post(EVE, 10, ["mention"])
    landing.delete("bluesky__posts", uri(EVE, 10))
    told(EVE, 11, "mention")
    landing.delete("bluesky__notifications", uri(EVE, 11))
    told(EVE, 12, "mention", at="0001-01-01T00:00:00.000Z")
    for did, number, reason, at in (
        (ANN, 1, "like", "2026-06-02T05:00:00.000Z"),  # taken back, and given again below
        (ANN, 2, "like", "2026-06-03T05:00:00.000Z"),
        (ANN, 3, "repost", "2026-06-03T06:00:00.000Z"),
        (FAY, 4, "like", "0001-01-01T00:00:00.000Z"),
        (BOB, 5, "like", "2026-06-04T06:00:00.000Z"),
    ):
        record = f"at://{did}/app.bsky.feed.{reason}/{number}"
        landing.add("bluesky__reactions", {"uri": record, "author": {"did": did}, "reason": reason,
                    "reasonSubject": uri(US, 1), "record": {"createdAt": at},
                    "indexedAt": at}, key=record)  # fmt: skip
        if number in (1, 5):
            landing.delete("bluesky__reactions", record)
    for likes in (3, 7):
        later = FIRST_SYNC + timedelta(days=likes)
        record = {"uri": uri(US, 1), "cid": "c", "author": {"did": US}, "likeCount": likes,
                  "indexedAt": "2026-06-02T01:00:00.000Z", "about": ["own"],
                  "record": {"createdAt": "2026-06-02T01:00:00.000Z"}}  # fmt: skip
        landing.add("bluesky__posts", record, key=uri(US, 1), version=later, loaded_at=later)
    return landing


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    database: Path = tmp_path_factory.mktemp("social") / "build.duckdb"
    build(database, talk(), "--exclude", "path:models/metrics")

    def read(query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(database), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(query).fetchall()

    return read


def test_each_post_is_one_act_of_its_kind_and_direction(rows: Rows) -> None:
    found = rows(
        "select interaction_id, kind, direction, target_profile_key, is_prompted "
        "from fct_interaction where channel = 'social' and not is_deleted order by interaction_id"
    )
    ours, anns = f"social:profiles:{US}", f"social:profiles:{ANN}"
    assert found == sorted(
        [
            (key(US, 1), "announcement", "outbound", None, None),
            (key(ANN, 2), "mention", "inbound", ours, False),
            (key(US, 3), "reply", "outbound", anns, None),
            (key(ANN, 4), "reply", "inbound", ours, None),
            (key(BOB, 5), "quote", "inbound", ours, None),
            (key(EVE, 6), "post", "inbound", None, False),
            (key(BOB, 7), "mention", "inbound", ours, False),
            (key(BOB, 8), "post", "inbound", None, False),
            (key(BOB, 9), "reply", "peer", f"social:profiles:{EVE}", None),
            (key(EVE, 12), "mention", "inbound", ours, False),
        ]
    )


def test_a_thread_goes_from_the_mention_over_our_answer_to_the_thanks(rows: Rows) -> None:
    assert rows(
        "select interaction_id, in_reply_to_interaction_id from fct_interaction "
        f"where thread_id = '{key(ANN, 2)}' order by occurred_at"
    ) == [(key(ANN, 2), None), (key(US, 3), key(ANN, 2)), (key(ANN, 4), key(US, 3))]


def test_the_earlier_clock_counts_unless_it_is_none(rows: Rows) -> None:
    found = rows(
        "select interaction_id, occurred_at::varchar, source_seen_at::varchar "
        "from fct_interaction where channel = 'social' and not is_deleted"
    )
    clocks = {name: (occurred[:16], seen[:16]) for name, occurred, seen in found}
    assert clocks[key(EVE, 6)] == ("2026-06-02 06:00", "2026-06-02 06:00")
    assert clocks[key(BOB, 7)] == ("2026-06-02 07:00", "2026-06-02 07:00")
    assert clocks[key(BOB, 8)] == ("2026-06-02 08:00", "2026-06-02 08:00")
    assert clocks[key(BOB, 9)] == ("2026-05-30 08:00", "2026-06-02 09:00")
    read_at = FIRST_SYNC.isoformat(sep=" ")[:16]
    assert clocks[key(EVE, 12)] == (read_at, read_at)


def test_what_a_search_or_a_notification_lost_is_deleted(rows: Rows) -> None:
    assert rows(
        "select interaction_id from fct_interaction "
        "where is_deleted and channel = 'social' order by interaction_id"
    ) == [(key(EVE, 10),), (key(EVE, 11),)]


def test_nobody_is_joined_to_a_person_by_handle_or_name(rows: Rows) -> None:
    assert rows(
        "select native_id, display_name, is_staff, party_kind from dim_profile "
        "where silo = 'social' order by native_id"
    ) == [
        (ANN, "Ann Lee", False, "unknown"),
        (BOB, BOB, False, "unknown"),
        (EVE, EVE, False, "unknown"),
        (FAY, FAY, False, "unknown"),
        (US, "Looms", True, "staff"),
    ]
    assert rows("select count(*) from identity_edge") == [(0,)]
    assert rows(
        "select count(distinct person_id) = count(*) from dim_profile where entity = 'person'"
    ) == [(True,)]
    assert rows(
        "select count(*) from identity_identifier as i join dim_profile as p using (profile_key) "
        "where p.silo = 'social'"
    ) == [(0,)]


def test_every_version_is_an_observation_of_the_counters(rows: Rows) -> None:
    assert rows(
        f"select n_likes from stg_bluesky__posts where uri = '{uri(US, 1)}' order by _seq"
    ) == [(0,), (3,), (7,)]


def test_who_liked_our_posts_is_told_with_when_once_per_kind_even_if_given_twice(
    rows: Rows,
) -> None:
    # A clock that shows the year 1 tells no time, and of a like taken back and given again the
    # later one stands.
    assert rows(
        "select split_part(actor_profile_key, 'plc:', 2), kind, polarity, "
        "strftime(occurred_at, '%m-%d %H'), is_current, a.native_id, t.native_id "
        "from fct_reaction_given as r "
        "left join dim_profile as a on r.actor_person_id = a.person_id "
        "left join dim_profile as t on r.target_person_id = t.person_id "
        f"where interaction_id = '{key(US, 1)}' order by 1, 2"
    ) == [
        ("ann", "like", "positive", "06-03 05", True, ANN, US),
        ("ann", "repost", "positive", "06-03 06", True, ANN, US),
        ("bob", "like", "positive", "06-04 06", False, BOB, US),
        ("fay", "like", "positive", None, True, FAY, US),
    ]


def test_the_handle_a_contact_gave_is_a_custom_field_of_the_contact(rows: Rows) -> None:
    [(custom,)] = rows("select custom from dim_profile where silo = 'crm'")
    assert json.loads(custom) == {"Bluesky_Handle__c": "ann.example"}
