"""The report: a folder of pages about the published day, readable from disk.

Belongs here: writing the folder. Does not belong here: what is said (`facts`, `relations`,
`dossiers`, `trust`, `scoreboard`, `topics`), in which words (`words`, `advice`, `panels`,
`figures`), how it is drawn (`charts`), which pages there are (`pages`), or any markup
(`templates/`).

    report/index.html                    the page for Monday
    report/<topic>.html                  goals, organizations, people, community, silence, ...
    report/organizations/<id>.html       one per organization
    report/people/<id>.html              one per person worth a page
    report/lists/<kind>-<owner>.csv      whom to keep and whom to thank, per owner
    report/assets/                       style, script, names to search, the chart library

Nothing in it asks for anything outside the folder. Names come from strangers: templates escape
everything, and each page's content security policy allows only the files of this folder.
"""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from rapport.config import Config
from rapport.report import charts, dossiers, facts, lists, pages, words

FOLDER = "report"
PAGE_NAME = "index.html"
_ASSETS = ("style.css", "report.js")
_SNIPPET = "window.vegaEmbed = vegaEmbed;"  # all that our script asks of the library

__all__ = ["FOLDER", "PAGE_NAME", "render"]


def render(config: Config) -> Path:
    """Write `<home>/report/` from the published warehouse and return its first page.

    The folder is replaced whole: no page of an earlier day or of an erased person stays.

    Raises:
        BuildError: nothing is published yet.
        ConfigError: strategy.yml is wrong.
    """
    with facts.opened(config) as query:
        found = facts.gather(query, config)
        details = dossiers.gather(query, found.as_of, found.people)
        asked = pages.ask(query, found)
    site = pages.Site(config, found, details, asked)
    folder = config.home / FOLDER
    building = folder.with_name(f".{FOLDER}.next")
    shutil.rmtree(building, ignore_errors=True)
    for name in ("assets", "organizations", "people"):
        (building / name).mkdir(parents=True)
    environment = _environment(site)
    templates = {name: environment.get_template(name) for name in pages.TEMPLATES}
    for page in site.pages():
        text = templates[page.template].render(page.content | {"path": page.path})
        (building / page.path).write_text(text, encoding="utf-8")
    lists.write(building, site.lists())
    _write_assets(building / "assets", folder / "assets", site)
    _swap(building, folder)
    return folder / PAGE_NAME


def _environment(site: pages.Site) -> Environment:
    environment = Environment(
        loader=PackageLoader("rapport.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        words.name, words.count, words.some, words.percent, words.ratio, words.duration,
        words.days, words.day, words.numeric_day, words.money, words.silo, words.kind,
        words.plural, words.score, words.level, words.age, words.value, words.ordinal,
        words.every, words.sentence, words.bare, words.stream, words.measure,
    ):  # fmt: skip
        environment.filters[function.__name__] = function
    environment.globals |= site.shared()
    return environment


def _write_assets(folder: Path, earlier: Path, site: pages.Site) -> None:
    loader = PackageLoader("rapport.report")
    for name in _ASSETS:
        source, _, _ = loader.get_source(Environment(), name)
        (folder / name).write_text(source, encoding="utf-8")
    names = charts.escaped(json.dumps(site.names(), ensure_ascii=False, separators=(",", ":")))
    (folder / "names.js").write_text(f"window.rapportNames={names};\n", encoding="utf-8")
    library = charts.LIBRARY
    if (earlier / library).is_file():
        shutil.copyfile(earlier / library, folder / library)
        return
    (folder / library).write_text(_library(), encoding="utf-8")


@cache
def _library() -> str:
    """Return the chart library as one script; takes a second."""
    import vl_convert  # here alone: it is large, and the library seldom changes

    return vl_convert.javascript_bundle(_SNIPPET)


def _swap(building: Path, folder: Path) -> None:
    before = folder.with_name(f".{FOLDER}.before")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        folder.rename(before)
    building.rename(folder)
    shutil.rmtree(before, ignore_errors=True)
