from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from connectors.errors import BuildError
from rapport import report
from rapport.config import Config
from rapport.report import charts, facts, words
from tests.rapport import published
from tests.rapport.browser import CHROMIUM, Browser
from tests.rapport.published import AS_OF, HOSTILE_NAMES, company, configure, snapshot

FORUM = """
sources:
  forum: {type: discourse, url: "https://forum.example", api_key: "${KEY}", api_username: rapport}
"""


def page_of(config: Config, tables: dict[str, list[dict[str, object]]]) -> str:
    published.write(config.home, tables)
    return report.render(config).read_text(encoding="utf-8")


def section(page: str, name: str) -> str:
    return page.split(f'<section id="{name}">')[1].split("</section>")[0]


def text_of(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


class Elements(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configure(tmp_path / "home", strategy=True)


def test_a_report_without_a_warehouse_says_what_to_run(config: Config) -> None:
    with pytest.raises(BuildError, match=r"no `warehouse.duckdb` to read\. Run `rapport run`"):
        report.render(config)


def test_a_warehouse_that_cannot_be_read_says_so(config: Config) -> None:
    (config.home / "warehouse.duckdb").write_bytes(b"not a database" * 500)
    with pytest.raises(BuildError, match="cannot be read"):
        report.render(config)


def test_an_empty_warehouse_renders_and_calls_nothing_zero_that_it_does_not_know(
    config: Config,
) -> None:
    page = page_of(config, {})
    assert "Unknown: no source names organizations" in page
    assert "Unknown: no source names people" in page
    assert "Unknown: no forum or other community is connected" in page
    figures = text_of(page.split('<dl class="figures">')[1].split("</dl>")[0])
    assert "Answered in 7 days unknown" in figures
    assert "Absence factor unknown" in figures


def test_the_page_holds_no_script_and_asks_for_nothing(config: Config) -> None:
    elements = Elements(page_of(config, company())).found
    assert not {tag for tag, _ in elements} & {"script", "img", "iframe", "object", "embed", "base"}
    for _tag, attributes in elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "action", "data", "srcset", "xlink:href", "style"):
            assert attributes.get(name) in (None, "data:,")


def test_names_of_strangers_stay_text(config: Config) -> None:
    page = page_of(config, company())
    for name in HOSTILE_NAMES:
        if "<" in name:
            assert name not in page
    assert "&lt;script&gt;document.title=&#39;run&#39;&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page  # not a template either
    assert "A place where makers help &lt;b&gt;makers&lt;/b&gt;." in page
    assert not set(page) & {"\u202e", "\u2066", "\x1b", "\0"}
    assert "x" * 100 not in page


def test_each_organization_shows_owner_reason_rhythm_people_cases_and_renewal(
    config: Config,
) -> None:
    page = page_of(config, company(["Ada"]))
    row = text_of(section(page, "organizations").split("<tr>")[2])
    for part in (
        "Ada owner: Ada at risk",
        "usually in touch every 3 days, now 9 days quiet",
        "3 days → 9 days",
        "CRM 0 forum 0 support 0",
        "single-threaded",
        "8 / 100 n = 100",
        "2027-01-01 in 40 days 0 USD",
    ):
        assert part in row


def test_each_person_shows_reason_rhythm_first_quiet_silo_and_owner(config: Config) -> None:
    page = page_of(config, company(["Ada"]))
    row = text_of(section(page, "people").split("<tr>")[3])
    assert "slowing look in" in row
    assert "usually every 3 days, now 26 days quiet" in row
    assert "forum went quiet first, 31 days ago" in row
    assert "3 days → 26 days from 118 gaps forum CRM, forum Ada" in row


def test_a_list_is_cut_and_says_how_many_more_and_how_to_see_them(config: Config) -> None:
    page = page_of(config, company(["Ada"]))
    organizations, people = section(page, "organizations"), section(page, "people")
    assert organizations.count('<td class="who">') == facts.LIST_LIMIT
    assert "4 more: the query that lists all" in organizations
    assert people.count('<td class="who">') == facts.LIST_LIMIT
    query = text_of(people.split("<pre>")[1].split("</pre>")[0]).replace("&gt;", ">")
    query = query.replace("&lt;", "<").replace("&#39;", "'")
    with duckdb.connect(str(config.home / "warehouse.duckdb"), read_only=True) as connection:
        assert (
            len(connection.execute(f"select person_id from ({query.rstrip(';')})").fetchall()) == 70
        )


def test_organizations_that_need_nobody_now_are_counted_beside_the_list(config: Config) -> None:
    page = text_of(section(page_of(config, company(["Ada"])), "organizations"))
    assert (
        "Not listed: 1 organization with a lesser reason (a message that waits, only one person "
        "in contact); 5 organizations silent for 180 days or more, or never in touch." in page
    )


def test_money_orders_nothing(config: Config) -> None:
    tables = company(["Ada"])

    def order() -> list[str]:
        published.write(config.home, tables)
        return [row["organization_id"] for row in facts.read(config).organizations.rows]

    before = order()
    for i, row in enumerate(tables["rel_organization"]):
        row["renewal_amount"] = (i * 7919) % 1000 if i % 2 else None
        row["renewal_date"] = None
    assert order() == before


def test_without_a_strategy_there_are_numbers_and_no_verdict(tmp_path: Path) -> None:
    config = configure(tmp_path, strategy=False)
    page = page_of(config, company(["Ada"], verdicts=False))
    assert "No <code>strategy.yml</code> yet" in page
    assert 'class="chip' not in page
    assert "verdicts, levels and proposed actions" in page
    assert "8<" in section(page, "organizations")


def test_absent_silos_read_unknown_with_the_reason(tmp_path: Path) -> None:
    page = page_of(configure(tmp_path), company(["Ada"], silos=("crm",)))
    assert "forum unknown support unknown" in text_of(section(page, "organizations"))
    assert "Unknown: no forum or other community is connected" in page
    trust = text_of(section(page, "trust"))
    assert "whether questions get answered no forum is connected" in trust
    assert "open cases and how fast they are answered no cases are connected" in trust
    assert "unknown needs a forum and a CRM" in text_of(page)


def test_charts_tell_backcast_low_coverage_and_gaps_from_known_values(config: Config) -> None:
    page = section(page_of(config, company(["Ada"])), "community")
    active = page.split("<figure>")[1].split("</figure>")[0]
    assert active.count('class="mark known"') == 1
    assert active.count('class="mark low"') == 2
    assert active.count('class="mark backcast"') == 10
    assert active.count('class="gap"') == 1
    answered = page.split("<figure>")[7].split("</figure>")[0]
    assert "Answered in 7 days" in answered
    assert answered.count('class="n"') == 13  # n at every mark


def test_a_step_without_a_snapshot_is_a_gap(config: Config) -> None:
    tables = company(["Ada"])
    tables["rel_community_health"] = [
        row for row in tables["rel_community_health"] if row["as_of"] != AS_OF - timedelta(days=56)
    ]
    page = page_of(config, tables)
    assert f"28 days to {words.day(AS_OF - timedelta(days=56))}: no snapshot" in page


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
    page = page_of(config, tables)
    assert "no median" in section(page, "community")
    assert "more than half of the questions still wait" in section(page, "trust")


def test_sandbox_data_is_marked(tmp_path: Path) -> None:
    real = page_of(configure(tmp_path / "real"), {})
    assert "Sandbox data" not in real
    config = configure(tmp_path / "sandbox", "# Written for a sandbox: generated data.\n")
    assert "<b>Sandbox data.</b>" in page_of(config, {})


def test_quarantined_records_are_counted_with_their_reasons(tmp_path: Path) -> None:
    config = configure(tmp_path, FORUM)
    folder = config.home / "quarantine" / "forum" / "posts"
    folder.mkdir(parents=True)
    line = (
        '{"source":"forum","stream":"posts","key":null,"reason":"lone_surrogate","detail":"",'
        '"text":"x","seen_at":"2026-11-22T00:00:00Z","sync_id":"1"}\n'
    )
    (folder / "1.jsonl").write_text(line, encoding="utf-8")
    trust = text_of(section(page_of(config, company()), "trust"))
    assert "forum.posts: 1 lone surrogate." in trust
    assert "forum posts never 0 1 no people the source does not count" in trust
    assert "forum users never 0 0 64 % n = 70" in trust


def test_the_same_warehouse_gives_the_same_page(config: Config) -> None:
    assert page_of(config, company()) == report.render(config).read_text(encoding="utf-8")


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
    for wording in (words.count, words.percent, words.ratio, words.duration, words.days):
        assert wording(None) == "unknown"
        assert "unknown" not in wording(0)
    assert words.money(None, "USD") == "unknown"
    assert words.day(None) == "unknown"
    assert words.compact(None) == "?"


def test_labels_in_charts_stay_short() -> None:
    assert [words.compact(n) for n in (0, 999, 1000, 9949, 12_345, 5_600_000)] == [
        "0", "999", "1.0k", "9.9k", "12k", "5.6M",
    ]  # fmt: skip


def test_a_chart_of_zeros_and_a_chart_of_nothing_still_draw() -> None:
    zero = charts.Mark(as_of=AS_OF, basis="as_known", value=0.0)
    assert 'height="1.0"' in charts.bars([zero], words.count, "zeros")
    assert "<svg" in charts.spreads([], words.duration, "nothing")


def test_one_long_tail_does_not_press_the_medians_flat() -> None:
    marks = [
        charts.Mark(as_of=AS_OF, basis="as_known", value=5.0, n=300, high=high)
        for high in (12.0, 360.0)
    ]
    drawn = charts.spreads(marks, words.duration, "waits")
    dots = [float(y) for y in re.findall(r'cy="([\d.]+)"', drawn)]
    assert dots[0] == dots[1] < 85
    assert "15 days" in drawn


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = configure(tmp_path_factory.mktemp("hostile"), strategy=True)
    published.write(config.home, company())
    return report.render(config)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the PATH to open the page")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_opens_the_page_from_disk_without_request_complaint_or_script(
    hostile_page: Path, tmp_path: Path, width: int
) -> None:
    with Browser(tmp_path) as browser:
        browser.open(hostile_page.as_uri(), width)
        assert browser.evaluate("document.title").startswith("Rapport")
        assert "run" not in browser.evaluate("document.title")
        assert browser.evaluate("document.scripts.length") == 0
        assert browser.evaluate("document.querySelectorAll('svg.chart').length") == 12
        # nothing hangs over the edge: the page scrolls down only
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert [url for url in browser.requests if not url.startswith("data:")] == [
            hostile_page.as_uri()
        ]
        assert browser.complaints == []
