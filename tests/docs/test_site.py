"""The documentation builds as a site that opens from disk, without a network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.docs.fences import DOCS, ROOT
from tests.rapport.browser import CHROMIUM, Browser

ZENSICAL = shutil.which("zensical", path=str(Path(sys.executable).parent)) or shutil.which(
    "zensical"
)
PATIENCE_S = 20
SEARCH = """(() => {
    const dialog = [...document.querySelectorAll("*")].find((one) => one.shadowRoot)?.shadowRoot
    const input = dialog?.querySelector("input")
    if (input && !input.value) {
        input.value = "champion"
        input.dispatchEvent(new Event("input", {bubbles: true, composed: true}))
    }
    return dialog?.querySelector("a")?.href
})()"""
"""Types a word into the search; the address of the first thing found, once there is one."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not ZENSICAL:
        pytest.skip("zensical is not installed: run `make setup`")
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(DOCS, folder / "docs")
    done = subprocess.run(
        [ZENSICAL, "build", "--clean", "--strict"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def navigation(entries: object) -> set[str]:
    if isinstance(entries, str):
        return {entries}
    parts = entries.values() if isinstance(entries, dict) else entries
    return set().union(*map(navigation, parts))  # type: ignore[arg-type]


def test_every_page_is_in_the_navigation() -> None:
    told = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    found = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert navigation(told["nav"]) == found


def test_every_link_leads_to_a_page_that_is_there(site: Path) -> None:
    checked = 0
    for page in site.rglob("*.html"):
        if page.name == "404.html":
            continue
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            address = urlsplit(link)
            if address.scheme or address.netloc or not address.path:
                continue
            target = (page.parent / unquote(address.path)).resolve()
            if target.is_dir():
                target /= "index.html"
            assert target.is_file(), f"{page.relative_to(site)}: {link}"
            if address.fragment and target.suffix == ".html":
                assert f'id="{address.fragment}"' in target.read_text(encoding="utf-8"), link
            checked += 1
    assert checked > 100


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
def test_it_opens_from_disk_asks_nobody_and_finds_what_is_searched_for(
    site: Path, tmp_path: Path
) -> None:
    with Browser(tmp_path) as browser:
        browser.open((site / "index.html").as_uri())
        browser.evaluate("document.querySelector('.md-search__button').click()")
        found = None
        end = time.monotonic() + PATIENCE_S
        while not found and time.monotonic() < end:
            found = browser.evaluate(SEARCH)
            time.sleep(0.2)
        assert found and "query.html" in found, found
        assert not [url for url in browser.requests if not url.startswith(("file:", "data:"))]


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
def test_no_page_is_wider_than_a_phone(site: Path, tmp_path: Path) -> None:
    with Browser(tmp_path) as browser:
        for page in sorted(site.rglob("*.html")):
            browser.open(page.as_uri(), width=390)
            wide = browser.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, f"{page.relative_to(site)}: {wide}"
