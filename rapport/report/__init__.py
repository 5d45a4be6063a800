"""The report: one self-contained page about the published day, readable from disk.

Belongs here: putting facts into the template and writing the file. Does not belong here: what
is said (`facts`, `panels`), how a value reads (`words`), how it is drawn (`charts`), or any
markup (`templates/`).

The page holds no script and asks for nothing: names and texts come from strangers, so the
template escapes everything and a content security policy forbids the rest.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rapport.config import Config
from rapport.report import charts, facts, panels, words

PAGE_NAME = "index.html"
SHOWN_AT_ONCE = 10

__all__ = ["PAGE_NAME", "render"]


def render(config: Config) -> Path:
    """Write `<home>/report/index.html` from the published warehouse and return its path.

    The page is replaced whole: a reader sees the old one or the new one.

    Raises:
        BuildError: nothing is published yet.
        ConfigError: strategy.yml is wrong.
    """
    found = facts.read(config)
    page = _environment().get_template("index.html.j2").render(_content(config, found))
    path = config.home / "report" / PAGE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(path)
    return path


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rapport.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        words.name, words.count, words.some, words.percent, words.ratio, words.duration,
        words.days, words.day, words.numeric_day, words.moment, words.money, words.silo,
        words.kind, words.plural,
    ):  # fmt: skip
        environment.filters[function.__name__] = function
    environment.globals["gap"] = charts.gap
    return environment


def _content(config: Config, found: facts.Facts) -> dict[str, object]:
    headings, history = panels.table(found.history)
    return {
        "facts": found,
        "company": _company(config),
        "is_sandbox": facts.is_sandbox(config),
        "style": Markup(_style()),
        "groups": panels.groups(found.history, found.as_of),
        "window_names": [name for name, _ in panels.WINDOWS],
        "windows": panels.windows(found.community),
        "history_headings": headings,
        "history": history,
        "shown_at_once": SHOWN_AT_ONCE,
        "has_community": facts.has_community(found),
        "forum_linked_share": facts.forum_linked_share(found),
        "active_days": facts.ACTIVE_DAYS,
        "earlier_weeks": facts.EARLIER_DAYS // 7,
        "regular_days": facts.REGULAR_DAYS,
        "labels": {source.name: source.label for source in config.sources.values()},
        "database": facts.database_path(config),
    }


def _company(config: Config) -> str:
    """Return whose relationships these are: the own domain, else the sources by their labels."""
    if config.own_domains:
        return config.own_domains[0]
    return ", ".join(source.label for source in config.sources.values())


def _style() -> str:
    source, _, _ = PackageLoader("rapport.report").get_source(Environment(), "style.css")
    return source
