"""The examples on real exports that nobody cleaned, against counts taken from the files directly.

The data stays outside the repository: `RAPPORT_DATA` names its folder.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from connectors.quarantine import Quarantine
from rapport.cli import DONE, main

DATA = Path(os.environ.get("RAPPORT_DATA", "data-that-is-not-here"))
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

pytestmark = [
    pytest.mark.demo,
    pytest.mark.skipif(
        not DATA.is_dir(), reason="RAPPORT_DATA does not name a folder with the real exports"
    ),
]


def built(example: str, folder: Path) -> Path:
    """Run an example in a folder of its own and return its home."""
    for path in (EXAMPLES / example).glob("*.yml"):
        shutil.copy(path, folder)
    result = CliRunner().invoke(main, ["--config", str(folder), "run"], catch_exceptions=False)
    assert result.exit_code == DONE, result.output
    return folder / ".rapport"


def rows(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def from_files(sql: str) -> list[tuple[Any, ...]]:
    """Ask the CSV files themselves; `{folder}` in a path is the data's."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(sql.replace("{folder}", str(DATA))).fetchall()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("qa_site", tmp_path_factory.mktemp("qa_site"))


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("crm_export", tmp_path_factory.mktemp("crm_export"))


POSTS = "read_csv('{folder}/stackexchange_history_meta/posts.csv', all_varchar = true)"
COMMENTS = "read_csv('{folder}/stackexchange_history_meta/comments.csv', all_varchar = true)"
USERS = "read_csv('{folder}/stackexchange_history_meta/users.csv', all_varchar = true)"


def test_every_post_and_comment_of_the_site_is_an_interaction(site: Path) -> None:
    expected = from_files(
        "select case PostTypeId when '1' then 'question' else 'answer' end, count(*), "
        f"count(OwnerUserId) from {POSTS} where PostTypeId in ('1', '2') group by 1 "
        f"union all select 'comment', count(*), count(UserId) from {COMMENTS} order by 1"
    )
    found = rows(
        site,
        "select kind, count(*), count(actor_person_id) from fct_interaction group by 1 order by 1",
    )
    assert found == expected
    assert expected == [("answer", 1095, 1076), ("comment", 3454, 3312), ("question", 556, 529)]


def test_every_user_is_a_person_and_the_bot_is_known(site: Path) -> None:
    users = from_files(f"select count(*), count(*) filter (where Id = '-1') from {USERS}")
    people = rows(site, "select count(*), count(*) filter (where is_bot) from dim_person")
    assert people[0][1] == users[0][1] == 1
    # Some authors are no longer in the list of users: they are people all the same.
    assert users[0][0] <= people[0][0] <= users[0][0] + 20
    assert not Quarantine(site, "site", "users").reasons()


def test_accepted_answers_and_comments_find_their_question(site: Path) -> None:
    accepted = from_files(f"select count(*) from {POSTS} where AcceptedAnswerId is not null")
    assert rows(site, "select count(*) from fct_interaction where is_accepted") == accepted
    astray = rows(
        site,
        "select count(*) from fct_interaction c left join fct_interaction q "
        "on q.interaction_id = c.thread_id and q.kind = 'question' "
        "where c.kind = 'comment' and c.thread_id is not null and q.interaction_id is null",
    )
    assert astray == [(0,)]


def test_answered_share_and_the_top_helper_are_those_of_the_files(site: Path) -> None:
    [(answered, top)] = from_files(f"""
        with question as (
            select Id, OwnerUserId from {POSTS}
            where PostTypeId = '1' and OwnerUserId is distinct from '-1'
        ),
        answer as (
            select a.* from {POSTS} a join question q on q.Id = a.ParentId
            where a.PostTypeId = '2' and a.OwnerUserId is distinct from '-1'
            and (a.OwnerUserId <> q.OwnerUserId or (a.OwnerUserId is null) <> (q.OwnerUserId is null))
        ),
        helper as (
            select OwnerUserId, count(*) as n from answer where OwnerUserId is not null group by 1
        )
        select
            (select count(distinct ParentId) from answer) / (select count(*) from question),
            (select max(n) / sum(n) from helper)
    """)  # noqa: E501
    [(share, helper)] = rows(
        site,
        "select answered_share_ever, top_helper_share_ever from rel_community_health "
        "where segment_type = 'all' and as_of = date '2018-08-31'",
    )
    assert share == pytest.approx(answered, abs=0.01)
    assert helper == pytest.approx(top, abs=0.01)


def test_what_the_site_cannot_tell_is_unknown_and_not_zero(site: Path) -> None:
    assert rows(site, "select count(*) from fct_case union all select count(*) from fct_deal") == [
        (0,),
        (0,),
    ]
    elephant = rows(site, "select distinct elephant_factor from rel_community_health")
    assert elephant == [(None,)]


def test_the_crm_export_is_about_organizations_and_our_own_agents(crm: Path) -> None:
    accounts = "read_csv('{folder}/crm_sales_opportunities/accounts.csv', all_varchar = true)"
    agents = "read_csv('{folder}/crm_sales_opportunities/sales_teams.csv', all_varchar = true)"
    assert rows(crm, "select count(*) from dim_organization") == from_files(
        f"select count(*) from {accounts}"
    )
    assert rows(crm, "select party_kind, count(*) from dim_person group by 1") == [
        ("staff", from_files(f"select count(*) from {agents}")[0][0])
    ]
    assert rows(crm, "select count(*) from rel_disengagement") == [(0,)]


def test_every_deal_arrives_with_its_amount_and_dirty_keys_lose_nothing(crm: Path) -> None:
    pipeline = "read_csv('{folder}/crm_sales_opportunities/sales_pipeline.csv', all_varchar = true)"
    expected = from_files(
        "select count(*), count(account), count(*) filter (where deal_stage = 'Won'), "
        f"sum(close_value::decimal(18, 2)) from {pipeline}"
    )
    found = rows(
        crm,
        "select count(*), count(organization_id), count(*) filter (where is_won), sum(amount) "
        "from fct_deal",
    )
    assert found == expected
    assert expected[0][:3] == (8800, 7375, 4238)
    won = rows(crm, "select count(*), sum(amount) from fct_purchase")
    assert won == from_files(
        f"select count(*), sum(close_value::decimal(18, 2)) from {pipeline} "
        "where deal_stage = 'Won'"
    )


def test_each_organization_of_the_export_has_its_row_with_an_owner_and_no_money_in_the_score(
    crm: Path,
) -> None:
    latest = "as_of = date '2017-12-31'"
    assert rows(crm, f"select count(*) from rel_organization where {latest}") == [(85,)]
    [(gap, score)] = rows(
        crm, f"select count(usual_gap_days), count(score) from rel_organization where {latest}"
    )
    assert gap == score == 85
