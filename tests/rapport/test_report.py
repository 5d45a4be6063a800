"""What the pages say: every number from the warehouse, unknown where there is none."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from connectors.errors import BuildError
from rapport import report
from rapport.config import Config
from rapport.report import charts, facts, figures, panels, relations, words
from rapport.report.charts import Mark
from tests.rapport import published
from tests.rapport.published import AS_OF, company, configure, snapshot

Tables = dict[str, list[dict[str, object]]]


def pages_of(config: Config, tables: Tables) -> dict[str, str]:
    """Return path -> markup of every page."""
    published.write(config.home, tables)
    folder = report.render(config).parent
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.html")
    }


def page_of(config: Config, tables: Tables, path: str = "index.html") -> str:
    return pages_of(config, tables)[path]


def section(page: str, name: str) -> str:
    return page.split(f'<section id="{name}">')[1].split("</section>")[0]


def text_of(markup: str) -> str:
    return " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", markup, flags=re.S).split())


def numbers(config: Config, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(config.home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configure(tmp_path / "home", strategy=True)


def test_a_report_without_a_warehouse_says_what_to_run(config: Config) -> None:
    with pytest.raises(BuildError, match=r"no `warehouse.duckdb` to read\. Run `rapport run`"):
        report.render(config)


def test_a_warehouse_that_cannot_be_read_says_so(config: Config) -> None:
    config.home.mkdir(parents=True, exist_ok=True)
    (config.home / "warehouse.duckdb").write_bytes(b"not a database" * 500)
    with pytest.raises(BuildError, match="cannot be read"):
        report.render(config)


def test_an_empty_warehouse_calls_nothing_zero_that_it_does_not_know(config: Config) -> None:
    pages = pages_of(config, {})
    tiles = text_of(pages["index.html"].split('<div class="tiles">')[1].split("<section")[0])
    for label in (
        "Organizations went quiet unknown", "Champions left unknown", "Wait for us unknown",
        "Regulars drift away unknown", "Helpers to thank unknown",
        "Questions answered in 7 days unknown", "Forum people known to a CRM unknown",
    ):  # fmt: skip
        assert label in tiles
    assert not re.search(r"\b0\b", tiles.replace("in 7 days", ""))
    for path in ("organizations", "people", "community", "engagement", "cadence", "coverage"):
        assert "Unknown: " in text_of(pages[f"{path}.html"])


def test_the_four_lists_and_their_tiles_count_what_the_warehouse_holds(config: Config) -> None:
    page = page_of(config, company(["Ada"]))
    living = "as_of = (select max(as_of) from rel_organization) and current_gap_days < 180"
    for name, condition in {
        "quiet": "current_gap_days > 2 * greatest(usual_gap_days, 7)",
        "champion": "champion_left",
        "single": "is_single_threaded and n >= 5",
        "slow": "((unanswered_90d >= 2 and 2 * unanswered_90d >= requests_90d) "
        "or oldest_open_case_days > 7)",
    }.items():
        ((n,),) = numbers(
            config, f"select count(*) from rel_organization where {living} and {condition}"
        )
        part = section(page, name)
        assert n and part.count('<td class="who">') == min(n, 50)
        assert f'<span class="n">{n}</span>' in part
        assert f'href="#{name}"' in page.split("<section")[0]
        assert f"<b>{n}</b>" in page.split(f'href="#{name}"')[1].split("</a>")[0]


def test_every_row_of_the_first_page_has_a_reason_an_owner_and_something_to_do(
    config: Config,
) -> None:
    page = page_of(config, company(["Ada"]))
    for name in ("quiet", "champion", "single", "slow", "keep", "thank"):
        rows = section(page, name).split('<td class="who">')[1:]
        assert rows
        for row in rows:
            reason = text_of(row.split('data-label="Why">')[1].split("</td>")[0])
            owner = text_of(row.split('data-label="Owner">')[1].split("</td>")[0])
            action = text_of(row.split('data-label="What to do">')[1].split("</td>")[0])
            assert len(reason) > 10 and "unknown" not in reason and "None" not in reason
            assert owner in ("Ada", "no owner")
            assert len(action) > 5


def test_a_row_links_to_the_page_of_its_organization_and_says_why(config: Config) -> None:
    row = section(page_of(config, company(["Ada"])), "quiet").split('<td class="who">')[1]
    assert 'href="organizations/org_0000000000000002.html"' in row
    said = text_of(row)
    assert "at risk n = 98 contacts in 180 days" in said
    assert "Usually in touch every 5 days, now 15 days quiet" in said
    assert "every 5 days → 15 days" in said
    assert "2026-12-26 in 34 days" in said


def test_a_list_is_cut_and_says_how_many_more(config: Config) -> None:
    keep = section(page_of(config, company(["Ada"])), "keep")
    assert "<summary>65 more</summary>" in keep
    assert "20 further" in text_of(keep)


def test_money_orders_nothing(config: Config) -> None:
    tables = company(["Ada"])

    def order() -> list[str]:
        published.write(config.home, tables)
        found = facts.read(config).organizations
        return [one.id for one in relations.to_look_after(found)]

    before = order()
    for i, row in enumerate(tables["rel_organization"]):
        row["renewal_amount"] = (i * 7919) % 1000 if i % 2 else None
        row["renewal_date"] = None
    for row in tables["dim_organization"]:
        row["renewal_date"] = None
    assert order() == before


def test_without_a_strategy_there_are_numbers_and_neither_verdict_nor_advice(
    tmp_path: Path,
) -> None:
    pages = pages_of(configure(tmp_path), company(["Ada"], verdicts=False))
    assert "No <code>strategy.yml</code> yet" in pages["index.html"]
    for page in pages.values():
        assert 'class="chip' not in page
        assert "What to do" not in page and 'class="do"' not in page
    assert "verdicts, levels and proposed actions" in pages["coverage.html"]
    assert "levels wait for strategy.yml" in text_of(pages["engagement.html"])
    assert section(pages["index.html"], "quiet").count('<td class="who">') > 5


def test_every_page_says_what_the_relationships_are_for(config: Config) -> None:
    for path, page in pages_of(config, company(["Ada"])).items():
        footer = text_of(page.split("<footer>")[1])
        told = "A community: “A place where makers help &lt;b&gt;makers&lt;/b&gt;.”"
        assert told in footer, path


def test_absent_silos_read_unknown_with_the_reason(tmp_path: Path) -> None:
    pages = pages_of(configure(tmp_path), company(["Ada"], silos=("crm",)))
    one = text_of(pages["organizations/org_0000000000000001.html"])
    assert "forum unknown, support unknown" in one
    assert "no cases are connected" in one
    assert "Unknown: no forum or other community is connected" in text_of(pages["community.html"])
    trust = text_of(pages["coverage.html"])
    assert "whether questions get answered no forum is connected → connect the forum" in trust
    assert "purchases no orders are connected → map orders" in trust
    assert "logins: whether people use what they have no source tells logins" in trust


def test_a_concern_that_no_record_could_show_is_unknown_and_not_zero(config: Config) -> None:
    tables = company(["Ada"], silos=("crm",))
    for row in tables["rel_organization"]:
        row |= dict.fromkeys(("champion_left", "is_single_threaded", "requests_90d",
                              "unanswered_90d", "open_cases"))  # fmt: skip
    page = page_of(config, tables)
    for name in ("champion", "single", "slow"):
        assert "Unknown: no source " in section(page, name)
        tile = page.split(f'href="#{name}"')[1].split("</a>")[0]
        assert ">unknown<" in tile and not re.search(r"\b0\b", text_of(tile))
    assert 'class="who"' in section(page, "quiet")


def test_nobody_is_called_unthanked_where_no_source_marks_staff(config: Config) -> None:
    tables = company(["Ada"])
    tables["dim_person"] = [row for row in tables["dim_person"] if not row["is_staff"]]
    page = page_of(config, tables)
    assert "nobody of us ever wrote" not in page.lower()
    assert "Whether one of us wrote to them is unknown" in section(page, "thank")


def test_purchases_read_unknown_until_orders_are_there(config: Config) -> None:
    tables = company(["Ada"])
    assert "Unknown: no orders are connected" in text_of(page_of(config, tables, "cadence.html"))
    tables["rel_cadence"] += [
        row | {"step": "purchase", "reason_1": "2nd purchase: reached by 80 of 100"}
        for row in tables["rel_cadence"]
    ]
    page = page_of(config, tables, "cadence.html")
    assert "80 % come to a second purchase" in page
    assert page.index('id="purchase"') < page.index('id="contribution"')
    assert "no orders are connected" not in page


def test_the_page_of_an_organization_shows_people_colleagues_cases_deals_and_fields(
    config: Config,
) -> None:
    page = text_of(page_of(config, company(["Ada"]), "organizations/org_0000000000000000.html"))
    for part in (
        "Monday › Organizations › Ada",
        "lost their champion : the person with most contact, who carried most of the direct",
        "Ada at risk kind unknown · no owner",
        "Score 8 of 100 n = 100 contacts",
        "left on 1 January 2026",
        "Colleague Acts, 365 days Last Ada 1 2026-09-22",
        "2026-11-02 20 days Ada none yet no owner",
        "Ada Ada unknown 1,250 USD no owner",
        "Tier__c crm Ada",
        "1 further field: free text, or about a person; not shown here.",
    ):
        assert part in page
    assert "Handle__c" not in page


def test_orders_and_sign_ins_have_their_lanes_beside_an_organization_s_contact(
    config: Config,
) -> None:
    tables = company(["Ada"])
    of = {"organization_id": f"org_{0:016x}", "occurred_at": datetime(2026, 11, 20)}
    tables["fct_purchase"] = [{"purchase_id": "shop:orders:1", **of}]
    tables["fct_login"] = [{"login_id": "shop:logins:1", **of}] * 2
    page = text_of(page_of(config, tables, "organizations/org_0000000000000000.html"))
    assert "orders, them product, them Nov 26 0 3 1 2 Oct" in page


def test_organizations_of_one_name_show_their_web_address(config: Config) -> None:
    tables = company(["Ada"])
    for i, row in enumerate(tables["dim_organization"]):
        row |= {"name": "Iris Yarns" if i < 2 else f"Firm {i}", "domain": f"site{i}.example"}
    page = text_of(page_of(config, tables, "organizations.html"))
    for i in (0, 1):
        assert f"Iris Yarns site{i}.example" in page
    assert "site2.example" not in page
    assert "site1.example" in (config.home / "report/assets/names.js").read_text(encoding="utf-8")


def test_what_is_told_of_no_organization_is_no_segment_of_one(config: Config) -> None:
    tables = company(["Ada"])
    one = {"organization_id": f"org_{0:016x}"}
    tables["bridge_organization_segment"] = [
        one | {"segment_type": "craft", "segment": "unknown"},
        one | {"segment_type": "support", "segment": "plus"},
        one | {"segment_type": "support", "segment": "basic"},
    ]
    page = text_of(page_of(config, tables, "organizations/org_0000000000000000.html"))
    assert "Support basic, plus" in page
    assert "Craft" not in page


@pytest.mark.parametrize(
    ("sizes", "title"),
    [
        ({"Studio": 53, "Mill": 6}, "By plan, only Studio has 10 people or more"),
        ({"Mill": 6, "Guild": 4}, "By plan, no segment has 10 people or more"),
        ({"Studio": 53, "Guild": 12}, "By plan, closest to us: Studio"),
        (
            {"Studio": 53, "Guild": 12, "Mill": 6},
            "By plan, closest to us: Studio, of segments with 10 people or more",
        ),
    ],
)
def test_a_comparison_says_whom_it_leaves_out(sizes: dict[str, int], title: str) -> None:
    scores = {"Studio": 1.8, "Guild": 1.2, "Mill": 2.5}
    rows = [
        {"segment_type": "plan", "segment": name, "n": n, "median_score": scores[name],
         "p25_score": 1, "p75_score": 3, "coverage": 1.0}
        for name, n in sizes.items()
    ]  # fmt: skip
    assert figures.by_segment(rows).title == title


def test_everybody_of_a_level_is_in_the_sentence_on_movement(config: Config) -> None:
    page = text_of(page_of(config, company(["Ada"]), "engagement.html"))
    assert "3 moved up, 50 stayed, 7 moved down. Bounds" in page  # 4 levels of 15
    tables = company(["Ada"])
    tables["rel_engagement_segment"][0] |= {"held": 46}
    page = text_of(page_of(config, tables, "engagement.html"))
    assert "7 moved down; 4 had no level 28 days before" in page


def test_the_page_of_a_person_says_why_their_profiles_are_one(config: Config) -> None:
    page = text_of(page_of(config, company(["Ada"]), "people/per_0000000000000001.html"))
    for part in (
        "Monday › People › Ada",
        "One person, 2 profiles Why these profiles are one",
        "forum Ada same e-mail address: p***@Ada",
        "crm Ada same full name refused: kept apart by identity/links.csv:2: Ada",
        "helps others : 10 answers to 10 people in 90 days; nobody of us ever wrote to them",
        "CRM, help 10 10",
        "Organization Title Time Ada org_0000000000000001 Ada 2024-01-01 to now by record",
    ):
        assert part in page


def test_colleagues_bots_and_accounts_that_nobody_claims_have_no_page(config: Config) -> None:
    tables = company(["Ada"])
    tables["dim_person"][2] |= {"silos": "social", "display_name": "@secret", "is_linked": False}
    tables["dim_person"][3] |= {"is_bot": True}
    pages = pages_of(config, tables)
    for i in (2, 3, 70, 71, 72):
        assert f"people/per_{i:016x}.html" not in pages
    assert not [path for path, page in pages.items() if "@secret" in page]
    assert "1 accounts of social networks have no page and no name" in text_of(pages["people.html"])
    names = (config.home / "report/assets/names.js").read_text(encoding="utf-8")
    assert "@secret" not in names


def test_people_have_a_page_if_linked_or_listed(config: Config) -> None:
    tables = company(["Ada"])
    tables["rel_disengagement"] = tables["rel_disengagement"][:10]
    tables["fct_interaction"] = []
    tables["rel_engagement"] = []
    pages = pages_of(config, tables)
    wanted = {
        row["person_id"]
        for i, row in enumerate(tables["dim_person"])
        if not row["is_staff"] and (row["is_linked"] or i < 10)
    }
    assert {Path(path).stem for path in pages if path.startswith("people/")} == wanted


def test_pages_of_people_who_are_gone_do_not_stay(config: Config) -> None:
    tables = company(["Ada"])
    assert "people/per_0000000000000001.html" in pages_of(config, tables)
    for table in ("dim_person", "rel_disengagement", "rel_engagement", "dim_profile"):
        tables[table] = [row for row in tables[table] if row["person_id"] != "per_0000000000000001"]
    assert "people/per_0000000000000001.html" not in pages_of(config, tables)


def test_charts_tell_backcast_low_coverage_and_gaps_from_known_values(config: Config) -> None:
    published.write(config.home, company(["Ada"]))
    found = facts.read(config)
    ((_, (active, *_)), (_, (answered, *_)), _) = panels.community(found.history, AS_OF)
    assert active.spec.count('"state":"known"') == 1
    assert active.spec.count('"state":"backcast"') == 11
    assert active.spec.count('"state":"low"') == 2
    assert len(re.findall(r'"n":"\d+"', answered.spec)) == 13  # n at every mark but the gap
    assert active.title == "537 people active, down from 542"


def test_a_step_without_a_snapshot_is_a_gap(config: Config) -> None:
    tables = company(["Ada"])
    day = AS_OF - timedelta(days=56)
    tables["rel_community_health"] = [
        row for row in tables["rel_community_health"] if row["as_of"] != day
    ]
    page = page_of(config, tables, "community.html")
    assert f"{words.day(day)}: no snapshot" in page
    assert '"v":null' in page


def test_the_snapshot_known_on_its_day_wins_over_a_backcast_of_it(config: Config) -> None:
    tables = company(["Ada"])
    day = AS_OF - timedelta(days=28)
    tables["rel_community_health"].append(
        snapshot(day) | {"segment_type": "all", "segment": "all", "active": 4242}
    )
    published.write(config.home, tables)
    row = facts.read(config).history[-2]
    assert row is not None
    assert (row["basis"], row["active"]) == ("as_known", 4242)


def test_a_median_that_more_than_half_still_wait_for_is_not_zero(config: Config) -> None:
    tables = company(["Ada"])
    for row in tables["rel_community_health"]:
        row |= {"median_first_response_hours": None, "p90_first_response_hours": None}
    pages = pages_of(config, tables)
    assert "Median first response: no median" in pages["community.html"]
    assert "more than half of the questions still wait" in pages["coverage.html"]


def test_sandbox_data_is_marked_on_every_page(tmp_path: Path) -> None:
    assert "Sandbox data" not in page_of(configure(tmp_path / "real"), {})
    config = configure(tmp_path / "sandbox", "# Written for a sandbox: generated data.\n")
    for page in pages_of(config, company(["Ada"])).values():
        assert "<b>Sandbox data.</b>" in page


def test_coverage_shows_each_stream_with_quarantine_and_what_it_cannot_give(
    config: Config,
) -> None:
    page = page_of(config, company(["Ada"]), "coverage.html")
    assert "crm users 3.0 h before 80 all 80 1 unknown 64 % n = 70" in text_of(page)
    assert "nothing &lt;b&gt;older&lt;/b&gt; than 30 days" in page
    assert "crm users 50 % 70" in text_of(page)


def test_the_same_warehouse_gives_the_same_pages(config: Config) -> None:
    tables = company(["Ada"])
    assert pages_of(config, tables) == pages_of(config, tables)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ada\nByron\t", "Ada Byron"),
        ("\x1b[31mred", "[31mred"),
        ("\u202eevil", "evil"),
        ("", "no name"),
        (None, "no name"),
        ("\u200b\u00ad", "no name"),
        ("👩‍👩‍👧 Família", "👩‍👩‍👧 Família"),
        ("y" * 99, "y" * 59 + "…"),
    ],
)
def test_names_read_on_one_line_without_control_characters(
    value: str | None, expected: str
) -> None:
    assert words.name(value) == expected


def test_unknown_never_reads_as_zero() -> None:
    for wording in (words.count, words.percent, words.ratio, words.duration, words.days,
                    words.score, words.age, words.level):  # fmt: skip
        assert wording(None) == "unknown"
    for wording in (words.count, words.percent, words.ratio, words.duration, words.days):
        assert "unknown" not in wording(0)
    assert words.money(None, "USD") == "unknown"
    assert words.day(None) == "unknown"
    assert words.compact(None) == "?"


def test_labels_in_charts_stay_short() -> None:
    assert [words.compact(n) for n in (0, 999, 1000, 9949, 12_345, 5_600_000)] == [
        "0", "999", "1.0k", "9.9k", "12k", "5.6M",
    ]  # fmt: skip


def test_numbers_read_as_people_say_them() -> None:
    assert words.every(1) == "every day"
    assert words.every(4.5) == "every 4.5 days"
    assert [words.days(n) for n in (86.8, 45.5, 44.5, Decimal("14.5"), 9.95, 1.0)] == [
        "87 days", "46 days", "45 days", "15 days", "10 days", "1 day",
    ]  # fmt: skip
    assert [words.percent(n) for n in (0.625, 0.875, 0.055)] == ["63 %", "88 %", "5.5 %"]
    assert [words.tenths(n) for n in (1, 0.9999, 0.29, None)] == [
        "100 %", "99.9 %", "29.0 %", "unknown",
    ]  # fmt: skip
    assert [words.ordinal(n) for n in (2, 3, 4, 8)] == ["2nd", "3rd", "4th", "8th"]
    assert words.sentence("crm went quiet first") == "CRM went quiet first"


def test_one_long_tail_does_not_press_the_medians_flat() -> None:
    marks = [Mark(label=str(high), value=5.0, low=5.0, high=high, n=300) for high in (12.0, 3600.0)]
    spec = charts.over_time(marks, words.duration)
    cut = [value["hi"] for value in spec["data"]["values"]]
    assert cut[0] == 12.0
    assert cut[1] <= 5.0 * charts.CUT * 1.1


def test_a_name_cannot_end_the_element_its_chart_stands_in() -> None:
    spec = charts.over_time([Mark(label="</script><!--\u2028", value=1.0)], words.count)
    text = charts.as_json(spec)
    assert not set(text) & set("<>&\u2028\u2029")
