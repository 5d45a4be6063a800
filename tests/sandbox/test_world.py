"""The generated company: alike for alike seeds, true to its truth, alive when time moves."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
import requests

from sandbox.discourse.store import Post
from sandbox.people import Person
from sandbox.rates import PROFILES_ONLY
from sandbox.server import chosen_vendors, serve
from sandbox.shop_life import address_key
from sandbox.world import VENDORS, World

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OBJECTS = (
    "Account", "Contact", "Lead", "Opportunity", "OpportunityContactRole", "Case",
    "CaseComment", "Task", "TaskRelation", "Event", "EventRelation", "CaseHistory", "User",
)  # fmt: skip
ROOT = Path(__file__).parents[2]


def small(**how: object) -> World:
    return World(**{"people": 120, "seed": 3, "now": NOW, **how})  # type: ignore[arg-type]


def fingerprint(world: World) -> str:
    digest = hashlib.sha256()
    for name in OBJECTS:
        digest.update(msgspec.json.encode(world.org.rows(name)))
    for users_topics_or_posts in (world.forum.users, world.forum.topics, world.forum.posts):
        digest.update(repr(sorted(users_topics_or_posts.items())).encode())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def world() -> World:
    """A world big enough to hold every trap; only read."""
    return World(people=900, seed=7, now=NOW)


@pytest.fixture(scope="module")
def truth(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    folder = tmp_path_factory.mktemp("truth")
    world.write_truth(folder)
    return {path.stem: pq.read_table(path).to_pylist() for path in folder.glob("*.parquet")}


# The same world


def test_a_world_of_profiles_has_people_everywhere_and_next_to_nothing_happens(
    world: World,
) -> None:
    profiles = small(people=300, rates=PROFILES_ONLY)
    alike = Counter(kind for *kind_of, _ in profiles.truth.profiles for kind in [tuple(kind_of)])
    assert set(alike) == {key[:2] for key in world.truth.profiles}
    traps = {trap[0] for trap in profiles.truth.traps}
    assert traps >= {"duplicate_contact", "employer_change", "email_role", "merged_contact"}
    counts = profiles.counts()
    assert counts["interactions"] < counts["people"]
    assert counts["cases"] == counts["portal_tickets"] == counts["shop_logins"] == 0


def test_what_points_to_a_record_is_found_as_if_every_record_was_read(world: World) -> None:
    for name in OBJECTS:
        table = world.org.table(name)
        for described in table.sobject.references():
            field = described["name"]
            held = sorted({row[field] for row in table.rows.values() if row[field]})
            for id in held[:: max(1, len(held) // 5)]:
                assert table.pointing(field, id) == [
                    row for row in table.rows.values() if row[field] == id
                ]


def test_the_same_seed_size_and_date_make_the_same_world_to_the_byte(tmp_path: Path) -> None:
    one, other = small(), small()
    assert fingerprint(one) == fingerprint(other)
    one.write_truth(tmp_path / "one")
    other.write_truth(tmp_path / "other")
    written = sorted((tmp_path / "one").iterdir())
    assert len(written) == 8
    for path in written:
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
    assert fingerprint(small(seed=4)) != fingerprint(one)


def test_it_makes_no_difference_in_how_many_steps_time_moves() -> None:
    at_once, in_steps = small(people=60), small(people=60)
    at_once.advance(days=5)
    for _ in range(4):
        in_steps.advance(days=1)
    in_steps.advance(seconds=50_000)
    in_steps.advance(seconds=36_400)
    assert in_steps.clock.now() == at_once.clock.now() == NOW + timedelta(days=5)
    assert fingerprint(at_once) == fingerprint(in_steps)


def test_reading_changes_nothing() -> None:
    alone, read = small(people=60), small(people=60)
    for _ in range(20):
        alone.advance(days=1)
        read.advance(days=1)
        for name in OBJECTS:
            read.org.table(name).visible(read.clock.now())
    for name in OBJECTS:
        alone.org.table(name).visible(alone.clock.now())
    assert alone.truth == read.truth
    assert fingerprint(alone) == fingerprint(read)


def test_everything_scales_with_the_number_of_people() -> None:
    few, many = small(people=100).counts(), small(people=400).counts()
    assert abs(few["people"] - 100) <= 12
    assert abs(many["people"] - 400) <= 24
    for kind in ("posts", "tasks", "cases", "forum_users", "interactions"):
        assert 2.5 < many[kind] / few[kind] < 6.5, kind


def test_the_default_proportions_are_those_of_a_company_with_a_community(world: World) -> None:
    counts = world.counts()
    per_person = counts["interactions"] / counts["people"]
    assert 25 < per_person < 36
    assert counts["posts"] > counts["interactions"] / 2
    assert counts["tasks"] > counts["case_comments"] > counts["cases"]
    silos = Counter(
        (bool(person.contact_ids or person.lead_id), bool(person.forum_ids))
        for person in world.population.people
        if not person.is_staff
    )
    assert min(silos[True, True], silos[True, False], silos[False, True]) > 150


def test_nothing_is_written_in_the_future(world: World) -> None:
    now = world.clock.now()
    assert max(post.created_at for post in world.forum.posts.values()) <= now
    assert max(post.updated_at for post in world.forum.posts.values()) <= now
    for name in OBJECTS:
        stamps = [row["SystemModstamp"] for row in world.org.rows(name)]
        assert max(stamps) <= now.strftime("%Y-%m-%dT%H:%M:%S.000+0000"), name


# True to the truth


def test_every_record_of_a_person_or_organization_is_in_the_truth_and_the_other_way_round(
    world: World, truth: dict[str, list[dict]]
) -> None:
    told = {(row["stream"], row["source_type"], row["native_id"]): row for row in truth["profiles"]}
    there = {
        (stream, "salesforce", row["Id"]): bool(row.get("IsDeleted"))
        for stream, name in (
            ("accounts", "Account"),
            ("contacts", "Contact"),
            ("leads", "Lead"),
            ("users", "User"),
        )
        for row in world.org.rows(name)
    }
    there |= {("users", "discourse", str(user)): False for user in world.forum.users}
    there |= {
        (name, "hubspot", str(id)): record.archived_at is not None
        for name in ("contacts", "companies", "leads")
        for id, record in world.portal.table(name).records.items()
        if id not in world.portal.table(name).heirs
    }
    there |= {("owners", "hubspot", id): False for id in world.portal.owners}
    there |= {
        ("profiles", "bluesky", did): account.status != "active"
        for did, account in world.network.accounts.items()
        if account.status != "deleted"
    }
    there |= {
        ("customers", "shop", key): False
        for (key,) in world.shop.rows("select cast(id as text) from customers")
    }
    there |= {
        ("customers", "shop", address_key(email)): False
        for (email,) in world.shop.rows(
            "select email from orders where customer_id is null and email is not null"
        )
    }
    assert set(there) <= set(told)
    for key, row in told.items():
        if key not in there:
            assert row["state"] in ("purged", "merged"), key
        else:
            assert (row["state"] in ("deleted", "merged")) == there[key], key
    people = {row["person"] for row in truth["people"]}
    organizations = {row["organization"] for row in truth["organizations"]}
    for row in truth["profiles"]:
        assert row["person"] in people | {None}
        assert row["organization"] in organizations | {None}
        assert (row["entity"] == "person") or row["organization"] is not None
        if row["merged_into"] is not None:
            heir = told[row["stream"], row["source_type"], row["merged_into"]]
            assert heir["person"] == row["person"]
            assert heir["organization"] == row["organization"]


def test_posts_of_a_user_are_those_of_one_true_person(
    world: World, truth: dict[str, list[dict]]
) -> None:
    told = {row["native_id"] for row in truth["profiles"] if row["source_type"] == "discourse"}
    authors = {str(post.user_id) for post in world.forum.posts.values() if post.user_id is not None}
    assert authors <= told


def test_memberships_of_a_person_do_not_overlap(truth: dict[str, list[dict]]) -> None:
    held: dict[str, list[dict]] = {}
    for row in truth["memberships"]:
        held.setdefault(row["person"], []).append(row)
    assert any(len(rows) > 1 for rows in held.values())
    for rows in held.values():
        rows.sort(key=lambda row: row["since"])
        for earlier, later in pairwise(rows):
            assert earlier["until"] == later["since"]
        assert rows[-1]["until"] is None


TRAPS = {
    "email_role", "email_placeholder", "email_typo", "email_case", "email_private",
    "email_missing", "phone_switchboard", "phone_placeholder", "nickname", "name_typo",
    "name_initial", "name_odd_case", "same_full_name", "mailbox_reissued", "employer_change",
    "duplicate_contact", "merged_contact", "merge_chain", "deleted_contact", "restored_contact",
    "purged_contact", "test_record", "contact_without_account", "converted_lead",
    "lead_not_prospect", "odd_activity_date", "case_reopened", "deal_reopened",
    "inactive_owner", "bot", "bot_first_response", "spammer", "second_account", "renamed",
    "anonymized", "hostile_text", "very_long_text", "other_script", "forum_email_plus",
    "forum_email_private", "single_sign_on", "sso_15_characters", "unconfirmed_email",
    "handle_volunteered", "deleted_post", "deleted_topic",
    "declined_invitation", "taken_off_meeting",
}  # fmt: skip


def test_every_trap_is_laid_at_least_once(truth: dict[str, list[dict]]) -> None:
    assert TRAPS - {row["trap"] for row in truth["traps"]} == set()


def test_meetings_and_calls_are_with_several_people_and_hand_offs_are_on_record(
    world: World,
) -> None:
    org = world.org
    people = [row for row in org.rows("EventRelation") if not row["IsWhat"]]
    guests = [row for row in people if row["IsInvitee"]]
    meetings = [row for row in org.rows("Event") if not row["IsChild"]]
    assert 0.1 < len(guests) / len(meetings) < 2
    assert {row["Status"] for row in guests} == {"New", "Accepted", "Declined"}
    assert {row["RelationId"][:3] for row in guests} == {"003", "005"}
    shared = [row for row in org.rows("TaskRelation") if not row["IsWhat"]]
    with_somebody = [row for row in org.rows("Task") if row["WhoId"] is not None]
    assert len(with_somebody) < len(shared) < 1.5 * len(with_somebody)
    given = [row for row in org.rows("CaseHistory") if row["Field"] == "Owner"]
    escalated = [row for row in org.rows("Case") if row["IsEscalated"]]
    assert len(given) == 2 * len(escalated) > 0  # by id and by name


def test_traps_sit_on_records_that_show_them(world: World, truth: dict[str, list[dict]]) -> None:
    contacts = {row["Id"]: row for row in world.org.rows("Contact")}
    roles = [
        contacts[row["native_id"]]["Email"]
        for row in truth["traps"]
        if row["trap"] == "email_role" and row["native_id"] in contacts
    ]
    assert roles
    assert all(
        address.split("@")[0].isalpha() and "." not in address.split("@")[0] for address in roles
    )
    for row in truth["traps"]:
        if row["trap"] == "sso_15_characters":
            user = world.forum.users.get(int(row["native_id"]))
            assert user is None or user.anonymized or len(user.external_id or "") == 15


# What is planted


def _posts_of(world: World, people: list[Person], since: datetime) -> list[Post]:
    users = {user for person in people for user in person.forum_ids}
    return [
        post
        for post in world.forum.posts.values()
        if post.user_id in users and post.created_at >= since
    ]


def test_the_quiet_organizations_are_silent_before_their_renewal(
    world: World, truth: dict[str, list[dict]]
) -> None:
    planted = [row for row in truth["effects"] if row["effect"] == "quiet_before_renewal"]
    assert len(planted) == 3
    for row in planted:
        organization = next(o for o in world.population.organizations if o.id == row["true_id"])
        assert len(organization.people) >= 4
        assert organization.renewal == row["until"].date()
        assert row["since"] < NOW < row["until"]
        assert _posts_of(world, organization.people, row["since"]) == []
        assert _posts_of(world, organization.people, world.start) != []
        account = world.org.get("Account", organization.account_ids[0])
        assert account["Renewal_Date__c"] == row["until"].date().isoformat()
        since = row["since"].strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        assert not [
            case
            for case in world.org.rows("Case")
            if case["AccountId"] == account["Id"] and case["CreatedDate"] >= since
        ]


def test_the_top_helper_gives_most_answers_and_then_leaves(
    world: World, truth: dict[str, list[dict]]
) -> None:
    row = next(row for row in truth["effects"] if row["effect"] == "helper_leaves")
    replies = Counter(
        post.user_id
        for post in world.forum.posts.values()
        if post.post_number > 1 and post.user_id not in (-1, world.community.welcome_bot)
    )
    assert replies.most_common(1)[0][0] == int(row["native_id"])
    helper = next(person for person in world.population.people if person.id == row["true_id"])
    assert _posts_of(world, [helper], row["since"]) == []


def test_the_champion_has_a_contact_at_the_new_employer_and_keeps_the_old_one(
    world: World, truth: dict[str, list[dict]]
) -> None:
    row = next(row for row in truth["effects"] if row["effect"] == "champion_moves")
    contacts = [
        world.org.get("Contact", profile["native_id"])
        for profile in truth["profiles"]
        if profile["person"] == row["true_id"]
        and (profile["source_type"], profile["stream"]) == ("salesforce", "contacts")
        and profile["state"] == "live"
    ]
    assert len({contact["AccountId"] for contact in contacts}) >= 2
    assert len({contact["Email"] for contact in contacts}) >= 2


def test_handed_off_cases_wait_longer_for_their_next_public_comment(
    world: World, truth: dict[str, list[dict]]
) -> None:
    waits = sorted(row["value"] for row in truth["effects"] if row["effect"] == "slow_hand_off")
    assert len(waits) > 50
    assert waits[len(waits) // 2] > 2.0
    row = next(
        row
        for row in truth["effects"]
        if row["effect"] == "slow_hand_off" and row["until"] < NOW - timedelta(days=30)
    )
    assert world.org.get("Case", row["native_id"])["IsEscalated"] is True


def test_single_threaded_organizations_have_one_live_contact(
    world: World, truth: dict[str, list[dict]]
) -> None:
    told = [row for row in truth["effects"] if row["effect"] == "single_threaded"]
    assert len(told) > 5
    live = Counter(row["AccountId"] for row in world.org.rows("Contact") if not row["IsDeleted"])
    assert all(live[row["native_id"]] == 1 for row in told)


# When time moves


def test_a_week_brings_every_kind_of_change() -> None:
    world = small(people=200)
    org, forum = world.org, world.forum
    seen_contacts = {row["Id"]: row for row in org.rows("Contact")}
    names = {user.id: user.username for user in forum.users.values()}
    titles = {topic.id: topic.title for topic in forum.topics.values()}
    before, n_posts = world.clock.now(), len(forum.posts)
    tiers = {row["Id"]: row["Tier__c"] for row in org.rows("Account")}
    world.advance(days=7)
    contacts = {row["Id"]: row for row in org.rows("Contact")}
    fresh = {key for key in contacts if key not in seen_contacts}
    assert len(forum.posts) > n_posts
    assert fresh
    old = list(forum.posts.values())[:n_posts]
    edits = [edit for post in old for edit in forum.revisions.get(post.id, ())]
    assert any("raw" in edit.before and edit.created_at > before for edit in edits)
    assert any(post.deleted_at and post.deleted_at > before for post in old)
    assert any(t.deleted_at and t.deleted_at > before for t in forum.topics.values())
    assert any(titles.get(t.id, t.title) != t.title for t in forum.topics.values())
    assert any(names.get(user.id, user.username) != user.username for user in forum.users.values())
    merged = [key for key in seen_contacts if (contacts.get(key) or {}).get("MasterRecordId")]
    deleted = [
        key
        for key, row in seen_contacts.items()
        if not row["IsDeleted"] and key in contacts and contacts[key]["IsDeleted"]
    ]
    purged = [key for key in seen_contacts if key not in contacts]
    assert merged and set(deleted) - set(merged) and purged
    assert any(
        tiers.get(row["Id"], row["Tier__c"]) != row["Tier__c"] for row in org.rows("Account")
    )
    assert any(trap[0] == "restored_contact" and trap[5] > before for trap in world.truth.traps)


def test_some_rows_written_just_before_midnight_show_only_later() -> None:
    world = small()
    world.advance(days=1)
    now, table = world.clock.now(), world.org.table("Account")
    shown = table.visible(now)
    hidden = [row for row in world.org.rows("Account") if row not in shown]
    assert hidden
    world.advance(seconds=300)
    shown = table.visible(world.clock.now())
    assert all(row in shown for row in hidden)


def test_new_people_keep_coming() -> None:
    world = small(people=300)
    before = world.counts()["people"]
    world.advance(days=60)
    assert world.counts()["people"] > before


# Served


def test_all_vendors_are_served_and_one_clock_moves_them() -> None:
    with serve(people=60, port=0, now=NOW) as sandbox:
        assert tuple(sandbox.urls) == VENDORS
        answer = requests.post(
            f"{sandbox.urls['salesforce']}/sandbox/advance", json={"days": 2}, timeout=30
        )
        assert answer.json()["now"] == "2026-11-24T00:00:00+00:00"
        for url in (url for url in sandbox.urls.values() if url.startswith("http")):
            told = requests.get(f"{url}/sandbox/clock", timeout=10)
            assert told.json()["now"] == "2026-11-24T00:00:00+00:00"
            assert told.headers["Date"] == "Tue, 24 Nov 2026 00:00:00 GMT"
            given = requests.get(f"{url}/sandbox/credentials", timeout=10).json()
            assert given == sandbox.credentials
        forum = given["sources"]["forum"]
        headers = {"Api-Key": forum["api_key"], "Api-Username": forum["api_username"]}
        latest = requests.get(f"{forum['url']}/latest.json", headers=headers, timeout=10)
        assert len(latest.json()["topic_list"]["topics"]) == 30


def test_the_forums_limits_are_raised_unless_the_vendors_own_are_asked_for() -> None:
    assert small(people=60).forum.settings.admin_api_per_minute > 10_000
    assert small(people=60, vendor_limits=True).forum.settings.admin_api_per_minute == 60


def test_vendors_are_chosen_by_name_and_a_name_that_is_none_gets_a_suggestion() -> None:
    assert chosen_vendors("discourse, hubspot,discourse") == ("discourse", "hubspot")
    with pytest.raises(ValueError, match=r"no vendor `hubpsot`\. Did you mean `hubspot`"):
        chosen_vendors("salesforce,hubpsot")
    with pytest.raises(ValueError, match="no vendor is named"):
        chosen_vendors(" ,")


def test_a_taken_port_is_named() -> None:
    with serve(people=60, port=0, now=NOW) as sandbox:
        taken = int(sandbox.urls["salesforce"].rsplit(":", 1)[1])
        with (
            pytest.raises(OSError, match=f"port {taken} on 127.0.0.1 is taken"),
            serve(world=sandbox.world, port=taken),
        ):
            pass


def test_a_time_that_cannot_be_read_is_refused() -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "sandbox", "--people", "60", "--now", "soon"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert asked.returncode == 2
    assert "`soon` is not an ISO 8601 time" in asked.stderr


def test_the_sandbox_knows_nothing_of_who_reads_it() -> None:
    for path in (ROOT / "sandbox").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                assert module.split(".")[0] not in ("connectors", "rapport", "assets"), path
