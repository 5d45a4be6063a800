"""Life on the social network: there unless left out, true to its truth, no trouble to others."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import requests

from sandbox.bluesky.store import INVALID_HANDLE
from sandbox.server import serve
from sandbox.social_life import APP_PASSWORD, HANDLE, HANDLE_FIELD
from sandbox.world import World

NOW = datetime(2026, 11, 22, tzinfo=UTC)
VENDORS = ("salesforce", "discourse", "bluesky")


def small(vendors: tuple[str, ...] = VENDORS, **how: object) -> World:
    return World(**{"people": 200, "seed": 3, "now": NOW, "vendors": vendors, **how})  # type: ignore[arg-type]


def network_of(world: World) -> str:
    return repr((world.network.accounts, world.network.posts, world.network.notifications))


@pytest.fixture(scope="module")
def world() -> World:
    """A world with every trap of the silo; only read."""
    return World(people=2000, seed=7, now=NOW, vendors=VENDORS)


def test_the_same_seed_makes_the_same_network_in_however_many_steps_time_moves() -> None:
    at_once, in_steps = small(), small()
    assert network_of(at_once) == network_of(in_steps)
    at_once.advance(days=4)
    for _ in range(8):
        in_steps.advance(seconds=43_200)
    assert network_of(at_once) == network_of(in_steps)
    assert at_once.truth == in_steps.truth


def test_the_other_silos_are_alike_with_and_without_it() -> None:
    with_it, without = small(), small(("salesforce", "discourse"))
    assert without.network.accounts == {}
    assert repr(with_it.forum.posts) == repr(without.forum.posts)
    for name in ("Account", "Case", "Task", "Opportunity", "User"):
        assert with_it.org.rows(name) == without.org.rows(name)
    unlike = {HANDLE_FIELD, "LastModifiedDate", "SystemModstamp", "LastModifiedById"}
    mine, theirs = (
        [{k: v for k, v in row.items() if k not in unlike} for row in found.org.rows("Contact")]
        for found in (with_it, without)
    )
    assert mine == theirs


def test_a_few_hundred_people_talk_about_the_company_and_are_answered(world: World) -> None:
    social, network = world.social, world.network
    assert social is not None
    authors = {post.did for post in network.posts.values()} - {social.us}
    assert 200 < len(authors) < 500
    ours = [post for post in network.posts.values() if post.did == social.us]
    answered = {post.parent for post in ours if post.parent}
    asked = {
        told.uri
        for told in network.notifications[social.us]
        if told.reason == "mention" and told.uri in network.posts
    }
    assert 0.4 < len(answered & asked) / len(asked) < 0.7
    assert any(
        post.mentions == {social.us} and post.parent is None for post in network.posts.values()
    )


def test_every_trap_is_laid(world: World) -> None:
    traps = Counter(trap[0] for trap in world.truth.traps)
    for name in (
        *("no_unauthenticated", "handle_changed", "handle_invalid", "created_in_year_one"),
        *("created_in_the_future", "dated_back", "edited", "deleted", "account_deleted"),
        *("account_deactivated", "blocked_us", "social_handle_volunteered"),
    ):
        assert traps[name], name


def test_a_handle_in_the_crm_was_given_by_its_owner(world: World) -> None:
    social, network = world.social, world.network
    assert social is not None
    owner = {
        contact: person.id for person in world.population.people for contact in person.contact_ids
    }
    given = {
        (trap[3], trap[6]) for trap in world.truth.traps if trap[0] == "social_handle_volunteered"
    }
    assert len(given) > 20
    for contact, did in given:
        assert owner.get(contact, social.person_of[did].id) == social.person_of[did].id
    noted = [row[HANDLE_FIELD] for row in world.org.rows("Contact") if row.get(HANDLE_FIELD)]
    gone = [handle for handle in noted if network.account(handle) is None]
    assert len(noted) > len(gone) > 0  # some have changed it since


def test_the_truth_holds_every_account_and_its_state(world: World, tmp_path: Path) -> None:
    assert world.social is not None
    world.write_truth(tmp_path)
    rows = pq.read_table(tmp_path / "profiles.parquet").to_pylist()
    held = {row["native_id"]: row for row in rows if row["source_type"] == "bluesky"}
    assert set(held) == set(world.network.accounts)
    people = {row["person"] for row in pq.read_table(tmp_path / "people.parquet").to_pylist()}
    for did, account in world.network.accounts.items():
        assert held[did]["profile_key"] == f"social:profiles:{did}"
        assert (held[did]["state"] == "live") == (account.status == "active")
        assert did == world.social.us or held[did]["person"] in people


def test_every_day_brings_an_edit_a_deletion_a_like_and_another_handle() -> None:
    world = small()
    assert world.social is not None
    before = Counter(trap[0] for trap in world.truth.traps)
    world.advance(days=2)
    after = Counter(trap[0] for trap in world.truth.traps)
    for name in ("edited", "deleted", "handle_changed"):
        assert after[name] > before[name], name
    handles = [account.handle for account in world.network.accounts.values()]
    valid = [handle for handle in handles if handle != INVALID_HANDLE]
    assert len(valid) == len(set(valid))


def test_it_is_served_beside_the_others_unless_left_out() -> None:
    with serve(people=60, port=0, now=NOW, vendors=VENDORS[:2]) as sandbox:
        assert set(sandbox.urls) == {"salesforce", "discourse"}
        assert set(sandbox.credentials["sources"]) == {"crm", "forum"}
    with serve(people=60, port=0, now=NOW, vendors=VENDORS) as sandbox:
        social = sandbox.credentials["sources"]["social"]
        assert (social["handle"], social["app_password"]) == (HANDLE, APP_PASSWORD)
        url = sandbox.urls["bluesky"]
        address = f"{url}/xrpc/app.bsky.actor.getProfile"
        profile = requests.get(address, params={"actor": HANDLE}, timeout=10)
        assert profile.json()["displayName"] == "Harbor Looms"
        requests.post(f"{url}/sandbox/advance", json={"days": 1}, timeout=60)
        assert sandbox.now == NOW + timedelta(days=1)
        contact = next(iter(sandbox.credentials["sources"]["crm"]["fields"]["Contact"]))
        assert contact["name"] == "Community_Handle__c"
