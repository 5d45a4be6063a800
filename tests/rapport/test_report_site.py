"""The report as a folder: links, hostile names, what a browser makes of it, print and phone."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from rapport import report
from tests.rapport import published
from tests.rapport.browser import CHROMIUM, Browser
from tests.rapport.published import HOSTILE_NAMES, company, configure

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the PATH")
KINDS = (
    "index.html", "organizations.html", "people.html", "community.html", "engagement.html",
    "cadence.html", "coverage.html", "goals.html", "silence.html", "ties.html", "lifetime.html",
    "journeys.html", "qualities.html", "money.html", "organizations/org_0000000000000000.html",
    "people/per_0000000000000001.html",
)  # fmt: skip
CHARTS_DRAWN = """
new Promise(done => {
  const waiting = () => [...document.querySelectorAll('.chart')].some(c => !c.querySelector('svg'));
  const look = () => waiting() ? setTimeout(look, 20) : done(document.querySelectorAll('.chart svg').length);
  look();
})"""  # noqa: E501


class Elements(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a report on people and organizations with hostile names."""
    config = configure(tmp_path_factory.mktemp("hostile"), strategy=True)
    published.write(config.home, company())
    return report.render(config).parent


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Elements]:
    return {path: Elements(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_every_link_leads_to_a_file_of_the_folder_and_every_anchor_to_an_element(
    site: Path, pages: dict[Path, Elements]
) -> None:
    anchors = {
        path: {attributes.get("id") for _, attributes in elements.found}
        for path, elements in pages.items()
    }
    reached = {site / "index.html"}
    for path, elements in pages.items():
        for tag, attributes in elements.found:
            address = attributes.get("href" if tag in ("a", "link") else "src")
            if address is None or address == "data:,":
                continue
            parts = urlsplit(address)
            assert not parts.scheme and not parts.netloc, address
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_relative_to(site.resolve()) and target.is_file(), address
            if parts.fragment:
                assert parts.fragment in anchors[path if not parts.path else target]
            reached.add(target)
    assert {path.resolve() for path in pages} <= {path.resolve() for path in reached}


def test_pages_hold_no_script_of_their_own_no_handler_and_no_style(
    site: Path, pages: dict[Path, Elements]
) -> None:
    for elements in pages.values():
        for tag, attributes in elements.found:
            assert tag not in ("img", "iframe", "object", "embed", "base", "form", "style")
            assert not [name for name in attributes if name.startswith("on") or name == "style"]
            if tag == "svg":  # no picture of a stranger: ours has nothing that could run
                assert attributes["viewbox"] and attributes["role"] == "img"
            if tag == "script":
                own = attributes.get("type") == "application/json"
                assert own or re.fullmatch(
                    r"(\.\./)?assets/(report|vega-[\w.]+)\.js", attributes["src"] or ""
                )
        policy = next(a["content"] for t, a in elements.found if a.get("http-equiv"))
        assert policy and "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_names_of_strangers_stay_text(site: Path) -> None:
    for path in site.rglob("*"):
        if path.suffix == ".html" or path.name == "names.js":
            text = path.read_text(encoding="utf-8")
            for name in HOSTILE_NAMES:
                assert "<" not in name or name not in text
            assert not set(text) & {"\u202e", "\u2066", "\x1b", "\0"}
            assert "x" * 100 not in text
    index = (site / "index.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;document.title=&#39;run&#39;&lt;/script&gt;" in index
    assert "{{ 7 * 7 }}" in index  # not a template either
    assert "A place where makers help &lt;b&gt;makers&lt;/b&gt;." in index


@needs_browser
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", KINDS)
def test_a_browser_opens_each_kind_of_page_from_disk_without_complaint_or_request_outside(
    site: Path, browser: Browser, kind: str, width: int
) -> None:
    browser.requests.clear()
    browser.complaints.clear()
    browser.open((site / kind).as_uri(), width)
    drawn = browser.evaluate(CHARTS_DRAWN)
    assert drawn == (site / kind).read_text(encoding="utf-8").count('<div class="chart"')
    assert browser.evaluate("document.title") != "run"
    # nothing hangs over the edge: the page scrolls down only
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    outside = [
        url for url in browser.requests
        if not url.startswith(("data:", f"{site.as_uri()}/"))
    ]  # fmt: skip
    assert outside == []
    assert browser.complaints == []


@needs_browser
def test_names_are_found_and_lead_to_their_page(site: Path, browser: Browser) -> None:
    browser.complaints.clear()
    browser.open((site / "people/per_0000000000000001.html").as_uri())
    found = browser.evaluate(
        """
        new Promise(done => {
          const field = document.querySelector('search input');
          field.focus();
          field.value = 'SCRIPT';
          const look = () => {
            field.dispatchEvent(new Event('input'));
            const links = [...document.querySelectorAll('search a')];
            links.length ? done(links.map(a => [a.firstChild.data, a.href])) : setTimeout(look, 20);
          };
          look();
        })
        """
    )
    assert len(found) == 10
    for name, address in found:
        assert "script" in name
        assert Path(unquote(urlsplit(address).path)).is_file()
    assert browser.evaluate("document.title") != "run"
    assert browser.complaints == []


@needs_browser
def test_a_mark_tells_its_value_and_n_when_pointed_at(site: Path, browser: Browser) -> None:
    browser.open((site / "community.html").as_uri())
    browser.evaluate(CHARTS_DRAWN)
    told = browser.evaluate(
        """
        new Promise(done => {
          const marks = document.querySelectorAll('.chart')[6].querySelectorAll('path[aria-label]');
          marks[marks.length - 1].dispatchEvent(
            new MouseEvent('mousemove', {bubbles: true, clientX: 5, clientY: 5}));
          marks[marks.length - 1].dispatchEvent(
            new MouseEvent('pointermove', {bubbles: true, clientX: 5, clientY: 5}));
          setTimeout(() => done(document.querySelector('#vg-tooltip-element')?.textContent), 100);
        })
        """
    )
    assert told == "22 November 2026: 62 %, n = 99 questions, as known then"


@needs_browser
@pytest.mark.parametrize(
    "kind", ["index.html", "community.html", "goals.html", "ties.html", KINDS[-2], KINDS[-1]]
)
def test_each_kind_of_page_prints_on_a4(site: Path, browser: Browser, kind: str) -> None:
    browser.open((site / kind).as_uri())
    browser.evaluate(CHARTS_DRAWN)
    printed = browser.print_pdf()
    assert printed.startswith(b"%PDF")
    count = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 1 <= count <= 12
    assert re.search(rb"/MediaBox\s*\[0 0 59[45][\d.]* 84[12]", printed)


@needs_browser
def test_without_script_no_chart_is_blank_and_its_numbers_are_read_and_printed(
    site: Path, browser: Browser
) -> None:
    seen = """
    [...document.querySelectorAll('figure')].map(f => [
      getComputedStyle(f.querySelector('.chart')).display,
      f.querySelector('.numbers table').checkVisibility(),
    ])"""
    browser.open((site / "goals.html").as_uri())
    browser.evaluate(CHARTS_DRAWN)
    drawn = browser.evaluate(seen)
    assert drawn == [["block", False]] * 2  # folded once the chart stands
    browser.script(False)
    browser.open((site / "goals.html").as_uri())
    plain = browser.evaluate(seen)
    browser.paper(True)
    printed = browser.evaluate(seen)
    browser.paper(False)
    browser.script(True)
    assert plain == printed == [["none", True]] * 2


@needs_browser
def test_what_scrolls_sideways_and_what_unfolds_is_reached_by_keyboard(
    site: Path, browser: Browser
) -> None:
    browser.open((site / "community.html").as_uri(), 390)
    browser.evaluate(CHARTS_DRAWN)
    reached = browser.evaluate(
        """[...document.querySelectorAll('.wide, summary')].every(e => {
             if (!e.checkVisibility()) return true;
             e.focus();
             return document.activeElement === e;
           })"""
    )
    assert reached


@needs_browser
def test_pages_follow_light_and_dark(site: Path, browser: Browser) -> None:
    ink = {}
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        browser.open((site / "community.html").as_uri())
        ink[scheme] = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    browser.prefer("light")
    assert ink["light"] != ink["dark"]
